"""The memory that one application uses over its life."""

import math
from typing import Self

import msgspec

from stamplab.lab.errors import UsageError


class MemoryShape(msgspec.Struct, frozen=True, kw_only=True):
    """The memory of an application from its start on.

    The memory rises linearly to `peak_bytes` in `boot_s` seconds, stays there for `hold_s`, and
    falls to `steady_bytes`; the application serves after another `ready_s`. Raises `UsageError`
    for an impossible shape.
    """

    steady_bytes: int
    peak_bytes: int
    boot_s: float
    hold_s: float = 0.0
    ready_s: float = 0.0

    def __post_init__(self) -> None:
        if not self.peak_bytes >= self.steady_bytes > 0:
            raise UsageError(
                f"a memory shape needs peak >= steady > 0 bytes, not a peak of {self.peak_bytes} "
                f"and a steady state of {self.steady_bytes}"
            )
        for name in ("boot_s", "hold_s", "ready_s"):
            seconds = getattr(self, name)
            if not (math.isfinite(seconds) and seconds >= 0):
                raise UsageError(f"{name} of a memory shape must be seconds >= 0, not {seconds}")

    def scaled(self, factor: float) -> Self:
        """Return the shape with all bytes multiplied by `factor`.

        For durations see `lab.support.time_scale`. Raises `UsageError` for a result of 0 bytes.
        """
        if not (0 < factor < math.inf):
            raise UsageError(f"a memory shape is scaled by a positive factor, not by {factor}")
        # Not `msgspec.structs.replace`: not every msgspec then calls __post_init__.
        return type(self)(
            steady_bytes=round(self.steady_bytes * factor),
            peak_bytes=round(self.peak_bytes * factor),
            boot_s=self.boot_s,
            hold_s=self.hold_s,
            ready_s=self.ready_s,
        )

    def environment(self) -> dict[str, str]:
        """Return the variables by which `stampload serve` plays the shape."""
        return {
            "STAMPLOAD_PEAK_BYTES": str(self.peak_bytes),
            "STAMPLOAD_STEADY_BYTES": str(self.steady_bytes),
            "STAMPLOAD_BOOT_S": _decimal(self.boot_s),
            "STAMPLOAD_HOLD_S": _decimal(self.hold_s),
            "STAMPLOAD_READY_S": _decimal(self.ready_s),
        }


def _decimal(seconds: float) -> str:
    """Write seconds as the program reads them: plain digits, never an exponent."""
    return f"{seconds:.6f}".rstrip("0").rstrip(".")
