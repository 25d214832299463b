"""What happened: an append-only record of everything done and seen, written while it happens.

A rollback erases its own evidence (SwarmKit updater.go:607), so nothing that a judge needs may be
asked for afterwards. One line of JSON a record; a history cut short by ``kill -9`` is still
readable up to its last whole line.

Times are seconds since the world began (``happened_s``: at its source; ``seen_s``: when it reached
us).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import msgspec

from stamplab.lab.errors import LabError
from stamplab.lab.model.swarm import Service, Task


class ServiceSeen(msgspec.Struct, frozen=True, kw_only=True, tag="service"):
    """A service inspected; ``service`` is None where there is none of that name (any more)."""

    name: str
    service: Service | None
    raw: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"null"))
    """The engine's answer, to the letter: a stranger need not trust our parser."""


class TasksSeen(msgspec.Struct, frozen=True, kw_only=True, tag="tasks"):
    """All tasks that the engine lists for a service, old ones included, oldest first."""

    service: str
    tasks: tuple[Task, ...]
    running_since_s: dict[str, float] = {}
    """Since when tasks of them run, where that is known better than by their being listed."""


class EngineEvent(msgspec.Struct, frozen=True, kw_only=True, tag="event"):
    """One line of ``docker events``."""

    kind: str
    action: str
    actor_id: str
    attributes: dict[str, str]


class ContainerEnded(msgspec.Struct, frozen=True, kw_only=True, tag="container_ended"):
    """A container inspected after it died.

    ``oom_killed`` is the engine's word, unreliable on cgroup v1.
    """

    container_id: str
    task_id: str | None
    exit_code: int
    oom_killed: bool
    started_s: float
    finished_s: float
    checks_health: bool | None = None
    """Whether its health is checked: such a task is RUNNING only once healthy."""


class OomKill(msgspec.Struct, frozen=True, kw_only=True, tag="oom_kill"):
    """The kernel's record of one OOM kill inside the lab.

    Whose container, which process, how large.
    """

    container_id: str
    cgroup: str
    limited_cgroup: str
    pid: int
    """In the host's initial pid namespace."""
    process: str
    anon_rss_bytes: int
    usage_bytes: int | None
    limit_bytes: int | None
    lines: tuple[str, ...]
    """The kernel's own lines."""


class MemorySample(msgspec.Struct, frozen=True, kw_only=True, tag="memory"):
    """Memory of the lab's group and of each container in it, as the kernel charges it."""

    usage_bytes: int
    limit_bytes: int | None
    containers: dict[str, int]
    peak_bytes: int | None = None
    """The most that was ever charged to the group."""
    oom_kills: int | None = None
    """The kernel's count of OOM kills in the group and below; None where it keeps none (v1)."""
    stalled_s: float | None = None
    """PSI ``full``: seconds in which all tasks at once waited for memory; None without PSI."""


class LimitSet(msgspec.Struct, frozen=True, kw_only=True, tag="limit_set"):
    """The pressure plan acted: the group's limit was set, and why to that figure."""

    limit_bytes: int | None
    usage_bytes: int
    reason: str


class ClientProbe(msgspec.Struct, frozen=True, kw_only=True, tag="probe"):
    """One request of the client on the stack's network, its name resolved anew."""

    n: int
    ok: bool
    took_ms: float
    version: str | None = None
    address: str | None = None
    error: str | None = None


class CommandRan(msgspec.Struct, frozen=True, kw_only=True, tag="command"):
    """A command and how it ended.

    ``by`` says whose program it was, where a stand-in took another's place.
    """

    argv: tuple[str, ...]
    exit_code: int
    took_s: float
    output: str
    by: str = ""


class Deployed(msgspec.Struct, frozen=True, kw_only=True, tag="deployed"):
    """The deploy command returned: the swarm has taken the stack, or said why not."""

    stack: str
    exit_code: int
    output: str


class PolicyRead(msgspec.Struct, frozen=True, kw_only=True, tag="policy"):
    """The rollout policy that a commit's compose file itself states; None where it is silent."""

    commit: str
    path: str
    service: str
    failure_action: str | None
    order: str | None
    monitor: str | None
    start_period: str | None


class FileLaid(msgspec.Struct, frozen=True, kw_only=True, tag="file_laid"):
    """A file that was laid over a commit of the recipe, to the letter."""

    commit: str
    name: str
    text: str


class Finding(msgspec.Struct, frozen=True, kw_only=True, tag="finding"):
    """What a step of the harness concluded: its name, pass or fail, and its own words."""

    step: str
    passed: bool
    text: str


class Acted(msgspec.Struct, frozen=True, kw_only=True, tag="acted"):
    """Somebody else than the harness did something to the service (`lab.faults.operator`)."""

    what: str
    refused: str = ""
    """The swarm's words, where it would not have it."""


class Note(msgspec.Struct, frozen=True, kw_only=True, tag="note"):
    """A line of the console."""

    text: str


class RecorderLost(msgspec.Struct, frozen=True, kw_only=True, tag="recorder_lost"):
    """A recorder stopped before its time: from here on something may have happened unseen."""

    recorder: str
    reason: str


Observation = (
    ServiceSeen
    | TasksSeen
    | EngineEvent
    | ContainerEnded
    | OomKill
    | MemorySample
    | LimitSet
    | ClientProbe
    | CommandRan
    | Deployed
    | PolicyRead
    | FileLaid
    | Finding
    | Acted
    | Note
    | RecorderLost
)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One observation, in its place."""

    seq: int
    source: str
    happened_s: float
    seen_s: float
    what: Observation


History = Sequence[Record]


def placed(
    seq: int, source: str, what: Observation, seen_s: float, happened_s: float | None
) -> Record:
    """Give an observation its place; it happened when it was seen, where nothing else is known."""
    return Record(
        seq=seq,
        source=source,
        happened_s=round(seen_s if happened_s is None else happened_s, 6),
        seen_s=round(seen_s, 6),
        what=what,
    )


class HistoryWriter:
    """Gives every observation its place, writes it down at once, and hands it to whoever waits.

    Any thread may append; one reader takes. A full disk does not lose the records already written:
    it is reported by the next `take`, as a LabError. ``on_record`` is told of every record, in
    order.
    """

    def __init__(
        self,
        path: Path,
        now_s: Callable[[], float],
        on_record: Callable[[Record], None] = lambda _: None,
    ) -> None:
        self.path = path
        self._now_s = now_s
        self._on_record = on_record
        try:
            self._file: TextIO = path.open("a", encoding="utf-8")
        except OSError as error:
            raise LabError(f"the history {path} cannot be begun: {error.strerror}") from error
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._waiting: deque[Record] = deque()
        self._next_seq = 0
        self._failure: LabError | None = None

    def append(self, source: str, what: Observation, happened_s: float | None = None) -> None:
        """Record one observation, seen now."""
        with self._lock:
            record = placed(self._next_seq, source, what, self._now_s(), happened_s)
            self._next_seq += 1
            self._write(record)
            self._waiting.append(record)
            self._arrived.notify_all()

    def fail(self, error: LabError) -> None:
        """Make the reader raise ``error`` (the first one wins): the apparatus cannot go on."""
        with self._lock:
            self._failure = self._failure or error
            self._arrived.notify_all()

    def take(self, timeout_s: float) -> Record | None:
        """Return the oldest record not yet taken, or None after ``timeout_s``.

        Raises LabError on failure.
        """
        with self._lock:
            self._arrived.wait_for(lambda: self._waiting or self._failure, max(0.0, timeout_s))
            if self._failure is not None:
                raise self._failure
            return self._waiting.popleft() if self._waiting else None

    def close(self) -> None:
        """Close the file.

        Appending afterwards is an error of the caller, and is reported by `take`.
        """
        with self._lock, suppress(OSError):  # a full disk was reported when it was met
            self._file.close()

    def _write(self, record: Record) -> None:
        if self._failure is not None:
            return
        line = line_of(record).decode()
        try:
            self._file.write(line)
            self._file.flush()
        except (OSError, ValueError) as error:
            self._failure = LabError(
                f"the history could not be written to {self.path} ({error}): "
                "free some space or choose another --runs folder"
            )
            return
        try:
            self._on_record(record)
        except OSError as error:
            self._failure = LabError(f"record {record.seq} could not be shown: {error}")


def line_of(record: Record) -> bytes:
    """A record as the one line that it is in a history's file."""
    # A line break in the engine's own JSON can only be space between its parts.
    return msgspec.json.encode(record).replace(b"\n", b" ") + b"\n"


def read_history(path: Path) -> tuple[list[Record], bool]:
    """Read a history back: the records, and whether the file ends in the middle of one.

    Raises LabError where there is none, or where a line other than the last is damaged.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise LabError(f"no history can be read at {path}: {error.strerror}") from error
    torn = lines.pop() != b""
    decoder = msgspec.json.Decoder(Record)
    records: list[Record] = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(decoder.decode(line))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise LabError(f"{path}, line {number} is damaged: {error}") from error
    return records, torn
