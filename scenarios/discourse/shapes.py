"""What the histories of the incident's plays come to, in every world."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from stamplab.harness.checks.shape import GUARD, HC1, Shape
from stamplab.lab.faults.memory_pressure import Ample, Pressure
from stamplab.lab.faults.stamp import WrongStamp
from stamplab.lab.recipe.workload_overlay import Fault

CONVERGED = Shape(
    states=("updating", "completed"), stamps=("base", "head"), new_task="did not fail"
)
ROLLED_BACK = Shape(
    states=("updating", "rollback_completed"),
    stamps=("base", "head", "base"),
    new_task="OOM-killed before RUNNING",
    killed=("new",),
    old_kept=True,
    end=GUARD,
)
MISATTRIBUTED = msgspec.structs.replace(ROLLED_BACK, end=HC1)

_BROKEN: Mapping[Fault, str] = {
    Fault.CRASHES: "exit code 1 before RUNNING",
    Fault.ABSENT: "rejected before RUNNING",
}


def under(pressure: Pressure, shape: Shape) -> Shape:
    """Return the shape under pressure; with ample memory everything converges."""
    return CONVERGED if isinstance(pressure, Ample) else shape


def with_wrong_stamp(kind: WrongStamp) -> Shape:
    """Return a wrong stamp: the upgrade converges, and HC1 fails it."""
    stamps = ("base",) if kind is WrongStamp.STALE else ("base", "other")
    return msgspec.structs.replace(CONVERGED, stamps=stamps, end=HC1)


def broken(fault: Fault, order: str) -> Shape:
    """Return a broken head: OLD is kept where NEW was to be healthy first."""
    old_kept = order == "start-first"
    if fault is Fault.NEVER_HEALTHY:
        return Shape(
            states=("updating",),
            stamps=("base", "head"),
            new_task="did not fail",
            old_kept=old_kept,
            end=GUARD,
        )
    return msgspec.structs.replace(
        ROLLED_BACK, new_task=_BROKEN[fault], killed=(), old_kept=old_kept
    )
