"""The overlay that replaces a recipe's images by the workload.

Policy, labels, networks, secrets, and the health check's command and start period stay the
recipe's. Only what the recipe's own images need (a user, a share of a machine) is overridden.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from stamplab.lab.model.service_spec import SpecValues, to_compose
from stamplab.lab.recipe.commands import commands_of
from stamplab.lab.recipe.compose import Compose, ComposeService, Healthcheck, overlay_text
from stamplab.lab.recipe.durations import parse_seconds
from stamplab.lab.workload.image import COMMAND_SCRIPT, ENTRYPOINT
from stamplab.lab.workload.shape import MemoryShape

OVERLAY_NAME = "compose.standin.yml"
CONFIG_SCRIPT_NAME = "compose.standin.sh"
CONFIG_SCRIPT = COMMAND_SCRIPT
"""Replaces a config that is mounted at the path of a program."""
IMAGE_PREFIX = "stand-in/"
"""The names of the workload's images begin with this."""
PORT = 8080
_MIB = 1024 * 1024
_OVERHEAD_BYTES = 64 * _MIB
"""Memory of a container besides its workload: its shell and its health checks."""
_RESERVATIONS = {"memory": str(4 * _MIB), "cpus": "0.01"}
_DIGEST_DIGITS = 12
_DEFAULT_INTERVAL_S = 30.0
_DEFAULT_RETRIES = 3
_OWN_TIMES = ("monitor_s", "stop_grace_s", "start_period_s")
"""The times of a `Timing` that a recipe states by itself."""
_LIGHT_SHAPE = MemoryShape(steady_bytes=_MIB, peak_bytes=_MIB, boot_s=0.0)


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """The times of a run besides the workload's own, in seconds; None keeps the recipe's."""

    health_interval_s: float = 0.3
    health_timeout_s: float = 10.0
    monitor_s: float | None = None
    """The monitors of update and rollback."""
    stop_grace_s: float | None = None
    """How long a task may take to stop."""
    start_period_s: float | None = None
    """How long failed health checks do not count."""
    retries: int | None = None
    """How many health checks may fail in a row; None gives a task as long as the recipe does."""

    @property
    def task_values(self) -> SpecValues:
        """What concerns a task alone, by the names of the table of a service's fields."""
        return {
            "health.interval_s": self.health_interval_s,
            "health.timeout_s": self.health_timeout_s,
            "health.retries": self.retries,
            "health.start_period_s": self.start_period_s,
            "stop_grace_s": self.stop_grace_s,
        }

    @property
    def values(self) -> SpecValues:
        """All of it, by the names of the table of a service's fields."""
        monitors = {"update.monitor_s": self.monitor_s, "rollback.monitor_s": self.monitor_s}
        return {**self.task_values, **monitors}

    def spelled_out(self, own: Timing) -> Timing:
        """Return these times, with the recipe's ``own`` where they were left to the recipe."""
        left = [name for name in _OWN_TIMES if getattr(self, name) is None]
        return msgspec.structs.replace(self, **{name: getattr(own, name) for name in left})


class Fault(StrEnum):
    """A defect of an image, whoever deploys the image."""

    CRASHES = "crashes at boot"
    """The program exits with code 1 before it is healthy."""
    CRASHES_LATER = "crashes later"
    """The program exits with code 1 after 20 s: during boot, during the monitor, or later."""
    ABSENT = "image absent"
    """Neither the machine nor a registry has the image."""
    NEVER_HEALTHY = "never healthy"
    """The program runs and never opens its port."""


_EXITS = {"STAMPLOAD_EXIT_CODE": "1"}
FAULT_VARIABLES: Mapping[Fault, Mapping[str, str]] = {
    Fault.CRASHES: {**_EXITS, "STAMPLOAD_EXIT_AT_S": "0.2"},
    Fault.CRASHES_LATER: {**_EXITS, "STAMPLOAD_EXIT_AT_S": "20.0"},
    Fault.ABSENT: {},
    Fault.NEVER_HEALTHY: {"STAMPLOAD_NEVER_READY": "1"},
}
"""The variables that make the workload show a fault."""


class WorkloadOverlay(msgspec.Struct, frozen=True, kw_only=True):
    """The workload in the place of a recipe's images: heavy for one service, else light."""

    heavy: str
    """The name of the heavy service."""
    memory: MemoryShape
    timing: Timing
    faults: Mapping[str, Fault] = {}
    """Faults by the images' names in the recipe."""

    def overlay(self, compose: Compose) -> str:
        """Return the overlay's YAML; each service answers clients with its image's tag."""
        services = {name: self._service(name, own) for name, own in compose.services.items()}
        return overlay_text(compose.version, {"services": services, **script_configs(compose)})

    # Only what the recipe's own images need is replaced (ADR 0019).
    def _service(self, name: str, own: ComposeService) -> dict[str, object]:
        is_heavy = name == self.heavy
        memory = self.memory if is_heavy else _LIGHT_SHAPE
        fault = self.faults.get(own.image)
        timing = msgspec.structs.replace(self.timing, retries=self._retries(own.healthcheck))
        timed = to_compose(timing.values if is_heavy else timing.task_values)
        return {
            "image": own.image if fault is Fault.ABSENT else workload_image(own.image),
            "entrypoint": [ENTRYPOINT],
            # A user's name is known to the recipe's own image alone.
            **({"user": "0:0"} if own.has_user else {}),
            "environment": {
                "STAMPLOAD_VERSION": _tag(own.image) or "unknown",
                "STAMPLOAD_PORT": str(PORT),
                **memory.environment(),
                **(FAULT_VARIABLES[fault] if fault else {}),
            },
            **timed,
            "deploy": {
                # A virtual IP needs the kernel's IPVS, which not every machine has; but a port that
                # is published on all nodes needs a virtual IP.
                **({} if own.has_ingress_ports else {"endpoint_mode": "dnsrr"}),
                **_resources(own, memory),
                **timed.get("deploy", {}),
            },
        }

    def _retries(self, own: Healthcheck) -> int:
        """Return how many failed checks take as long as the recipe allows, at the interval here.

        Otherwise a service without a start period would be killed during its boot.
        """
        if self.timing.retries is not None:
            return self.timing.retries
        interval_s = parse_seconds(own.interval, _DEFAULT_INTERVAL_S)
        stated = own.retries or ""
        retries = int(stated) if stated.isdecimal() else _DEFAULT_RETRIES
        return max(_DEFAULT_RETRIES, round(interval_s * retries / self.timing.health_interval_s))


def script_configs(compose: Compose) -> dict[str, object]:
    """Replace configs that are mounted at the path of a called program by `CONFIG_SCRIPT`."""
    called = {
        key
        for service in compose.services.values()
        for key, target in service.config_targets.items()
        if target in commands_of(service)
    }
    configs = {
        key: {**({"name": name} if name else {}), "file": f"./{CONFIG_SCRIPT_NAME}"}
        for key, name in compose.internal_configs.items()
        if key in called
    }
    return {"configs": configs} if configs else {}


def _resources(own: ComposeService, memory: MemoryShape) -> dict[str, object]:
    """Replace the recipe's limits and reservations by those that fit the workload."""
    room = {"memory": str(memory.peak_bytes * 2 + _OVERHEAD_BYTES), "cpus": "1"}
    limits = {name: room[name] for name in sorted(own.limits & room.keys())}
    reservations = {
        name: _RESERVATIONS[name] for name in sorted(own.reservations & _RESERVATIONS.keys())
    }
    both = {"limits": limits, "reservations": reservations}
    stated = {kind: values for kind, values in both.items() if values}
    return {"resources": stated} if stated else {}


# A change of image stays one (ADR 0018).
def workload_image(image: str) -> str:
    """Return the name of the workload's image that stands for a recipe's image.

    The names differ as the recipe's do, so that the swarm sees an image change.
    """
    name, _, digest = image.partition("@")
    tag = _tag(image)
    repository = name.removesuffix(f":{tag}") if tag else name
    version = "-".join(filter(None, (tag, digest.rpartition(":")[2][:_DIGEST_DIGITS])))
    return f"{IMAGE_PREFIX}{repository.lower().replace(':', '-') or 'none'}:{version or 'latest'}"


def _tag(image: str) -> str:
    """Return an image name's tag; the registry may have a port, and a digest may follow."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2]
