"""A service as an operator asks for it: one value, for a docker client and for a virtual swarm."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from stamplab.lab.model.service_spec import SpecValues, create_flags, to_json, update_flags
from stamplab.lab.model.swarm import STACK_LABEL, UpdatePolicy

STAMP = "stamp"
"""The service label by which one deploy is told from another."""
SERVE = ("/bin/stampload", "serve")
PROBE = "/bin/stampload probe"
ABSENT = "stamplab/absent:1"
"""An image that no machine of ours has."""
START_FIRST = UpdatePolicy(order="start-first", failure_action="rollback")
_MIB = 1024 * 1024
_WAITING = ("--detach=false", "--no-resolve-image")
Value = TypeVar("Value", bound=msgspec.Struct)


class HealthCheck(msgspec.Struct, frozen=True, kw_only=True):
    """How a task's health is asked; a task with a health check is RUNNING only once healthy."""

    interval_s: float = 0.5
    retries: int = 3


class ServiceRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A service whose application is the lab's own workload (`lab/workload`)."""

    name: str = "web"
    """Within its stack."""
    stamp: str = "1"
    version: str = "1"
    """What the application answers with. Another version makes other tasks, another stamp none."""
    app: dict[str, str] = {}
    """How the application behaves, by the workload's variables without ``STAMPLOAD_``."""
    fault_slot: int | None = None
    """The one slot whose tasks fail as ``app`` says; None: all do."""
    absent: bool = False
    """Whether its image cannot be had."""
    health: HealthCheck | None = HealthCheck()
    replicas: int | None = 1
    """None: one a node (global mode)."""
    update: UpdatePolicy = START_FIRST
    rollback: UpdatePolicy = UpdatePolicy(monitor_s=1.0)
    restart: str = "any"
    restart_delay_s: float = 5.0
    stop_grace_s: float | None = None
    reserve_share: float = 0.0
    """Memory that it reserves, as a share of the node's."""
    constraint: str = ""
    """Where it may run; empty: anywhere."""

    def named(self, stack: str) -> str:
        """Return the service's whole name."""
        return f"{stack}_{self.name}"

    @property
    def environment(self) -> tuple[str, ...]:
        """All variables of its tasks."""
        own = {"VERSION": self.version, **self.app}
        if self.fault_slot is not None:
            own |= {"FAULT_SLOT": str(self.fault_slot), "SLOT": "{{.Task.Slot}}"}
        return tuple(f"STAMPLOAD_{name}={value}" for name, value in sorted(own.items()))

    def values(self, stack: str, image: str, memory_bytes: int) -> SpecValues:
        """Its fields on a node of so much memory that has ``image``, by `service_spec.FIELDS`."""
        check = self.health
        reserved_bytes = int(self.reserve_share * memory_bytes) // _MIB * _MIB
        return {
            "name": self.named(stack),
            "labels": {STACK_LABEL: stack, STAMP: self.stamp},
            "mode": "global" if self.replicas is None else None,
            "replicas": self.replicas,
            **policy_values("update", self.update),
            **policy_values("rollback", self.rollback),
            "restart.condition": self.restart,
            "restart.delay_s": self.restart_delay_s,
            "environment": self.environment,
            "health.test": PROBE if check else None,
            "health.interval_s": check.interval_s if check else None,
            "health.retries": check.retries if check else None,
            "stop_grace_s": self.stop_grace_s,
            "reserved_bytes": reserved_bytes or None,
            "constraints": (self.constraint,) if self.constraint else None,
            "image": ABSENT if self.absent else image,
            "arguments": SERVE,
        }

    def create_command(self, stack: str, image: str, memory_bytes: int) -> tuple[str, ...]:
        """``docker service create`` and its arguments, for a service that is waited for."""
        values = self.values(stack, image, memory_bytes)
        own = ABSENT if self.absent else image
        return ("service", "create", *_WAITING, *create_flags(values), own, *SERVE)

    def update_command(
        self, before: ServiceRequest, stack: str, image: str, memory_bytes: int
    ) -> tuple[str, ...]:
        """``docker service update`` and its arguments, for what differs from ``before``.

        Raises ValueError for a change that no update can make.
        """
        values = [request.values(stack, image, memory_bytes) for request in (before, self)]
        return ("service", "update", *_WAITING, *update_flags(*values), self.named(stack))

    def spec_json(self, stack: str, image: str, memory_bytes: int) -> bytes:
        """Return the service spec (JSON of the Docker API) that those commands send."""
        spec: dict[str, Any] = {
            "TaskTemplate": {"Placement": {}, "Resources": {}},
            "EndpointSpec": {"Mode": "vip"},
        }
        return msgspec.json.encode(to_json(self.values(stack, image, memory_bytes), spec))


def policy_values(name: str, policy: UpdatePolicy) -> SpecValues:
    """Return an update policy's fields; ``name`` is ``update`` or ``rollback``."""
    return {f"{name}.{field}": getattr(policy, field) for field in policy.__struct_fields__}


def changed(value: Value, **changes: Any) -> Value:
    """Return the same value but for ``changes``."""
    return msgspec.structs.replace(value, **changes)


def next_version(request: ServiceRequest, **changes: Any) -> ServiceRequest:
    """Return the service's next release: another stamp, another version, and ``changes``."""
    return changed(request, **{"stamp": "2", "version": "2", **changes})
