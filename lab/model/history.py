"""What happened: an append-only record of everything done and seen, written while it happens.

A rollback erases its own evidence (SwarmKit updater.go:607), so nothing that a judge needs may be
asked for afterwards. `history_file` writes and reads its file.

Times are seconds since the world began (``happened_s``: at its source; ``seen_s``: when it reached
us).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, TypeVar

import msgspec

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


class OverlayWritten(msgspec.Struct, frozen=True, kw_only=True, tag="file_laid"):
    """A file that was laid over a commit of the recipe, to the letter."""

    commit: str
    name: str
    text: str


OtherUpdate = Literal["rollback by hand", "removal", "another"]
"""What another operator's update of the service was, as far as the guard could tell."""


class Finding(msgspec.Struct, frozen=True, kw_only=True, tag="finding"):
    """Conclusion of one step of the harness; what follows ``text`` is the guard's alone."""

    step: str
    passed: bool
    text: str
    """For a person."""
    outcome: str | None = None
    """How the update ended: a value of `stamplab.harness.guard.Outcome`."""
    failed_task: str | None = None
    """The task that the update failed by, where it is known."""
    other_update: OtherUpdate | None = None
    """Another operator's update that the sentence names."""


class OperatorActed(msgspec.Struct, frozen=True, kw_only=True, tag="acted"):
    """Somebody else than the harness did something to the service (`lab.faults.operator`)."""

    what: str
    """For a person."""
    operation: str = ""
    """Tag of the operation's class (`faults.operator`); empty where no class is behind it."""
    refused: str = ""
    """The swarm's words, where it would not have it."""


StageEnd = Literal["pass", "fail", "unknown", "skipped"]


class StageBegan(msgspec.Struct, frozen=True, kw_only=True, tag="stage_began"):
    """A stage of the CI run began."""

    stage: str


class StageEnded(msgspec.Struct, frozen=True, kw_only=True, tag="stage_ended"):
    """A stage of the CI run ended; ``reason`` says why if not well."""

    stage: str
    end: StageEnd
    reason: str = ""
    failed_step: str = ""
    """The step of the harness that failed it, by its function's name."""


class Note(msgspec.Struct, frozen=True, kw_only=True, tag="note"):
    """A line of the console."""

    text: str
    stack: str = ""
    """The stack that it is about, where several are played side by side."""


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
    | OverlayWritten
    | Finding
    | OperatorActed
    | StageBegan
    | StageEnded
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
Kind = TypeVar("Kind")


def records_of(history: History, kind: type[Kind]) -> Iterator[tuple[Record, Kind]]:
    """Yield the records of one kind of observation, each with its observation, in order."""
    for record in history:
        what: object = record.what
        if isinstance(what, kind):
            yield record, what


def observations(history: History, kind: type[Kind]) -> list[Kind]:
    """Return all observations of one kind, in order."""
    return [what for _, what in records_of(history, kind)]


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
