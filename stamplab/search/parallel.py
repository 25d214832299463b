"""One search in several processes: each has a seed of its own, the first find ends them all."""

from __future__ import annotations

import multiprocessing
import queue
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from time import monotonic

import msgspec

from stamplab.lab.errors import LabError
from stamplab.runner.worlds import virtual
from stamplab.search.explorable import explorable_named, ground_of
from stamplab.search.laws import LAWS
from stamplab.search.schedule import Schedule, read_kept
from stamplab.search.search import Found, Search, Stopped
from stamplab.search.strategies import schedules
from stamplab.search.trial import Trial

_TELL_EVERY = 10
_HEAR_S = 1.0
_END_S = 30.0


class Quest(msgspec.Struct, frozen=True, kw_only=True):
    """What is searched."""

    scenario: str
    laws: tuple[str, ...]
    guard: bool
    examples: int
    jobs: int = 1
    seed: int = 0
    from_scratch: bool = False
    """Leave out what is known: the search has to find it by itself."""


class Quarry(msgspec.Struct, frozen=True, kw_only=True):
    """What a search came to."""

    found: tuple[Found, ...]
    """At most one a law."""
    examples: int
    took_s: float
    outcomes: dict[str, int]
    """Of the schedules that were drawn, what became of the upgrade in truth."""

    @property
    def per_second(self) -> float:
        """Schedules a second, all jobs together."""
        return self.examples / self.took_s if self.took_s else 0.0


Told = Callable[[Counter[str], float], None]
"""Hears of the outcomes so far, and after how many seconds."""


class _Heard(msgspec.Struct, frozen=True, kw_only=True):
    job: int
    outcomes: dict[str, int] = {}
    is_over: bool = False
    found: Found | None = None
    failed: str = ""
    died: bool = False
    """Said in its stead, behind all that it has said itself."""


def search(quest: Quest, told: Told) -> Quarry:
    """Search until every law was broken, or the rest of them has held. Raises LabError.

    Each find ends a round; the next one asks for the laws that are left.
    """
    outcomes: Counter[str] = Counter()
    found: list[Found] = []
    began_s, left = monotonic(), list(quest.laws)
    while left:
        round_ = msgspec.structs.replace(quest, laws=tuple(left), seed=quest.seed + len(found) * 97)
        broken = _round(round_, lambda now: told(outcomes + now, monotonic() - began_s), outcomes)
        if broken is None:
            break
        found.append(broken)
        left.remove(broken.law)
    return Quarry(
        found=tuple(found),
        examples=outcomes.total(),
        took_s=monotonic() - began_s,
        outcomes=dict(outcomes),
    )


def _round(
    quest: Quest, told: Callable[[Counter[str]], None], outcomes: Counter[str]
) -> Found | None:
    """Search until a law is broken; what was drawn is added to ``outcomes``."""
    if quest.jobs == 1:
        return _alone(quest, told, outcomes)
    context = multiprocessing.get_context("spawn")
    said: Queue[bytes] = context.Queue()
    stop = context.Event()
    workers = [
        context.Process(target=_work, args=(msgspec.json.encode(quest), job, said, stop))
        for job in range(quest.jobs)
    ]
    try:
        for worker in workers:
            worker.start()
        return _listen(workers, said, stop, told, outcomes)
    finally:
        stop.set()
        _end([worker for worker in workers if worker.pid is not None], said)


def _alone(
    quest: Quest, told: Callable[[Counter[str]], None], outcomes: Counter[str]
) -> Found | None:
    drawn: Counter[str] = Counter()

    def tell(outcome: str) -> None:
        drawn[outcome] += 1
        if drawn.total() % _TELL_EVERY == 0:
            told(drawn)

    try:
        return _hunt(quest, 0, tell, lambda: None)
    finally:
        outcomes.update(drawn)


def _hunt(
    quest: Quest, job: int, tell: Callable[[str], None], go_on: Callable[[], None]
) -> Found | None:
    """One job's share of the search. ``go_on`` is asked before each play, and may raise Stopped."""

    def play(schedule: Schedule) -> Trial:
        go_on()
        return ground.play(schedule, guard=quest.guard)

    explorable = explorable_named(quest.scenario)
    asked = [LAWS[name] for name in quest.laws]
    with ground_of(explorable, virtual()) as ground:
        search_ = Search(asked, play, tell, robust=not quest.guard)
        if job == 0 and not quest.from_scratch:
            files = [path for law in LAWS for path in explorable.known_for(law)]
            found = search_.known(read_kept(path).schedule for path in files)
            if found is not None:
                return found
        share = quest.examples // quest.jobs + (job < quest.examples % quest.jobs)
        return search_.run(schedules(ground.stamp_label), share, quest.seed + job)


def _work(asked: bytes, job: int, said: Queue[bytes], stop: Event) -> None:
    """A worker's life. Whatever ends it is said."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who started us tells us to stop
    quest = msgspec.json.decode(asked, type=Quest)
    outcomes: Counter[str] = Counter()

    def flush() -> None:
        said.put(msgspec.json.encode(_Heard(job=job, outcomes=dict(outcomes))))
        outcomes.clear()

    def tell(outcome: str) -> None:
        outcomes[outcome] += 1
        if outcomes.total() >= _TELL_EVERY:
            flush()

    def go_on() -> None:
        if stop.is_set():
            raise Stopped

    try:
        found = _hunt(quest, job, tell, go_on)
        flush()
        last = _Heard(job=job, is_over=True, found=found)
    except Stopped:
        last = _Heard(job=job, is_over=True)
    except LabError as error:
        last = _Heard(job=job, is_over=True, failed=str(error))
    said.put(msgspec.json.encode(last))


def _listen(
    workers: Sequence[BaseProcess],
    said: Queue[bytes],
    stop: Event,
    told: Callable[[Counter[str]], None],
    outcomes: Counter[str],
) -> Found | None:
    """Hear the workers out; the first find, or failure, stops the others."""
    drawn: Counter[str] = Counter()
    running, mourned, found = set(range(len(workers))), set[int](), None
    try:
        while running:
            heard = _hear(workers, running, mourned, said)
            if heard is not None:
                drawn.update(heard.outcomes)
                if heard.failed:
                    raise LabError(f"job {heard.job} of the search failed: {heard.failed}")
                if heard.is_over:
                    running.discard(heard.job)
                if heard.found is not None:
                    found = found or heard.found
                    stop.set()
            told(drawn)
    finally:
        outcomes.update(drawn)
    return found


def _hear(
    workers: Sequence[BaseProcess], running: set[int], mourned: set[int], said: Queue[bytes]
) -> _Heard | None:
    """What is said next, or None. Raises LabError where one has died that did not say its last."""
    for job in running - mourned:
        if not workers[job].is_alive():
            mourned.add(job)
            said.put(msgspec.json.encode(_Heard(job=job, died=True)))
    try:
        heard = msgspec.json.decode(said.get(timeout=_HEAR_S), type=_Heard)
        lost = {heard.job} & running if heard.died else set[int]()
    except queue.Empty:  # it may have died with the queue's lock in its hands
        heard, lost = None, mourned & running
    for job in lost:
        raise LabError(f"job {job} of the search died (exit code {workers[job].exitcode})")
    return heard


def _end(workers: Sequence[BaseProcess], said: Queue[bytes]) -> None:
    """See every worker off; one that does not stop by itself is ended."""
    deadline_s = monotonic() + _END_S
    while any(worker.is_alive() for worker in workers) and monotonic() < deadline_s:
        try:
            said.get(timeout=0.1)  # a worker cannot end before what it said was taken
        except queue.Empty:
            continue
    for worker in workers:
        if worker.is_alive():
            worker.terminate()
        worker.join()
