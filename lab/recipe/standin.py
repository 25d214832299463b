"""The overlay that puts the workload in the place of a recipe's images, with given memory and timing.

Everything else (policy, labels, networks, the health check's start period) stays the recipe's own.
"""

from __future__ import annotations

from collections.abc import Mapping

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


def overlay(
    images: Mapping[str, str],
    heavy: str,
    shape: MemoryShape,
    timing: Timing,
    standin_image: str,
) -> str:
    """Write the overlay for services with these images; ``heavy`` gets the shape, others stay light.

    Each answers clients with its image's tag, so that one can tell who answered.
    """
    services = {
        name: _service(image, shape if name == heavy else _LIGHT, timing, standin_image)
        for name, image in images.items()
    }
    if timing.monitor_s is not None:
        monitor = {"monitor": _duration(timing.monitor_s)}
        services[heavy]["deploy"] = {
            **_DEPLOY,
            "update_config": monitor,
            "rollback_config": monitor,
        }
    return yaml.safe_dump({"version": "3.8", "services": services}, sort_keys=False)


# A virtual IP needs the kernel's IPVS, which not every machine has; names then resolve to tasks.
_DEPLOY = {"endpoint_mode": "dnsrr"}


def _service(
    image: str, shape: MemoryShape, timing: Timing, standin_image: str
) -> dict[str, object]:
    version = image.rpartition(":")[2] or "unknown"
    return {
        "image": standin_image,
        "entrypoint": ["/bin/stampload"],
        "command": ["serve"],
        "environment": {
            "STAMPLOAD_VERSION": version,
            "STAMPLOAD_PORT": str(PORT),
            **shape.environment(),
        },
        "healthcheck": {
            "test": ["CMD", "/bin/stampload", "probe", "--port", str(PORT)],
            "interval": _duration(timing.health_interval_s),
            "timeout": _duration(timing.health_timeout_s),
            "retries": 3,
        },
        "deploy": dict(_DEPLOY),
    }


def _duration(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
