"""The overlay that puts the workload in the place of a recipe's images.

Everything else (policy, labels, networks, the health check's command and start period) stays the
recipe's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec
import yaml

from lab.workload.shape import MemoryShape

OVERLAY_NAME = "compose.standin.yml"
PORT = 8080
_MIB = 1024 * 1024
_LIGHT = MemoryShape(steady_bytes=_MIB, peak_bytes=_MIB, boot_s=0.0)


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """The times of a run that are not the workload's: health checks and monitors, in seconds."""

    health_interval_s: float = 0.3
    health_timeout_s: float = 10.0
    monitor_s: float | None = None
    """Both monitors, update and rollback; None keeps the recipe's own."""
    stop_grace_s: float | None = None
    """How long a task that is stopped may take to end; None keeps the recipe's own."""

    def spelled_out(self, own: Timing) -> Timing:
        """The same times with the recipe's ``own`` written out where they were left to it."""
        return msgspec.structs.replace(
            self,
            monitor_s=own.monitor_s if self.monitor_s is None else self.monitor_s,
            stop_grace_s=own.stop_grace_s if self.stop_grace_s is None else self.stop_grace_s,
        )


class Fault(StrEnum):
    """What is wrong with an image: it is a property of the image, whoever deploys it."""

    CRASHES = "crashes at boot"
    """It exits with code 1 before it is healthy."""
    ABSENT = "image absent"
    """The machine does not have it, and no registry does."""
    NEVER_HEALTHY = "never healthy"
    """It runs, and never opens its port."""


_CRASH_AFTER_S = 0.2
_FAULTY: Mapping[Fault, Mapping[str, str]] = {
    Fault.CRASHES: {"STAMPLOAD_EXIT_AT_S": str(_CRASH_AFTER_S), "STAMPLOAD_EXIT_CODE": "1"},
    Fault.ABSENT: {},
    Fault.NEVER_HEALTHY: {"STAMPLOAD_NEVER_READY": "1"},
}


class StandIn(msgspec.Struct, frozen=True, kw_only=True):
    """Who plays the recipe's images: one service heavy, the others light."""

    image: str
    heavy: str
    memory: MemoryShape
    timing: Timing
    faults: Mapping[str, Fault] = {}
    """What is wrong with images, by their names in the recipe."""

    def overlay(self, images: Mapping[str, str]) -> str:
        """Write the overlay for services with these images.

        Each answers clients with its image's tag, so that one can tell who answered.
        """
        services = {name: self._service(name, image) for name, image in images.items()}
        return yaml.safe_dump({"version": "3.8", "services": services}, sort_keys=False)

    def _service(self, name: str, image: str) -> dict[str, object]:
        is_heavy = name == self.heavy
        memory = self.memory if is_heavy else _LIGHT
        fault = self.faults.get(image)
        return {
            "image": image if fault is Fault.ABSENT else self.image,
            "entrypoint": ["/bin/stampload"],
            "command": ["serve"],
            "environment": {
                "STAMPLOAD_VERSION": _tag(image) or "unknown",
                "STAMPLOAD_PORT": str(PORT),
                **memory.environment(),
                **(_FAULTY[fault] if fault else {}),
            },
            "healthcheck": {
                "interval": _duration(self.timing.health_interval_s),
                "timeout": _duration(self.timing.health_timeout_s),
                "retries": 3,
            },
            **self._stop_grace(),
            "deploy": {
                # A virtual IP needs the kernel's IPVS, which not every machine has.
                "endpoint_mode": "dnsrr",
                **(self._monitors() if is_heavy else {}),
            },
        }

    def _stop_grace(self) -> dict[str, object]:
        if self.timing.stop_grace_s is None:
            return {}
        return {"stop_grace_period": _duration(self.timing.stop_grace_s)}

    def _monitors(self) -> dict[str, object]:
        if self.timing.monitor_s is None:
            return {}
        monitor = _duration(self.timing.monitor_s)
        return {"update_config": {"monitor": monitor}, "rollback_config": {"monitor": monitor}}


def _tag(image: str) -> str:
    """The tag of an image's name, whose registry may have a port and which may end in a digest."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2]


def _duration(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
