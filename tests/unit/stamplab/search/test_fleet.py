"""One search in several processes: what they tell, how they stop, and that none is left behind."""

from __future__ import annotations

import multiprocessing
import queue
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import cast

import msgspec
import psutil
import pytest

from stamplab.lab.errors import LabError, UsageError
from stamplab.search import parallel
from stamplab.search.explorable import EXPLORABLE, REFERENCE, Explorable
from stamplab.search.laws import LAWS
from stamplab.search.parallel import Quarry, Quest, search
from stamplab.search.schedule import Kept, Schedule, keep
from stamplab.search.search import Found
from stamplab.search.trial import Trial
from tests.unit.stamplab.search import dying, workers
from tests.unit.stamplab.search.trials import but, trial
from tests.unit.stamplab.search.workers import GREEN_S, RED_S, Play, converged, decoded, played

QUEST = Quest(scenario="discourse", laws=tuple(LAWS), guard=True, examples=100)
FOUND = Found(law="fix", broken="broken", schedule=REFERENCE, after_examples=1)


def quiet(outcomes: Counter[str], took_s: float) -> None:
    del outcomes, took_s


def searched(play: Play, quest: Quest = QUEST) -> Quarry:
    with workers.playing(play):
        return search(quest, quiet)


# One job.


def test_each_law_is_broken_once_and_the_others_hold() -> None:
    quarry = searched(played, but(QUEST, from_scratch=True))
    by_law = {found.law: found.schedule.hc1_pause_s for found in quarry.found}
    assert by_law == {"no-false-green": GREEN_S, "true-reason": RED_S}


def test_where_all_hold_all_that_were_asked_for_are_drawn_once() -> None:
    quarry = searched(converged)
    assert quarry.found == ()
    assert quarry.examples == QUEST.examples
    assert quarry.outcomes == {"converged": QUEST.examples}
    assert quarry.took_s > 0
    assert quarry.per_second == pytest.approx(quarry.examples / quarry.took_s)


def test_no_time_at_all_is_no_rate() -> None:
    assert Quarry(found=(), examples=0, took_s=0.0, outcomes={}).per_second == 0


def test_only_the_laws_that_were_asked_for_are_searched() -> None:
    quarry = searched(played, but(QUEST, laws=("true-reason", "fix")))
    assert [found.law for found in quarry.found] == ["true-reason"]


def test_the_same_seed_finds_the_same() -> None:
    one, again = (searched(played, but(QUEST, seed=4)) for _ in range(2))
    assert one.found == again.found
    assert one.outcomes == again.outcomes


def test_it_tells_how_far_it_has_come() -> None:
    told: list[int] = []
    with workers.playing(converged):
        search(QUEST, lambda outcomes, _: told.append(outcomes.total()))
    assert told == sorted(told)
    assert told[-1] == QUEST.examples


def test_an_apparatus_that_fails_is_an_error_and_not_a_law_that_held() -> None:
    def fails(schedule: Schedule) -> Trial:
        raise LabError(f"swarmsim ended at {schedule.hc1_pause_s}")

    with pytest.raises(LabError, match="swarmsim ended at 0"):
        searched(fails)


def test_what_cannot_be_explored_is_the_users_to_mend() -> None:
    with pytest.raises(UsageError, match="'nextcloud' cannot be explored; what can: discourse"):
        searched(converged, but(QUEST, scenario="nextcloud"))


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


GREEN_ONLY = but(QUEST, laws=("no-false-green",))


def test_what_is_known_is_tried_first(known: Schedule) -> None:
    quarry = searched(played, GREEN_ONLY)
    (found,) = quarry.found
    assert (found.schedule, found.after_examples) == (known, 0)
    assert quarry.examples == 0


def test_it_is_left_out_on_request(known: Schedule) -> None:
    (found,) = searched(played, but(GREEN_ONLY, from_scratch=True)).found
    assert found.schedule.hc1_pause_s == GREEN_S < known.hc1_pause_s
    assert found.after_examples > 0


def test_what_is_known_and_holds_by_now_does_not_end_the_search(known: Schedule) -> None:
    quarry = searched(lambda one: converged(one), GREEN_ONLY)
    assert (quarry.found, quarry.examples) == ((), QUEST.examples)
    assert known.hc1_pause_s >= GREEN_S


def test_the_old_harness_is_only_held_to_what_any_node_breaks(known: Schedule) -> None:
    def lucky(schedule: Schedule) -> Trial:
        is_own = schedule.conditions == known.conditions
        return played(schedule) if is_own else trial(schedule=schedule)

    assert len(searched(lucky, GREEN_ONLY).found) == 1
    assert searched(lucky, but(GREEN_ONLY, guard=False)).found == ()


# A job of several, in this process.


class Line:
    """What a job says to the one who started it; here nobody listens, and all is kept."""

    def __init__(self) -> None:
        self.said: queue.Queue[bytes] = queue.Queue()
        self.stop = threading.Event()

    def work(self, play: Play, quest: Quest = QUEST, job: int = 0) -> list[parallel._Heard]:
        with workers.playing(play):
            parallel._work(
                msgspec.json.encode(quest),
                job,
                cast("Queue[bytes]", self.said),
                cast(Event, self.stop),
            )
        return [decoded(self.said.get()) for _ in range(self.said.qsize())]


@pytest.fixture
def line() -> Iterator[Line]:
    before = signal.getsignal(signal.SIGINT)
    yield Line()
    signal.signal(signal.SIGINT, before)


def test_a_job_does_its_share_and_says_when_it_is_over(line: Line) -> None:
    heard = line.work(converged, but(QUEST, examples=25, jobs=2), job=0)
    assert [one.is_over for one in heard] == [False] * (len(heard) - 1) + [True]
    assert sum(sum(one.outcomes.values()) for one in heard) == 13
    heard = line.work(converged, but(QUEST, examples=25, jobs=2), job=1)
    assert sum(sum(one.outcomes.values()) for one in heard) == 12


def test_a_job_says_what_it_has_found(line: Line) -> None:
    last = line.work(played)[-1]
    assert last.is_over
    assert last.found is not None
    assert last.failed == ""


def test_a_job_whose_apparatus_fails_says_so(line: Line) -> None:
    def fails(_: Schedule) -> Trial:
        raise LabError("swarmsim ended")

    (last,) = line.work(fails)
    assert (last.is_over, last.failed, last.found) == (True, "swarmsim ended", None)


def test_a_job_that_is_to_stop_plays_nothing_more_and_has_found_nothing(line: Line) -> None:
    count: list[Schedule] = []

    def play(schedule: Schedule) -> Trial:
        count.append(schedule)
        if len(count) == 5:
            line.stop.set()
        return converged(schedule)

    last = line.work(play)[-1]
    assert (last.is_over, last.found) == (True, None)
    assert len(count) == 5


def test_so_does_one_that_shrinks_what_it_has_found(line: Line) -> None:
    count: list[Schedule] = []

    def play(schedule: Schedule) -> Trial:
        count.append(schedule)
        if schedule.hc1_pause_s >= GREEN_S:
            line.stop.set()
        return played(schedule)

    last = line.work(play)[-1]
    assert (last.is_over, last.found) == (True, None)
    assert [one.hc1_pause_s >= GREEN_S for one in count].index(True) == len(count) - 1


def test_and_one_that_tries_what_is_known(line: Line, known: Schedule) -> None:
    line.stop.set()
    (last,) = line.work(played, GREEN_ONLY)
    assert (last.is_over, last.found) == (True, None)
    assert known.hc1_pause_s >= GREEN_S


# Who listens to them.


class Job:
    """A process that is said to be alive or not."""

    def __init__(self, exitcode: int | None = None, starts: bool = True) -> None:
        self.pid: int | None = None
        self.exitcode = exitcode
        self.ended: list[str] = []
        self._starts = starts

    def start(self) -> None:
        if not self._starts:
            raise OSError("no room for another process")
        self.pid = 1

    def is_alive(self) -> bool:
        return self.pid is not None and self.exitcode is None and not self.ended

    def terminate(self) -> None:
        self.ended.append("terminated")

    def join(self) -> None:
        assert self.pid is not None, "can only join a started process"


Heard = parallel._Heard


def listen(*heard: Heard, jobs: int = 2, exitcode: int | None = None) -> tuple[Found | None, Line]:
    """Hear this of so many jobs, the last of which may have died."""
    line = Line()
    for one in heard:
        line.said.put(msgspec.json.encode(one))
    started = [*(Job() for _ in range(jobs - 1)), Job(exitcode)]
    for job in started:
        job.start()
    found = parallel._listen(
        cast("list[BaseProcess]", started),
        cast("Queue[bytes]", line.said),
        cast(Event, line.stop),
        lambda _: None,
        Counter(),
    )
    return found, line


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_HEAR_S", 0.01)
    monkeypatch.setattr(parallel, "_END_S", 0.2)


def test_all_are_heard_out() -> None:
    found, line = listen(Heard(job=1, is_over=True), Heard(job=0, is_over=True))
    assert found is None
    assert not line.stop.is_set()


def test_the_first_find_stops_the_others() -> None:
    later = msgspec.structs.replace(FOUND, law="true-reason")
    found, line = listen(
        Heard(job=1, is_over=True, found=FOUND), Heard(job=0, is_over=True, found=later)
    )
    assert found == FOUND
    assert line.stop.is_set()


def test_a_job_that_failed_is_an_error_with_its_words() -> None:
    with pytest.raises(LabError, match="job 1 of the search failed: swarmsim ended"):
        listen(Heard(job=1, is_over=True, failed="swarmsim ended"))


@pytest.mark.usefixtures("hasty")
def test_a_job_that_died_is_an_error_with_its_exit_code() -> None:
    with pytest.raises(LabError, match=r"job 1 of the search died \(exit code -9\)"):
        listen(Heard(job=0, outcomes={"converged": 10}), exitcode=-9)


@pytest.mark.usefixtures("hasty")
def test_one_that_ended_after_it_had_said_so_has_not_died() -> None:
    found, _ = listen(Heard(job=0, is_over=True), Heard(job=1, is_over=True), exitcode=0)
    assert found is None


class Context:
    """Starts such processes, as far as it can."""

    def __init__(self, *jobs: Job) -> None:
        self._jobs = iter(jobs)

    def Queue(self) -> queue.Queue[bytes]:  # noqa: N802 - as in multiprocessing
        return queue.Queue()

    def Event(self) -> threading.Event:  # noqa: N802
        return threading.Event()

    def Process(self, target: Callable[..., None], args: tuple[object, ...]) -> Job:  # noqa: N802
        del target, args
        return next(self._jobs)


@pytest.mark.usefixtures("hasty")
def test_where_one_cannot_be_started_those_that_were_are_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jobs = Job(), Job(starts=False), Job()
    monkeypatch.setattr(multiprocessing, "get_context", lambda _: Context(*jobs))
    with pytest.raises(OSError, match="no room"):
        search(but(QUEST, jobs=3), quiet)
    assert [job.ended for job in jobs] == [["terminated"], [], []]


# Real processes.


def in_processes(
    monkeypatch: pytest.MonkeyPatch, work: Callable[..., None], notes: Path, quest: Quest
) -> Quarry:
    monkeypatch.setenv(workers.NOTES, str(notes))
    monkeypatch.setattr(parallel, "_work", work)
    try:
        return search(quest, quiet)
    finally:
        left = psutil.Process().children()
        names = [one.cmdline() for one in left]
        assert not any("spawn_main" in " ".join(words) for words in names), names


def test_two_find_together_and_the_first_find_ends_the_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    quest = but(GREEN_ONLY, jobs=2, examples=100_000, from_scratch=True)
    work = workers.one_finds_while_another_shrinks
    quarry = in_processes(monkeypatch, work, notes, quest)
    (found,) = quarry.found
    assert found.schedule.hc1_pause_s == GREEN_S
    assert found.after_examples > 0
    assert notes.read_text().splitlines() == ["in time", "in time"]


def test_a_process_that_is_killed_is_an_error_and_its_like_are_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    quest = but(GREEN_ONLY, jobs=2, examples=1_000_000)
    with pytest.raises(LabError, match=r"job 1 of the search died \(exit code -9\)"):
        in_processes(monkeypatch, dying.work, tmp_path / "notes", quest)
