"""A scripted world in virtual seconds: one swarm of one node, far simpler than a real one.

It reads the compose files that it is given (the recipe's, the overlays, the labels), so whatever
the harness lays over a recipe has its effect here. What an update comes to is the script's to say.
"""

from __future__ import annotations

import heapq
import re
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import count
from string import Template
from typing import Any

import msgspec
import yaml

from stamplab.lab.faults.operator import Act, Deed, SetLimit
from stamplab.lab.model.history import (
    ClientProbe,
    ContainerEnded,
    Deployed,
    EngineEvent,
    LimitSet,
    MemorySample,
    Observation,
    OomKill,
    Record,
    ServiceSeen,
    TasksSeen,
)
from stamplab.lab.model.swarm import Service, ServiceSpec, Task, UpdatePolicy, UpdateStatus
from stamplab.lab.world import Deployer, Stack
from tests import builders

PROBE_EVERY_S = 0.5
BOOT_S = 2.0
OOM_AFTER_S = 1.5
OVERHEAD_BYTES = 10_000


class ResolvedService(msgspec.Struct, frozen=True):
    """One service of a stack, resolved from its compose files."""

    spec: ServiceSpec
    version: str
    steady_bytes: int
    peak_bytes: int


DeployEffect = Callable[["FakeWorld", str, ResolvedService], Deployed | None]
"""What one deploy of the heavy service comes to; an answer of its own is a refusal."""


class FakeWorld:
    """A world; ``effects`` are those of the heavy service's deploys, the last one repeating."""

    def __init__(self, *effects: DeployEffect, heavy: str = "app") -> None:
        self.history: list[Record] = []
        self.services: dict[str, Service] = {}
        self.tasks: dict[str, list[Task]] = {}
        self.limit_bytes: int | None = None
        self.stacks: list[Stack] = []
        self.provided: list[Stack] = []
        self.answers = True
        self._resolved: dict[str, ResolvedService] = {}
        self._effects = deque(effects)
        self._heavy = heavy
        self._now_s = 0.0
        self._unread: deque[Record] = deque()
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count(1)

    # What a world offers.

    def now_s(self) -> float:
        return self._now_s

    def next(self, until_s: float) -> Record | None:
        while not self._unread:
            if not self._agenda or self._agenda[0][0] > until_s:
                self._now_s = max(self._now_s, until_s)
                return None
            at_s, _, action = heapq.heappop(self._agenda)
            self._now_s = max(self._now_s, at_s)
            action()
        return self._unread.popleft()

    def provide(self, stack: Stack) -> None:
        self.provided.append(stack)

    def apply(self, stack: Stack, deployer: Deployer | None = None) -> Deployed:
        self.stacks.append(stack)
        answer = Deployed(stack=stack.name, exit_code=0, output="")
        for service, resolved in resolve(stack).items():
            name = f"{stack.name}_{service}"
            self._resolved[resolved.spec.task_digest] = resolved
            if service == self._heavy:
                effect = self._effects[0] if len(self._effects) == 1 else self._effects.popleft()
                answer = effect(self, name, resolved) or answer
            elif name not in self.services:
                self.put(name, resolved.spec)
                self.run_task(name, resolved.spec, "running")
        self.record(answer)
        self.look(stack.name)
        if len(self.stacks) == 1:
            self.later(PROBE_EVERY_S, self._probe)
        return answer

    def inspect(self, service: str) -> Service | None:
        self.record(ServiceSeen(name=service, service=self.services.get(service)))
        return self.services.get(service)

    def look(self, stack: str) -> None:
        for name in sorted(self.services):
            if name.startswith(f"{stack}_"):
                self.inspect(name)
                self._list(name)

    def usage_bytes(self) -> int:
        return OVERHEAD_BYTES + sum(
            self._resolved[task.spec_digest].steady_bytes
            for tasks in self.tasks.values()
            for task in tasks
            if task.state == "running"
        )

    def set_limit(self, limit_bytes: int | None, reason: str) -> None:
        self.limit_bytes = limit_bytes
        usage_bytes = self.usage_bytes()
        self.record(LimitSet(limit_bytes=limit_bytes, usage_bytes=usage_bytes, reason=reason))

    def schedule(self, service: str, acts: Sequence[Act]) -> None:
        for act in acts:
            self.later(act.after_s, partial(self._perform, service, act.what))

    def cancel_scheduled(self) -> None:
        self._agenda.clear()

    def record(self, what: Observation) -> None:
        record = Record(
            seq=len(self.history),
            source="fake",
            happened_s=self._now_s,
            seen_s=self._now_s,
            what=what,
        )
        self.history.append(record)
        self._unread.append(record)

    def _perform(self, service: str, what: Deed) -> None:
        if not isinstance(what, SetLimit):
            raise NotImplementedError(
                f"{what} upon {service}: an effect has to say what it comes to"
            )
        self.set_limit(what.limit_bytes, what.reason)

    # What effects are made of.

    def later(self, after_s: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self._now_s + after_s, next(self._numbers), action))

    def put(
        self,
        name: str,
        spec: ServiceSpec,
        previous: ServiceSpec | None = None,
        status: UpdateStatus | None = None,
    ) -> None:
        self.services[name] = Service(
            id=f"id-{name}",
            name=name,
            version=len(self.history),
            spec=spec,
            previous_spec=previous,
            update_status=status,
        )
        self.inspect(name)

    def run_task(self, name: str, spec: ServiceSpec, state: str) -> str:
        task_id = f"task{next(self._numbers)}"
        new = Task(
            id=task_id,
            service_id=f"id-{name}",
            slot=1,
            desired_state="running",
            state=state,
            spec_digest=spec.task_digest,
            image=spec.image,
            created_unix_s=self._now_s,
            status_unix_s=self._now_s,
            container_id=f"container-{task_id}",
        )
        self.tasks.setdefault(name, []).append(new)
        self._list(name)
        return task_id

    def move_task(self, name: str, task_id: str, state: str, error: str = "") -> None:
        desired = "running" if state in {"starting", "pending", "running"} else "shutdown"
        self.tasks[name] = [
            msgspec.structs.replace(task, state=state, desired_state=desired, error=error)
            if task.id == task_id
            else task
            for task in self.tasks[name]
        ]
        self._list(name)

    def stop_others(self, name: str, task_id: str) -> None:
        for task in self.tasks[name]:
            if task.id != task_id and task.state == "running":
                self.move_task(name, task.id, "shutdown")

    def _list(self, name: str) -> None:
        self.record(TasksSeen(service=name, tasks=tuple(self.tasks.get(name, ()))))

    def _probe(self) -> None:
        running = [
            task
            for name, tasks in self.tasks.items()
            for task in tasks
            if self.answers and task.state == "running" and name.endswith(f"_{self._heavy}")
        ]
        version = self._resolved[running[0].spec_digest].version if running else None
        error = None if running else "connection refused"
        number = next(self._numbers)
        self.record(
            ClientProbe(n=number, ok=bool(running), took_ms=1.0, version=version, error=error)
        )
        self.later(PROBE_EVERY_S, self._probe)


# Fates.


def comes_up(world: FakeWorld, name: str, resolved: ResolvedService) -> None:
    """It boots; an update completes when its monitor is over."""
    spec, base = resolved.spec, world.services.get(name)
    status = builders.status("updating")
    if base is None:
        world.put(name, spec)
    else:
        world.put(name, spec, base.spec, status)
    new = world.run_task(name, spec, "starting")
    if spec.update.order == "stop-first":
        world.stop_others(name, new)

    def up() -> None:
        world.move_task(name, new, "running")
        world.stop_others(name, new)

    def done() -> None:
        if base is not None:
            completed = builders.status("completed")
            world.put(name, spec, base.spec, completed)

    world.later(BOOT_S, up)
    world.later(BOOT_S + spec.update.monitor_s, done)


def is_oom_killed(world: FakeWorld, name: str, resolved: ResolvedService) -> None:
    """Its task is OOM-killed before it runs; the swarm rolls back, and OLD serves all the while."""
    base = world.services[name].spec
    blame = _failed_while_starting(world, name, resolved)
    _rolls_back(world, name, base, blame, after_s=OOM_AFTER_S)


def _rolls_back(
    world: FakeWorld, name: str, base: ServiceSpec, blame: str, *, after_s: float
) -> None:
    def rollback(state: str) -> Callable[[], None]:
        return lambda: world.put(name, base, None, builders.status(state, task=blame))

    world.later(after_s, rollback("rollback_started"))
    world.later(after_s + 1.0, rollback("rollback_completed"))


def is_paused(world: FakeWorld, name: str, resolved: ResolvedService) -> None:
    """Its task fails, and failure_action is pause."""
    base = world.services[name].spec
    blame = _failed_while_starting(world, name, resolved)
    paused = builders.status("paused", task=blame)
    world.later(OOM_AFTER_S, lambda: world.put(name, resolved.spec, base, paused))


def stays_pending(world: FakeWorld, name: str, resolved: ResolvedService) -> None:
    """No node suits its task: the swarm waits for ever."""
    base = world.services.get(name)
    status = builders.status("updating")
    world.put(name, resolved.spec, base.spec if base else None, status if base else None)
    world.run_task(name, resolved.spec, "pending")


def is_refused(world: FakeWorld, name: str, resolved: ResolvedService) -> Deployed:
    """The swarm does not take it."""
    del world, resolved
    stack = name.rpartition("_")[0]
    return Deployed(stack=stack, exit_code=1, output="invalid reference format\n")


def _starts(world: FakeWorld, name: str, resolved: ResolvedService) -> str:
    """An update begins: its first task, and where the order says so the old one's end."""
    updating = builders.status("updating")
    world.put(name, resolved.spec, world.services[name].spec, updating)
    new = world.run_task(name, resolved.spec, "starting")
    if resolved.spec.update.order == "stop-first":
        world.stop_others(name, new)
    return new


def vanishes(world: FakeWorld, name: str, resolved: ResolvedService) -> None:
    """Somebody removes the service right away."""
    del resolved
    world.services.pop(name, None)
    world.tasks.pop(name, None)
    world.inspect(name)


def loses_its_stamp(world: FakeWorld, name: str, resolved: ResolvedService) -> None:
    """The swarm takes other labels than those that were stamped."""
    others = {label: f"not {value}" for label, value in resolved.spec.labels.items()}
    spec = msgspec.structs.replace(resolved.spec, labels=others)
    comes_up(world, name, msgspec.structs.replace(resolved, spec=spec))


def comes_up_mute(world: FakeWorld, name: str, resolved: ResolvedService) -> None:
    """It converges, and clients get no answer from then on."""
    world.answers = False
    comes_up(world, name, resolved)


def comes_late(world: FakeWorld, name: str, resolved: ResolvedService) -> None:
    """The swarm takes it, and shows it only seconds later."""
    world.later(3.0, lambda: comes_up(world, name, resolved))


def _failed_while_starting(world: FakeWorld, name: str, resolved: ResolvedService) -> str:
    new = _starts(world, name, resolved)
    container = f"container-{new}"
    began_s = world.now_s()
    world.record(EngineEvent(kind="container", action="start", actor_id=container, attributes={}))

    def fail() -> None:
        limit = world.limit_bytes
        old = {task.container_id or "": resolved.steady_bytes for task in world.tasks[name][:-1]}
        used = {**old, container: resolved.peak_bytes}
        world.record(MemorySample(usage_bytes=limit or 0, limit_bytes=limit, containers=used))
        world.record(
            OomKill(
                container_id=container,
                cgroup=f"/docker/{container}",
                limited_cgroup="/docker",
                pid=4711,
                process="stampload",
                anon_rss_bytes=resolved.peak_bytes,
                usage_bytes=limit,
                limit_bytes=limit,
                lines=(),
            )
        )
        world.record(
            ContainerEnded(
                container_id=container,
                task_id=new,
                exit_code=137,
                oom_killed=False,
                started_s=began_s,
                finished_s=world.now_s(),
            )
        )
        world.move_task(name, new, "failed")

    world.later(OOM_AFTER_S, fail)
    return new


# Compose files, as far as the recipe and the overlays use them.


def resolve(stack: Stack) -> dict[str, ResolvedService]:
    """Resolve a stack's files, the last one winning."""
    services: dict[str, dict[str, Any]] = {}
    for file in stack.compose_files:
        text = Template(file.read_text()).safe_substitute(stack.environment)
        for name, part in yaml.safe_load(text)["services"].items():
            services[name] = _merged(services.get(name, {}), part)
    return {name: _resolve_service(service) for name, service in services.items()}


def _merged(under: Any, over: Any) -> Any:
    under, over = _mapping(under), _mapping(over)
    if isinstance(under, dict) and isinstance(over, dict):
        common = {key: _merged(under[key], over[key]) for key in under.keys() & over.keys()}
        return {**under, **over, **common}
    return over


def _mapping(value: Any) -> Any:
    """A list of ``key=value`` is a mapping written otherwise."""
    if isinstance(value, list) and value and all("=" in str(item) for item in value):
        return dict(str(item).split("=", 1) for item in value)
    return value


def _resolve_service(service: dict[str, Any]) -> ResolvedService:
    deploy = _mapping(service.get("deploy", {}))
    labels = {str(key): str(value) for key, value in _mapping(deploy.get("labels", {})).items()}
    task = {key: value for key, value in service.items() if key != "deploy"}
    config = deploy.get("update_config", {})
    environment = _mapping(service.get("environment", {}))
    return ResolvedService(
        spec=ServiceSpec(
            labels=labels,
            image=service["image"],
            mode="replicated",
            replicas=1,
            update=UpdatePolicy(
                order=config.get("order", "stop-first"),
                failure_action=config.get("failure_action", "pause"),
                monitor_s=_seconds(config.get("monitor", "5s")),
            ),
            rollback=UpdatePolicy(),
            digest=_digest((task, deploy)),
            task_digest=_digest(task),
        ),
        version=str(environment.get("STAMPLOAD_VERSION", "")),
        steady_bytes=int(environment.get("STAMPLOAD_STEADY_BYTES", 0)),
        peak_bytes=int(environment.get("STAMPLOAD_PEAK_BYTES", 0)),
    )


def _digest(value: object) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


def _seconds(duration: str) -> float:
    amount, unit = re.fullmatch(r"(\d+)(ms|s)", duration).groups()  # type: ignore[union-attr]
    return int(amount) / (1000 if unit == "ms" else 1)


def texts(history: Iterable[Record], kind: type[Observation]) -> list[str]:
    """What all records of a kind say."""
    return [str(getattr(r.what, "text", "")) for r in history if isinstance(r.what, kind)]
