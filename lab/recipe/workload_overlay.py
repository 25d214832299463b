"""The overlay that puts the workload in the place of a recipe's images.

Everything else (policy, labels, networks, secrets, the health check's command and start period)
stays the recipe's own, but for what its own images alone need: a user, a share of a machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from stamplab.lab.recipe.commands import commands_of
from stamplab.lab.recipe.compose import Compose, ComposeService, Healthcheck, overlay_text
from stamplab.lab.recipe.durations import in_milliseconds, seconds_of
from stamplab.lab.workload.image import STAND_IN, START
from stamplab.lab.workload.shape import MemoryShape

OVERLAY_NAME = "compose.standin.yml"
PROGRAM_NAME = "compose.standin.sh"
PROGRAM = STAND_IN
"""What is put in the place of a config that is mounted where a program of the recipe's is."""
IMAGES = "stand-in/"
"""What the names of its images begin with."""
PORT = 8080
_MIB = 1024 * 1024
_OVERHEAD_BYTES = 64 * _MIB
"""Of a container beside its workload: its shell, its health checks."""
_LEAST = {"memory": str(4 * _MIB), "cpus": "0.01"}
_DIGEST_DIGITS = 12
_USUAL_INTERVAL_S = 30.0
_RETRIES = 3
_LIGHT = MemoryShape(steady_bytes=_MIB, peak_bytes=_MIB, boot_s=0.0)


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """The times of a run that are not the workload's: health checks and monitors, in seconds."""

    health_interval_s: float = 0.3
    health_timeout_s: float = 10.0
    monitor_s: float | None = None
    """Both monitors, update and rollback; None keeps the recipe's own."""
    stop_grace_s: float | None = None
    """How long a task that is stopped may take to end; None keeps the recipe's own."""
    start_period_s: float | None = None
    """How long failed health checks do not count; None keeps the recipe's own."""
    retries: int | None = None
    """How many may fail in a row; None is as patient as the recipe, though asked more often."""

    def spelled_out(self, own: Timing) -> Timing:
        """The same times with the recipe's ``own`` written out where they were left to it."""
        return msgspec.structs.replace(
            self,
            monitor_s=own.monitor_s if self.monitor_s is None else self.monitor_s,
            stop_grace_s=own.stop_grace_s if self.stop_grace_s is None else self.stop_grace_s,
            start_period_s=(
                own.start_period_s if self.start_period_s is None else self.start_period_s
            ),
        )


class Fault(StrEnum):
    """What is wrong with an image: it is a property of the image, whoever deploys it."""

    CRASHES = "crashes at boot"
    """It exits with code 1 before it is healthy."""
    CRASHES_LATER = "crashes later"
    """It exits with code 1 after a while: within its boot, its monitor, or after both."""
    ABSENT = "image absent"
    """The machine does not have it, and no registry does."""
    NEVER_HEALTHY = "never healthy"
    """It runs, and never opens its port."""


_CRASH_AFTER_S = 0.2
_CRASH_LATER_AFTER_S = 20.0


def _exiting(after_s: float) -> Mapping[str, str]:
    return {"STAMPLOAD_EXIT_AT_S": str(after_s), "STAMPLOAD_EXIT_CODE": "1"}


FAULTY: Mapping[Fault, Mapping[str, str]] = {
    Fault.CRASHES: _exiting(_CRASH_AFTER_S),
    Fault.CRASHES_LATER: _exiting(_CRASH_LATER_AFTER_S),
    Fault.ABSENT: {},
    Fault.NEVER_HEALTHY: {"STAMPLOAD_NEVER_READY": "1"},
}
"""The variables that make the workload behave so."""


class StandIn(msgspec.Struct, frozen=True, kw_only=True):
    """Who plays the recipe's images: one service heavy, the others light."""

    heavy: str
    memory: MemoryShape
    timing: Timing
    faults: Mapping[str, Fault] = {}
    """What is wrong with images, by their names in the recipe."""

    def overlay(self, compose: Compose) -> str:
        """Write the overlay for a recipe's services.

        Each answers clients with its image's tag, so that one can tell who answered.
        """
        services = {name: self._service(name, one) for name, one in compose.services.items()}
        return overlay_text(compose.version, {"services": services, **programs(compose)})

    # Only what the recipe's own images need is replaced (ADR 0019).
    def _service(self, name: str, own: ComposeService) -> dict[str, object]:
        is_heavy = name == self.heavy
        memory = self.memory if is_heavy else _LIGHT
        fault = self.faults.get(own.image)
        return {
            "image": own.image if fault is Fault.ABSENT else image_in_place_of(own.image),
            "entrypoint": [START],
            # Its name is one of the recipe's own image.
            **({"user": "0:0"} if own.has_user else {}),
            "environment": {
                "STAMPLOAD_VERSION": _tag(own.image) or "unknown",
                "STAMPLOAD_PORT": str(PORT),
                **memory.environment(),
                **(FAULTY[fault] if fault else {}),
            },
            "healthcheck": {
                "interval": in_milliseconds(self.timing.health_interval_s),
                "timeout": in_milliseconds(self.timing.health_timeout_s),
                "retries": self._retries(own.healthcheck),
                **self._start_period(),
            },
            **self._stop_grace(),
            "deploy": {
                # A virtual IP needs the kernel's IPVS, which not every machine has; but a port that
                # is published on all nodes needs a virtual IP.
                **({} if own.has_ingress_ports else {"endpoint_mode": "dnsrr"}),
                **_resources(own, memory),
                **(self._monitors() if is_heavy else {}),
            },
        }

    def _retries(self, own: Healthcheck) -> int:
        """As patient as the recipe's own, though it is asked more often.

        Else one without a start period would be killed in the middle of its boot.
        """
        if self.timing.retries is not None:
            return self.timing.retries
        interval_s = seconds_of(own.interval, _USUAL_INTERVAL_S)
        stated = own.retries or ""
        retries = int(stated) if stated.isdecimal() else _RETRIES
        return max(_RETRIES, round(interval_s * retries / self.timing.health_interval_s))

    def _start_period(self) -> dict[str, object]:
        if self.timing.start_period_s is None:
            return {}
        return {"start_period": in_milliseconds(self.timing.start_period_s)}

    def _stop_grace(self) -> dict[str, object]:
        if self.timing.stop_grace_s is None:
            return {}
        return {"stop_grace_period": in_milliseconds(self.timing.stop_grace_s)}

    def _monitors(self) -> dict[str, object]:
        if self.timing.monitor_s is None:
            return {}
        monitor = in_milliseconds(self.timing.monitor_s)
        return {"update_config": {"monitor": monitor}, "rollback_config": {"monitor": monitor}}


def programs(compose: Compose) -> dict[str, object]:
    """Put `PROGRAM` in the place of configs that are mounted where a program is called."""
    called = {
        key
        for service in compose.services.values()
        for key, target in service.config_targets.items()
        if target in commands_of(service)
    }
    configs = {
        key: {**({"name": name} if name else {}), "file": f"./{PROGRAM_NAME}"}
        for key, name in compose.own_configs.items()
        if key in called
    }
    return {"configs": configs} if configs else {}


def _resources(own: ComposeService, memory: MemoryShape) -> dict[str, object]:
    """Limits and reservations, where the recipe has some, to the measure of the workload."""
    room = {"memory": str(memory.peak_bytes * 2 + _OVERHEAD_BYTES), "cpus": "1"}
    limits = {name: room[name] for name in sorted(own.limits & room.keys())}
    reservations = {name: _LEAST[name] for name in sorted(own.reservations & _LEAST.keys())}
    both = {"limits": limits, "reservations": reservations}
    stated = {kind: values for kind, values in both.items() if values}
    return {"resources": stated} if stated else {}


# A change of image stays one (ADR 0018).
def image_in_place_of(image: str) -> str:
    """The name that the stand-in's image goes by for one of the recipe's own.

    So a change of image is one to the swarm, too, and everybody sees whose image it is.
    """
    name, _, digest = image.partition("@")
    tag = _tag(image)
    repository = name.removesuffix(f":{tag}") if tag else name
    version = "-".join(filter(None, (tag, digest.rpartition(":")[2][:_DIGEST_DIGITS])))
    return f"{IMAGES}{repository.lower().replace(':', '-') or 'none'}:{version or 'latest'}"


def _tag(image: str) -> str:
    """The tag of an image's name, whose registry may have a port and which may end in a digest."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2]
