"""A service as an operator wants it: one value, said to a docker client and to a virtual swarm."""

from __future__ import annotations

from typing import Any

import msgspec

from stamplab.lab.model.docker_json import NANOSECONDS_PER_SECOND
from stamplab.lab.model.swarm import STACK_LABEL
from stamplab.lab.recipe.durations import format_milliseconds

STAMP = "stamp"
"""The service label by which one deploy is told from another."""
SERVE = ("/bin/stampload", "serve")
PROBE = "/bin/stampload probe"
ABSENT = "stamplab/absent:1"
"""An image that no machine of ours has."""
_UNCHANGEABLE = (
    "name",
    "health",
    "order",
    "failure_action",
    "monitor_s",
    "delay_s",
    "parallelism",
    "rollback_monitor_s",
    "restart",
    "stop_grace_s",
    "reserve_share",
)


class Probing(msgspec.Struct, frozen=True, kw_only=True):
    """How a task's health is asked; a task with a health check is RUNNING only once healthy."""

    interval_s: float = 0.5
    retries: int = 3


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A service whose application is the lab's own workload (`lab/workload`)."""

    name: str = "web"
    """Within its stack."""
    stamp: str = "1"
    version: str = "1"
    """What the application answers with: another one makes other tasks, another stamp does not."""
    app: dict[str, str] = {}
    """How the application behaves, by the workload's variables without ``STAMPLOAD_``."""
    absent: bool = False
    """Whether its image cannot be had."""
    health: Probing | None = Probing()
    replicas: int | None = 1
    """None: one a node (global mode)."""
    order: str = "start-first"
    failure_action: str = "rollback"
    monitor_s: float = 5.0
    delay_s: float = 0.0
    parallelism: int = 1
    rollback_monitor_s: float = 1.0
    restart: str = "any"
    stop_grace_s: float | None = None
    reserve_share: float = 0.0
    """Memory that it reserves, as a share of the node's."""
    constraint: str = ""
    """Where it may run; empty: anywhere."""

    def named(self, stack: str) -> str:
        """The service's whole name."""
        return f"{stack}_{self.name}"

    @property
    def environment(self) -> tuple[str, ...]:
        """All variables of its tasks."""
        own = {"VERSION": self.version, **self.app}
        return tuple(f"STAMPLOAD_{name}={value}" for name, value in sorted(own.items()))


def changed(wanted: Wanted, **changes: Any) -> Wanted:
    """The same service, wanted otherwise; with the stamp and the version of its change."""
    return msgspec.structs.replace(wanted, **changes)


def create_flags(wanted: Wanted, stack: str, image: str, memory_bytes: int) -> tuple[str, ...]:
    """``docker service create`` and its arguments, for a service that is waited for."""
    mode = ["--mode", "global"] if wanted.replicas is None else ["--replicas", str(wanted.replicas)]
    flags = ["--name", wanted.named(stack), "--label", f"{STACK_LABEL}={stack}"]
    flags += ["--label", f"{STAMP}={wanted.stamp}", *mode, "--restart-condition", wanted.restart]
    for variable in wanted.environment:
        flags += ["--env", variable]
    flags += ["--update-order", wanted.order, "--update-failure-action", wanted.failure_action]
    flags += ["--update-monitor", format_milliseconds(wanted.monitor_s)]
    flags += ["--update-delay", format_milliseconds(wanted.delay_s)]
    flags += ["--update-parallelism", str(wanted.parallelism)]
    flags += ["--rollback-monitor", format_milliseconds(wanted.rollback_monitor_s)]
    if wanted.health is not None:
        flags += ["--health-cmd", PROBE, "--health-retries", str(wanted.health.retries)]
        flags += ["--health-interval", format_milliseconds(wanted.health.interval_s)]
    if wanted.stop_grace_s is not None:
        flags += ["--stop-grace-period", format_milliseconds(wanted.stop_grace_s)]
    if wanted.reserve_share:
        flags += ["--reserve-memory", str(_reserved_bytes(wanted, memory_bytes))]
    if wanted.constraint:
        flags += ["--constraint", wanted.constraint]
    return ("service", "create", *_WAITING, *flags, _image(wanted, image), *SERVE)


def update_flags(before: Wanted, after: Wanted, stack: str, image: str) -> tuple[str, ...]:
    """``docker service update`` and its arguments, for the change from one to the other.

    Raises ValueError for a change that no scenario needs.
    """
    for name in _UNCHANGEABLE:
        if getattr(before, name) != getattr(after, name):
            raise ValueError(f"a deploy does not change {name}")
    old, new = set(before.environment), set(after.environment)
    gone = {one.partition("=")[0] for one in old} - {one.partition("=")[0] for one in new}
    flags: list[str] = []
    for name in sorted(gone):
        flags += ["--env-rm", name]
    for variable in sorted(new - old):
        flags += ["--env-add", variable]
    if before.stamp != after.stamp:
        flags += ["--label-add", f"{STAMP}={after.stamp}"]
    if before.absent != after.absent:
        flags += ["--image", _image(after, image)]
    if before.replicas != after.replicas:
        flags += ["--replicas", str(after.replicas)]
    if before.constraint != after.constraint:
        flags += ["--constraint-rm", before.constraint] if before.constraint else []
        flags += ["--constraint-add", after.constraint] if after.constraint else []
    return ("service", "update", *_WAITING, *flags, after.named(stack))


def spec_of(wanted: Wanted, stack: str, image: str, memory_bytes: int) -> bytes:
    """The service spec (JSON of the Docker API) that those commands send."""
    container: dict[str, Any] = {
        "Image": _image(wanted, image),
        "Args": list(SERVE),
        "Env": list(wanted.environment),
    }
    if wanted.health is not None:
        container["Healthcheck"] = {
            "Test": ["CMD-SHELL", PROBE],
            "Interval": _nanoseconds(wanted.health.interval_s),
            "Retries": wanted.health.retries,
        }
    if wanted.stop_grace_s is not None:
        container["StopGracePeriod"] = _nanoseconds(wanted.stop_grace_s)
    template: dict[str, Any] = {
        "ContainerSpec": container,
        "RestartPolicy": {"Condition": wanted.restart, "Delay": _nanoseconds(5.0)},
        "Placement": {"Constraints": [wanted.constraint]} if wanted.constraint else {},
        "Resources": {},
    }
    if wanted.reserve_share:
        reserved = {"MemoryBytes": _reserved_bytes(wanted, memory_bytes)}
        template["Resources"] = {"Reservations": reserved}
    is_global = wanted.replicas is None
    rollback = {"Parallelism": 1, "FailureAction": "pause", "Order": "stop-first"}
    spec = {
        "Name": wanted.named(stack),
        "Labels": {STACK_LABEL: stack, STAMP: wanted.stamp},
        "TaskTemplate": template,
        "Mode": {"Global": {}} if is_global else {"Replicated": {"Replicas": wanted.replicas}},
        "UpdateConfig": {
            "Parallelism": wanted.parallelism,
            "Delay": _nanoseconds(wanted.delay_s),
            "FailureAction": wanted.failure_action,
            "Monitor": _nanoseconds(wanted.monitor_s),
            "Order": wanted.order,
        },
        "RollbackConfig": {**rollback, "Monitor": _nanoseconds(wanted.rollback_monitor_s)},
        "EndpointSpec": {"Mode": "vip"},
    }
    return msgspec.json.encode(spec)


_WAITING = ("--detach=false", "--no-resolve-image")


def _image(wanted: Wanted, image: str) -> str:
    return ABSENT if wanted.absent else image


def _reserved_bytes(wanted: Wanted, memory_bytes: int) -> int:
    mib = 1024 * 1024
    return int(wanted.reserve_share * memory_bytes) // mib * mib


def _nanoseconds(seconds: float) -> int:
    return round(seconds * NANOSECONDS_PER_SECOND)
