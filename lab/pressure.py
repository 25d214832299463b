"""Pressure plans: how much memory is left to the swarm, and from when on."""

from __future__ import annotations

import msgspec

from lab.workload.shape import MemoryShape

_MIB = 1024 * 1024


class Ample(msgspec.Struct, frozen=True, tag="ample"):
    """No limit: OLD and NEW fit together."""

    def limit_bytes(self, usage_bytes: int, shape: MemoryShape) -> None:
        """No limit, whatever is used."""
        del usage_bytes, shape


class Squeeze(msgspec.Struct, frozen=True, kw_only=True, tag="squeeze"):
    """A static limit, set once OLD is healthy, under which NEW boots alone but not beside OLD.

    It is what is used then (OLD and whatever else runs) plus NEW's peak, less ``short_by`` of OLD's
    steady use. So NEW beside OLD is short of that much, and NEW alone has the rest of it to spare.
    The plain kernel kills the largest process: that is NEW as long as its peak is well above OLD's
    steady use.
    """

    short_by: float = 0.5

    def limit_bytes(self, usage_bytes: int, shape: MemoryShape) -> int:
        """The limit for what is used now."""
        return usage_bytes + shape.peak_bytes - round(shape.steady_bytes * self.short_by)


Pressure = Ample | Squeeze


def describe(limit_bytes: int | None, usage_bytes: int, shape: MemoryShape) -> str:
    """Say in a clause what a limit means for OLD and NEW."""
    if limit_bytes is None:
        return "no limit: OLD and NEW fit together"
    return (
        f"limit {limit_bytes // _MIB} MiB: in use {usage_bytes // _MIB} MiB, of which OLD's steady "
        f"{shape.steady_bytes // _MIB} MiB; NEW's boot peak {shape.peak_bytes // _MIB} MiB"
    )
