"""One search in several processes: each share has its own seed, the first find ends them all.

Every process talks to its starter over a connection of its own, so that the death of one can
neither block nor be taken for another's (why no library: ADR 0062).
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from time import monotonic

import msgspec

from stamplab.lab.errors import LabError
from stamplab.lab.support.garbage import collect_rarely
from stamplab.runner.worlds import virtual
from stamplab.search.explorable import explorable_named, schedule_player
from stamplab.search.laws import LAWS
from stamplab.search.schedule import Schedule, read_kept
from stamplab.search.search import BrokenLaw, Search, Stopped
from stamplab.search.strategies import schedules
from stamplab.search.trial import Trial

_REPORT_EVERY = 10
_END_S = 30.0


class SearchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is searched."""

    scenario: str
    laws: tuple[str, ...]
    guard: bool
    examples: int
    jobs: int = 1
    seed: int = 0
    from_scratch: bool = False
    """Leave out the schedules that are known: the search has to find one by itself."""


class SearchResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a search came to."""

    broken: tuple[BrokenLaw, ...]
    """At most one a law."""
    examples: int
    took_s: float
    outcomes: dict[str, int]
    """Of the schedules that were drawn, what became of the upgrade in truth."""

    @property
    def per_second(self) -> float:
        """Schedules a second, all jobs together."""
        return self.examples / self.took_s if self.took_s else 0.0


OnProgress = Callable[[Counter[str], float], None]
"""Is called with the outcomes so far, and after how many seconds."""
OnOutcomes = Callable[[Mapping[str, int]], None]
"""Is called with the outcomes that came since the last call."""


class _Message(msgspec.Struct, frozen=True, kw_only=True):
    """What a share reports to its starter."""

    outcomes: Mapping[str, int] = {}
    is_over: bool = False
    broken: BrokenLaw | None = None
    failed: str = ""


class _Share:
    """One process of a search. Raises OSError where none can be started."""

    def __init__(
        self, job: int, process: BaseProcess, ours: Connection, theirs: Connection
    ) -> None:
        self.job = job
        self.process = process
        self.connection = ours
        process.start()
        theirs.close()  # so that the death of the process ends the connection

    def receive(self) -> _Message:
        """Take the next message. Raises LabError where the process has died instead."""
        try:
            return msgspec.json.decode(self.connection.recv_bytes(), type=_Message)
        except (EOFError, OSError) as error:
            self.process.join(_END_S)
            code = self.process.exitcode
            raise LabError(f"job {self.job} of the search died (exit code {code})") from error

    def stop(self) -> None:
        """Ask the process to play nothing more."""
        with suppress(OSError):  # it may have ended by itself
            self.connection.send_bytes(b"stop")

    def drain(self) -> None:
        """Take what it still sends: a process cannot end before that."""
        with suppress(EOFError, OSError):
            while self.connection.poll():
                self.connection.recv_bytes()


def search(request: SearchRequest, on_progress: OnProgress) -> SearchResult:
    """Search until every law was broken, or the rest of them has held. Raises LabError.

    Each find ends a round; the next one asks for the laws that are left.
    """
    outcomes: Counter[str] = Counter()
    broken: list[BrokenLaw] = []
    began_s, left = monotonic(), list(request.laws)

    def add_outcomes(drawn: Mapping[str, int]) -> None:
        outcomes.update(drawn)
        on_progress(outcomes.copy(), monotonic() - began_s)

    while left:
        seed = request.seed + len(broken) * 97
        round_ = msgspec.structs.replace(request, laws=tuple(left), seed=seed)
        find = _round(round_, add_outcomes)
        if find is None:
            break
        broken.append(find)
        left.remove(find.law)
    return SearchResult(
        broken=tuple(broken),
        examples=outcomes.total(),
        took_s=monotonic() - began_s,
        outcomes=dict(outcomes),
    )


def _round(request: SearchRequest, on_outcomes: OnOutcomes) -> BrokenLaw | None:
    """Search until a law is broken."""
    if request.jobs == 1:
        return _search_share(request, 0, on_outcomes, lambda: None)
    context = multiprocessing.get_context("spawn")
    encoded = msgspec.json.encode(request)
    shares: list[_Share] = []
    try:
        for job in range(request.jobs):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(encoded, job, theirs))
            shares.append(_Share(job, process, ours, theirs))
        return _listen(shares, on_outcomes)
    finally:
        _end(shares)


def _search_share(
    request: SearchRequest, job: int, on_outcomes: OnOutcomes, require_go_on: Callable[[], None]
) -> BrokenLaw | None:
    """Search one job's share. ``require_go_on`` is called before each play, may raise Stopped."""
    drawn: Counter[str] = Counter()

    def play(schedule: Schedule) -> Trial:
        require_go_on()
        return player.play(schedule, guard=request.guard)

    def on_outcome(outcome: str) -> None:
        drawn[outcome] += 1
        if drawn.total() == _REPORT_EVERY:
            on_outcomes(drawn)
            drawn.clear()

    explorable = explorable_named(request.scenario)
    laws = [LAWS[name] for name in request.laws]
    with schedule_player(explorable, virtual()) as player:
        own_search = Search(laws, play, on_outcome, robust=not request.guard)
        if job == 0 and not request.from_scratch:
            files = [path for law in LAWS for path in explorable.known_for(law)]
            known = own_search.known(read_kept(path).schedule for path in files)
            if known is not None:
                return known
        share = request.examples // request.jobs + (job < request.examples % request.jobs)
        broken = own_search.run(schedules(player.stamp_label), share, request.seed + job)
    on_outcomes(drawn)
    return broken


def _work(encoded: bytes, job: int, connection: Connection) -> None:
    """Search one share in a process of its own; report whatever ends it."""
    collect_rarely()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the starter tells this process to stop
    request = msgspec.json.decode(encoded, type=SearchRequest)

    def send(message: _Message) -> None:
        connection.send_bytes(msgspec.json.encode(message))

    def require_go_on() -> None:
        if connection.poll():  # asked to stop; or nobody listens any more
            raise Stopped

    try:
        broken = _search_share(
            request, job, lambda drawn: send(_Message(outcomes=drawn)), require_go_on
        )
        last = _Message(is_over=True, broken=broken)
    except Stopped:
        last = _Message(is_over=True)
    except LabError as error:
        last = _Message(is_over=True, failed=str(error))
    with suppress(OSError):  # the starter has died
        send(last)


def _listen(shares: Sequence[_Share], on_outcomes: OnOutcomes) -> BrokenLaw | None:
    """Hear the shares out; the first find stops the others. Raises LabError for one that failed."""
    running = {share.connection: share for share in shares}
    broken: BrokenLaw | None = None
    while running:
        for connection in wait(list(running)):
            share = next(share for share in shares if share.connection is connection)
            message = share.receive()
            on_outcomes(message.outcomes)
            if message.failed:
                raise LabError(f"job {share.job} of the search failed: {message.failed}")
            if message.is_over:
                del running[share.connection]
            if message.broken is not None:
                broken = broken or message.broken
                for other in running.values():
                    other.stop()
    return broken


def _end(shares: Sequence[_Share]) -> None:
    """See every share off; a process that does not stop by itself is ended."""
    for share in shares:
        share.stop()
    deadline_s = monotonic() + _END_S
    while any(share.process.is_alive() for share in shares) and monotonic() < deadline_s:
        for share in shares:
            share.drain()
        wait([share.process.sentinel for share in shares if share.process.is_alive()], 0.1)
    for share in shares:
        if share.process.is_alive():
            share.process.terminate()
        share.process.join()
        share.connection.close()
