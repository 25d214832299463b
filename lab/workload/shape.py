"""The memory of one application over its life: what makes an upgrade fit, or not."""

import math
from typing import Self

import msgspec

from stamplab.lab.errors import UsageError


class MemoryShape(msgspec.Struct, frozen=True, kw_only=True):
    """How much memory an application holds, from its start on.

    It rises linearly to `peak_bytes` in `boot_s` seconds, stays there for `hold_s`, falls to
    `steady_bytes`, and serves after another `ready_s`. Raises `UsageError` for a shape that cannot
    be.
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
        """Return the same shape with all bytes times `factor`.

        Bytes follow the memory of a machine; for durations, which follow its speed, see
        `lab.support.time_scale`. Raises `UsageError` when nothing would be left of the shape.
        """
        if not (0 < factor < math.inf):
            raise UsageError(f"a memory shape is scaled by a positive factor, not by {factor}")
        # Made anew: not every msgspec checks what `replace` has changed.
        return type(self)(
            steady_bytes=round(self.steady_bytes * factor),
            peak_bytes=round(self.peak_bytes * factor),
            boot_s=self.boot_s,
            hold_s=self.hold_s,
            ready_s=self.ready_s,
        )

    def environment(self) -> dict[str, str]:
        """Return the variables that make `stampload serve` play this shape."""
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
