"""Builders of the swarm's nouns and of made histories.

What a test does not name gets a plain default: one service of one stack, with one replica and
SwarmKit's default policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Self

from stamplab.lab.model.docker_json import failed_task_in
from stamplab.lab.model.history import (
    ClientProbe,
    ContainerEnded,
    Deployed,
    EngineEvent,
    MemorySample,
    Observation,
    OomKill,
    Record,
    ServiceSeen,
    TasksSeen,
)
from stamplab.lab.model.swarm import (
    TERMINAL_TASK_STATES,
    Mode,
    Service,
    ServiceSpec,
    Task,
    UpdatePolicy,
    UpdateStatus,
)

STACK = "shop"
NAME = "shop_app"
STAMP = f"coop-cloud.{STACK}.chaos-version"
MIB = 1024 * 1024

MESSAGES = {
    "updating": "update in progress",
    "completed": "update completed",
    "paused": "update paused due to failure or early termination of task {task}",
    "rollback_started": "update rolled back due to failure or early termination of task {task}",
    "rollback_paused": "rollback paused due to failure or early termination of task {task}",
    "rollback_completed": "rollback completed",
}
"""SwarmKit's own words (updater.go): completion forgets which task failed."""


def policy(*, monitor_s: float = 5.0, delay_s: float = 0.0) -> UpdatePolicy:
    """The incident's policy: start-first, rollback, 5 s."""
    return UpdatePolicy(
        order="start-first", failure_action="rollback", monitor_s=monitor_s, delay_s=delay_s
    )


def spec(
    task: str = "base",
    *,
    stamp: str | None = None,
    labels: Mapping[str, str] | None = None,
    replicas: int | None = 1,
    mode: Mode = "replicated",
    update: UpdatePolicy | None = None,
    restart: str = "any",
    is_probed: bool = False,
) -> ServiceSpec:
    """A spec whose tasks are those of ``task``; stamped with the same word by default.

    Two specs have the same digest exactly when they are the same.
    """
    all_labels = {STAMP: task if stamp is None else stamp, **(labels or {})}
    rollout = policy() if update is None else update
    marks = ",".join(f"{name}={value}" for name, value in sorted(all_labels.items()))
    return ServiceSpec(
        labels=all_labels,
        image=f"image:{task}",
        mode=mode,
        replicas=None if mode == "global" else replicas,
        update=rollout,
        rollback=UpdatePolicy(),
        digest=f"{task}/{mode}/{replicas}/{rollout}/{marks}",
        task_digest=task,
        restart=restart,
        is_probed=is_probed,
    )


BASE = spec("base")
HEAD = spec("head")
THIRD = spec("third")
RELABELLED = spec("base", stamp="head")
"""The base with another stamp and nothing else: it touches no task."""


def status(
    state: str, started: str = "t1", *, task: str = "new", message: str | None = None
) -> UpdateStatus:
    """An update's status in SwarmKit's words; ``started`` tells one update from another."""
    words = MESSAGES[state].format(task=task) if message is None else message
    return UpdateStatus(
        state=state, message=words, started_at=started, failed_task=failed_task_in(words)
    )


def service(
    present: ServiceSpec = BASE,
    previous: ServiceSpec | None = None,
    update: UpdateStatus | str | None = None,
    *,
    service_id: str = "service1",
    name: str = NAME,
) -> Service:
    """A service as inspected; an update given as a word alone is the one that began at ``t1``."""
    return Service(
        id=service_id,
        name=name,
        version=1,
        spec=present,
        previous_spec=previous,
        update_status=status(update) if isinstance(update, str) else update,
    )


def task(
    task_id: str,
    of: ServiceSpec = BASE,
    state: str = "running",
    *,
    desired: str | None = None,
    error: str = "",
    exit_code: int | None = None,
    slot: int = 1,
) -> Task:
    """A task of a spec; one that has ended is meant to be shut down, any other to run."""
    ended = state in TERMINAL_TASK_STATES
    return Task(
        id=task_id,
        service_id="service1",
        slot=slot,
        desired_state=desired or ("shutdown" if ended else "running"),
        state=state,
        spec_digest=of.task_digest,
        image=of.image,
        created_unix_s=0.0,
        status_unix_s=0.0,
        error=error,
        container_id=f"container-{task_id}",
        exit_code=exit_code,
    )


def seen(what: Service | None, *, name: str = NAME) -> ServiceSeen:
    """The service inspected; None where there is none."""
    return ServiceSeen(name=name, service=what)


def listed(*tasks: Task, name: str = NAME, since_s: Mapping[str, float] | None = None) -> TasksSeen:
    """The service's tasks listed; and since when some of them run, where that is known."""
    return TasksSeen(service=name, tasks=tasks, running_since_s=dict(since_s or {}))


def deployed(exit_code: int = 0, output: str = "") -> Deployed:
    """The deploy command returned."""
    return Deployed(stack=STACK, exit_code=exit_code, output=output)


def probe(n: int = 1, *, ok: bool = True, version: str | None = "base") -> ClientProbe:
    """One client's request."""
    return ClientProbe(
        n=n,
        ok=ok,
        took_ms=1.0,
        version=version if ok else None,
        error=None if ok else "connection refused",
    )


def oom_kill(
    task_id: str, *, rss_bytes: int = 200 * MIB, limit_bytes: int | None = None
) -> OomKill:
    """The kernel's record that it killed a process in a task's container."""
    container = f"container-{task_id}"
    return OomKill(
        container_id=container,
        cgroup=f"/docker/{container}",
        limited_cgroup="/docker",
        pid=4711,
        process="stampload",
        anon_rss_bytes=rss_bytes,
        usage_bytes=limit_bytes,
        limit_bytes=limit_bytes,
        lines=(),
    )


def ended(task_id: str, exit_code: int, *, began_s: float, ended_s: float) -> ContainerEnded:
    """A task's container inspected after its death."""
    return ContainerEnded(
        container_id=f"container-{task_id}",
        task_id=task_id,
        exit_code=exit_code,
        oom_killed=False,
        started_s=began_s,
        finished_s=ended_s,
    )


def container_event(task_id: str, action: str) -> EngineEvent:
    """A line of ``docker events`` on a task's container."""
    return EngineEvent(
        kind="container", action=action, actor_id=f"container-{task_id}", attributes={}
    )


def memory(
    limit_bytes: int | None = None, *, oom_kills: int | None = None, **tasks: int
) -> MemorySample:
    """Memory by task id."""
    return MemorySample(
        usage_bytes=sum(tasks.values()),
        limit_bytes=limit_bytes,
        containers={f"container-{name}": used for name, used in tasks.items()},
        oom_kills=oom_kills,
    )


class Story:
    """A history built line by line: what was observed, and at which second."""

    def __init__(self, *moments: tuple[float, Observation]) -> None:
        self.records: list[Record] = []
        self.at_all(moments)

    def at(self, seen_s: float, *what: Observation) -> Self:
        """Go on: at this second all this was seen, in this order."""
        for observation in what:
            self.records.append(
                Record(
                    seq=len(self.records),
                    source="story",
                    happened_s=seen_s,
                    seen_s=seen_s,
                    what=observation,
                )
            )
        return self

    def at_all(self, moments: Iterable[tuple[float, Observation]]) -> Self:
        """Go on with several moments."""
        for at_s, what in moments:
            self.at(at_s, what)
        return self

    def but(self, seq: int, *instead: Observation) -> Story:
        """The same story with one record left out, or others in its place."""
        changed = Story()
        for record in self.records:
            what = instead if record.seq == seq else (record.what,)
            changed.at(record.seen_s, *what)
        return changed

    def without(self, *kinds: type[Observation]) -> Story:
        """The same story without observations of some kinds."""
        kept = [record for record in self.records if not isinstance(record.what, kinds)]
        return Story(*((record.seen_s, record.what) for record in kept))


def records(*moments: tuple[float, Observation]) -> list[Record]:
    """A story's records."""
    return Story(*moments).records
