"""One search in several processes: what they tell, how they stop, and that none is left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import cast

import msgspec
import psutil
import pytest

from stamplab.lab.errors import LabError, UsageError
from stamplab.search import parallel
from stamplab.search.explorable import EXPLORABLE, REFERENCE
from stamplab.search.laws import LAWS
from stamplab.search.parallel import SearchRequest, SearchResult, search
from stamplab.search.schedule import Explorable, Kept, Schedule, keep
from stamplab.search.search import BrokenLaw
from stamplab.search.trial import Trial
from tests.unit.stamplab.search import dying, workers
from tests.unit.stamplab.search.trials import but, trial
from tests.unit.stamplab.search.workers import GREEN_S, RED_S, Play, converged, decoded, played

REQUEST = SearchRequest(scenario="discourse", laws=tuple(LAWS), guard=True, examples=100)
FOUND = BrokenLaw(law="fix", broken="broken", schedule=REFERENCE, after_examples=1)


def quiet(outcomes: Counter[str], took_s: float) -> None:
    del outcomes, took_s


def searched(play: Play, request: SearchRequest = REQUEST) -> SearchResult:
    with workers.playing(play):
        return search(request, quiet)


# One job.


def test_each_law_is_broken_once_and_the_others_hold() -> None:
    result = searched(played, but(REQUEST, from_scratch=True))
    by_law = {broken_law.law: broken_law.schedule.hc1_pause_s for broken_law in result.broken}
    assert by_law == {"no-false-green": GREEN_S, "true-reason": RED_S}


def test_where_all_hold_all_that_were_asked_for_are_drawn_once() -> None:
    result = searched(converged)
    assert result.broken == ()
    assert result.examples == REQUEST.examples
    assert result.outcomes == {"converged": REQUEST.examples}
    assert result.took_s > 0
    assert result.per_second == pytest.approx(result.examples / result.took_s)


def test_no_time_at_all_is_no_rate() -> None:
    assert SearchResult(broken=(), examples=0, took_s=0.0, outcomes={}).per_second == 0


def test_only_the_laws_that_were_asked_for_are_searched() -> None:
    result = searched(played, but(REQUEST, laws=("true-reason", "fix")))
    assert [broken_law.law for broken_law in result.broken] == ["true-reason"]


def test_the_same_seed_finds_the_same() -> None:
    first, second = (searched(played, but(REQUEST, seed=4)) for _ in range(2))
    assert first.broken == second.broken
    assert first.outcomes == second.outcomes


def test_it_tells_how_far_it_has_come() -> None:
    totals: list[int] = []
    with workers.playing(converged):
        search(REQUEST, lambda outcomes, _: totals.append(outcomes.total()))
    assert totals == sorted(totals)
    assert totals[-1] == REQUEST.examples


def test_an_apparatus_that_fails_is_an_error_and_not_a_law_that_held() -> None:
    def fails(schedule: Schedule) -> Trial:
        raise LabError(f"swarmsim ended at {schedule.hc1_pause_s}")

    with pytest.raises(LabError, match="swarmsim ended at 0"):
        searched(fails)


def test_what_cannot_be_explored_is_the_users_to_mend() -> None:
    with pytest.raises(UsageError, match="'nextcloud' cannot be explored; what can: discourse"):
        searched(converged, but(REQUEST, scenario="nextcloud"))


# What is known.


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Schedule:
    """A schedule that broke a law before, in the place where such are kept."""
    schedule = but(REFERENCE, hc1_pause_s=17.0)
    kept = Kept(
        scenario="discourse",
        law="no-false-green",
        guard=False,
        broken="",
        in_words="",
        schedule=schedule,
    )
    keep(kept, tmp_path / "no-false-green")
    explorable = but(EXPLORABLE["discourse"], known=tmp_path)

    def named(_: str) -> Explorable:
        return explorable

    monkeypatch.setattr(parallel, "explorable_named", named)
    return schedule


GREEN_ONLY = but(REQUEST, laws=("no-false-green",))


def test_what_is_known_is_tried_first(known: Schedule) -> None:
    result = searched(played, GREEN_ONLY)
    (broken_law,) = result.broken
    assert (broken_law.schedule, broken_law.after_examples) == (known, 0)
    assert result.examples == 0


def test_it_is_left_out_on_request(known: Schedule) -> None:
    (broken_law,) = searched(played, but(GREEN_ONLY, from_scratch=True)).broken
    assert broken_law.schedule.hc1_pause_s == GREEN_S < known.hc1_pause_s
    assert broken_law.after_examples > 0


def test_what_is_known_and_holds_by_now_does_not_end_the_search(known: Schedule) -> None:
    result = searched(lambda schedule: converged(schedule), GREEN_ONLY)
    assert (result.broken, result.examples) == ((), REQUEST.examples)
    assert known.hc1_pause_s >= GREEN_S


def test_the_old_harness_is_only_held_to_what_any_node_breaks(known: Schedule) -> None:
    def lucky(schedule: Schedule) -> Trial:
        is_own = schedule.conditions == known.conditions
        return played(schedule) if is_own else trial(schedule=schedule)

    assert len(searched(lucky, GREEN_ONLY).broken) == 1
    assert searched(lucky, but(GREEN_ONLY, guard=False)).broken == ()


# A share, in this process.


class Starter:
    """The end of a connection at which a share's starter listens."""

    def __init__(self) -> None:
        self.ours, self.theirs = multiprocessing.Pipe()

    def stop(self) -> None:
        self.ours.send_bytes(b"stop")

    def work(
        self, play: Play, request: SearchRequest = REQUEST, job: int = 0
    ) -> list[parallel._Message]:
        """Have a share worked off; return all that it reports."""
        with workers.playing(play):
            parallel._work(msgspec.json.encode(request), job, self.theirs)
        messages = []
        while self.ours.poll():
            messages.append(decoded(self.ours.recv_bytes()))
        return messages


@pytest.fixture
def starter() -> Iterator[Starter]:
    before = signal.getsignal(signal.SIGINT)
    yield Starter()
    signal.signal(signal.SIGINT, before)


def test_a_job_does_its_share_and_says_when_it_is_over(starter: Starter) -> None:
    messages = starter.work(converged, but(REQUEST, examples=25, jobs=2), job=0)
    assert [message.is_over for message in messages] == [False] * (len(messages) - 1) + [True]
    assert sum(sum(message.outcomes.values()) for message in messages) == 13
    messages = starter.work(converged, but(REQUEST, examples=25, jobs=2), job=1)
    assert sum(sum(message.outcomes.values()) for message in messages) == 12


def test_a_job_reports_what_it_has_broken(starter: Starter) -> None:
    last = starter.work(played)[-1]
    assert last.is_over
    assert last.broken is not None
    assert last.failed == ""


def test_a_job_whose_apparatus_fails_reports_that(starter: Starter) -> None:
    def fails(_: Schedule) -> Trial:
        raise LabError("swarmsim ended")

    (last,) = starter.work(fails)
    assert (last.is_over, last.failed, last.broken) == (True, "swarmsim ended", None)


def test_a_job_that_is_to_stop_plays_nothing_more_and_breaks_nothing(starter: Starter) -> None:
    count: list[Schedule] = []

    def play(schedule: Schedule) -> Trial:
        count.append(schedule)
        if len(count) == 5:
            starter.stop()
        return converged(schedule)

    last = starter.work(play)[-1]
    assert (last.is_over, last.broken) == (True, None)
    assert len(count) == 5


def test_so_does_a_job_that_shrinks_its_find(starter: Starter) -> None:
    count: list[Schedule] = []

    def play(schedule: Schedule) -> Trial:
        count.append(schedule)
        if schedule.hc1_pause_s >= GREEN_S:
            starter.stop()
        return played(schedule)

    last = starter.work(play)[-1]
    assert (last.is_over, last.broken) == (True, None)
    passing = [schedule.hc1_pause_s >= GREEN_S for schedule in count]
    assert passing.index(True) == len(count) - 1


def test_and_a_job_that_tries_what_is_known(starter: Starter, known: Schedule) -> None:
    starter.stop()
    (last,) = starter.work(played, GREEN_ONLY)
    assert (last.is_over, last.broken) == (True, None)
    assert known.hc1_pause_s >= GREEN_S


def test_a_job_whose_starter_has_died_plays_nothing_more(starter: Starter) -> None:
    starter.ours.close()
    count: list[Schedule] = []

    def play(schedule: Schedule) -> Trial:
        count.append(schedule)
        return converged(schedule)

    with workers.playing(play):
        parallel._work(msgspec.json.encode(REQUEST), 0, starter.theirs)
    assert count == []


# The starter.


class Job:
    """A process that is said to be alive or not."""

    def __init__(self, exitcode: int | None = None, starts: bool = True) -> None:
        self.exitcode = exitcode
        self.ended: list[str] = []
        self._starts = starts
        self._alive, self._end = multiprocessing.Pipe()
        self.sentinel = self._alive.fileno()
        self.is_started = False

    def start(self) -> None:
        if not self._starts:
            raise OSError("no room for another process")
        self.is_started = True

    def is_alive(self) -> bool:
        return self.is_started and self.exitcode is None and not self.ended

    def terminate(self) -> None:
        self.ended.append("terminated")

    def join(self, timeout: float | None = None) -> None:
        del timeout
        assert self.is_started, "can only join a started process"


Message = parallel._Message


def listen(
    *messages: tuple[int, Message], jobs: int = 2, exitcode: int | None = None
) -> tuple[BrokenLaw | None, list[Connection]]:
    """Hear this of so many jobs, the last of which may have died."""
    shares, theirs = [], []
    for number in range(jobs):
        job = Job(exitcode if number == jobs - 1 else None)
        ours, their = multiprocessing.Pipe()
        kept = os.dup(their.fileno())  # which in truth is the process's own
        theirs.append(Connection(kept))
        shares.append(parallel._Share(number, cast("BaseProcess", job), ours, their))
    for number, message in messages:
        theirs[number].send_bytes(msgspec.json.encode(message))
    if exitcode is not None:
        theirs[-1].close()
    return parallel._listen(shares, lambda _: None), theirs


def was_stopped(their: Connection) -> bool:
    """Whether the starter has asked for that; a connection that it has closed asks for nothing."""
    try:
        return their.poll() and their.recv_bytes() == b"stop"
    except EOFError:
        return False


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_END_S", 0.2)


def test_all_are_heard_out() -> None:
    broken, theirs = listen((1, Message(is_over=True)), (0, Message(is_over=True)))
    assert broken is None
    assert not any(map(was_stopped, theirs))


def test_the_first_find_stops_the_others() -> None:
    messages = [(1, Message(is_over=True, broken=FOUND)), (0, Message(outcomes={"converged": 1}))]
    broken, theirs = listen(*messages, (0, Message(is_over=True)))
    assert broken == FOUND
    assert was_stopped(theirs[0])


def test_a_job_that_failed_is_an_error_with_its_words() -> None:
    with pytest.raises(LabError, match="job 1 of the search failed: swarmsim ended"):
        listen((1, Message(is_over=True, failed="swarmsim ended")))


@pytest.mark.usefixtures("hasty")
def test_a_job_that_died_is_an_error_with_its_exit_code() -> None:
    with pytest.raises(LabError, match=r"job 1 of the search died \(exit code -9\)"):
        listen((0, Message(outcomes={"converged": 10})), exitcode=-9)


@pytest.mark.usefixtures("hasty")
def test_a_job_that_ended_after_it_had_said_so_has_not_died() -> None:
    messages = [(0, Message(is_over=True)), (1, Message(is_over=True))]
    broken, _ = listen(*messages, exitcode=0)
    assert broken is None


class Context:
    """Starts such processes, as far as it can."""

    def __init__(self, *jobs: Job) -> None:
        self._jobs = iter(jobs)

    def Pipe(self) -> tuple[Connection, Connection]:  # noqa: N802 - as in multiprocessing
        return multiprocessing.Pipe()

    def Process(self, target: Callable[..., None], args: tuple[object, ...]) -> Job:  # noqa: N802
        del target, args
        return next(self._jobs)


@pytest.mark.usefixtures("hasty")
def test_where_one_cannot_start_the_others_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = Job(), Job(starts=False), Job()
    monkeypatch.setattr(multiprocessing, "get_context", lambda _: Context(*jobs))
    with pytest.raises(OSError, match="no room"):
        search(but(REQUEST, jobs=3), quiet)
    assert [job.ended for job in jobs] == [["terminated"], [], []]


# Real processes.


def in_processes(
    monkeypatch: pytest.MonkeyPatch,
    work: Callable[..., None],
    notes: Path,
    request: SearchRequest,
) -> SearchResult:
    monkeypatch.setenv(workers.NOTES, str(notes))
    monkeypatch.setattr(parallel, "_work", work)
    try:
        return search(request, quiet)
    finally:
        left = psutil.Process().children()
        names = [process.cmdline() for process in left]
        assert not any("spawn_main" in " ".join(words) for words in names), names


def test_a_find_ends_the_other_job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    request = but(GREEN_ONLY, jobs=2, examples=100_000, from_scratch=True)
    work = workers.one_finds_while_another_shrinks
    (broken,) = in_processes(monkeypatch, work, notes, request).broken
    assert broken.schedule.hc1_pause_s == GREEN_S
    assert broken.after_examples > 0
    assert notes.read_text().splitlines() == ["in time", "in time"]


def test_a_process_that_is_killed_is_an_error_and_its_like_are_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    request = but(GREEN_ONLY, jobs=2, examples=1_000_000)
    with pytest.raises(LabError, match=r"job 1 of the search died \(exit code -9\)"):
        in_processes(monkeypatch, dying.work, tmp_path / "notes", request)
