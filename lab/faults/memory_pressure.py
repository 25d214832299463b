"""Pressure plans: how much memory is left to the swarm, from when on, and for how long.

A plan is turned into limits once OLD is healthy and its memory is known. The limits are those of
the group that all tasks share.
"""

from __future__ import annotations

import msgspec

from stamplab.lab.faults.operator import Act, SetLimit
from stamplab.lab.workload.shape import MemoryShape

_MIB = 1024 * 1024


class PressurePlan(msgspec.Struct, frozen=True):
    """A plan by which there is no limit at first, and nothing happens later."""

    def limit_bytes(self, usage_bytes: int, shape: MemoryShape) -> int | None:
        """Return the limit for what is used now; None for no limit."""
        del usage_bytes, shape
        return None

    def acts(self, usage_bytes: int, shape: MemoryShape) -> tuple[Act, ...]:
        """Return what happens later."""
        del usage_bytes, shape
        return ()


class Ample(PressurePlan, frozen=True, tag="ample"):
    """No limit: OLD and NEW fit together."""


class Squeeze(PressurePlan, frozen=True, kw_only=True, tag="squeeze"):
    """A static limit, set once OLD is healthy, under which NEW boots alone but not beside OLD.

    It is what is used then (OLD and whatever else runs) plus NEW's peak, less ``short_by`` of OLD's
    steady use. So NEW beside OLD is short of that much, and NEW alone has the rest of it to spare.
    The plain kernel kills the largest process: that is NEW as long as its peak is well above OLD's
    steady use.
    """

    short_by: float = 0.5

    def limit_bytes(self, usage_bytes: int, shape: MemoryShape) -> int:
        # Overhead cancels out (ADR 0004).
        return usage_bytes + shape.peak_bytes - round(shape.steady_bytes * self.short_by)


class Pulse(PressurePlan, frozen=True, kw_only=True, tag="pulse"):
    """The limit of a `Squeeze`, but only for a while: another's memory comes, and goes again."""

    after_s: float
    """When it begins: seconds after OLD was found healthy."""
    for_s: float
    short_by: float = 0.5

    def acts(self, usage_bytes: int, shape: MemoryShape) -> tuple[Act, ...]:
        """Return the limit, and its end."""
        limit_bytes = Squeeze(short_by=self.short_by).limit_bytes(usage_bytes, shape)
        meaning = describe(limit_bytes, usage_bytes, shape)
        begins = SetLimit(limit_bytes=limit_bytes, reason=f"a pulse of {self.for_s:g} s: {meaning}")
        ends = SetLimit(limit_bytes=None, reason="the pulse is over: no limit")
        return (
            Act(after_s=self.after_s, what=begins),
            Act(after_s=self.after_s + self.for_s, what=ends),
        )


class Ramp(PressurePlan, frozen=True, kw_only=True, tag="ramp"):
    """A limit that sinks in even steps, from room for both down to that of a `Squeeze`."""

    after_s: float
    over_s: float
    steps: int = 4
    short_by: float = 0.5

    def acts(self, usage_bytes: int, shape: MemoryShape) -> tuple[Act, ...]:
        """One step after the other; the last one is the squeeze's own limit."""
        lowest_bytes = Squeeze(short_by=self.short_by).limit_bytes(usage_bytes, shape)
        highest_bytes = usage_bytes + shape.peak_bytes
        acts = []
        for step in range(1, self.steps + 1):
            sunk_bytes = (highest_bytes - lowest_bytes) * step // self.steps
            limit_bytes = highest_bytes - sunk_bytes
            meaning = describe(limit_bytes, usage_bytes, shape)
            reason = f"step {step} of {self.steps}: {meaning}"
            at_s = self.after_s + self.over_s * step / self.steps
            acts.append(Act(after_s=at_s, what=SetLimit(limit_bytes=limit_bytes, reason=reason)))
        return tuple(acts)


Pressure = Ample | Squeeze | Pulse | Ramp


def describe(limit_bytes: int | None, usage_bytes: int, shape: MemoryShape) -> str:
    """Say in a clause what a limit means for OLD and NEW."""
    if limit_bytes is None:
        return "no limit: OLD and NEW fit together"
    return (
        f"limit {limit_bytes // _MIB} MiB: in use {usage_bytes // _MIB} MiB, of which OLD's steady "
        f"{shape.steady_bytes // _MIB} MiB; NEW's boot peak {shape.peak_bytes // _MIB} MiB"
    )
