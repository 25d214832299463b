"""The four plays of ``repro discourse``, and how their sizes and times are chosen."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from stamplab.harness.checks.shape import Shape
from stamplab.harness.ci.generic import HC1Read
from stamplab.harness.ci.policy import Policy
from stamplab.lab.faults.memory_pressure import Ample, Pressure, Squeeze
from stamplab.lab.faults.stamp import WrongStamp
from stamplab.lab.recipe.repository import RecipeHistory
from stamplab.lab.recipe.source import AcquiredRecipe
from stamplab.lab.recipe.workload_overlay import Fault, Timing
from stamplab.lab.workload.shape import MemoryShape
from stamplab.scenarios.discourse import shapes
from stamplab.scenarios.discourse.recipe import BASE_TAG, OWN_TIMING, RECIPE
from stamplab.scenarios.scenario import Scenario

_MIB = 1024 * 1024

MEMORY = MemoryShape(steady_bytes=100 * _MIB, peak_bytes=300 * _MIB, boot_s=1.0)
"""A tenth or so of the real app: what matters is that a boot needs three times the steady state."""

TRUE_TIMING = Timing()
"""The recipe's own monitor of 5 s; health checks often enough that a run takes seconds."""

FAST_TIMING = Timing(monitor_s=1.0)
FAST_BOOT_S = 0.4

AMPLE = "a-ample"
PRESSED = "c-guard-on"

PATIENCE_S = 20.0
FAST_PATIENCE_S = 8.0


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What is upgraded: a recipe, and what the plays must know of it."""

    recipe: RecipeHistory | AcquiredRecipe
    base: str
    service: str = "app"
    own: Timing
    """The times that the recipe states, or the engine has where it is silent."""
    order: str | None
    """What the harness's overlay sets where nothing is fixed; None: it leaves the recipe's own."""


DISCOURSE = Subject(recipe=RECIPE, base=BASE_TAG, own=OWN_TIMING, order="start-first")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line may vary, alike in every play."""

    memory_scale: float = 1.0
    fast: bool = False
    time_scale: float = 1.0
    """Every scenario is made without it, and then stretched as a whole."""
    pressure: Pressure = Squeeze()

    @property
    def memory(self) -> MemoryShape:
        """The workload's memory curve."""
        scaled = MEMORY.scaled(self.memory_scale)
        return msgspec.structs.replace(scaled, boot_s=FAST_BOOT_S) if self.fast else scaled

    @property
    def timing(self) -> Timing:
        """Health checks and monitors."""
        return FAST_TIMING if self.fast else TRUE_TIMING

    @property
    def patience_s(self) -> float:
        """How long the guard waits for a head that never becomes healthy.

        Twice as long as a good one takes: its boot, a health check, and the monitor.
        """
        return FAST_PATIENCE_S if self.fast else PATIENCE_S


def ample(settings: Settings, subject: Subject = DISCOURSE) -> Scenario:
    """Make play (a): ample memory, old policy, guard on: the upgrade converges at head."""
    return scenario(
        AMPLE,
        "ample memory, old policy, guard on",
        settings,
        subject,
        order=subject.order,
        pressure=Ample(),
        control=PRESSED,
        shape=shapes.CONVERGED,
    )


def misattributed(settings: Settings, subject: Subject = DISCOURSE) -> Scenario:
    """Make play (b): pressure, old policy, guard off: HC1 is read before and after the rollback."""
    return scenario(
        "b-guard-off",
        "memory pressure, old policy, guard off (the pre-fix harness)",
        settings,
        subject,
        order=subject.order,
        pressure=settings.pressure,
        guard=False,
        # Both faces on one history (ADR 0007).
        control=AMPLE,
        reads=(HC1Read(pause_s=0.0), HC1Read(pause_s=60.0, until_settled=True)),
        shape=shapes.under(settings.pressure, shapes.MISATTRIBUTED),
    )


def honest(settings: Settings, subject: Subject = DISCOURSE) -> Scenario:
    """Make play (c): Pressure, old policy, guard on: the true reason."""
    return scenario(
        PRESSED,
        "memory pressure, old policy, guard on",
        settings,
        subject,
        order=subject.order,
        pressure=settings.pressure,
        control=AMPLE,
        shape=shapes.under(settings.pressure, shapes.ROLLED_BACK),
    )


def fixed(settings: Settings, subject: Subject = DISCOURSE) -> Scenario:
    """Make play (d): Pressure, fixed overlay (stop-first), guard on: converged at head."""
    return scenario(
        "d-stop-first",
        "memory pressure, fixed overlay (stop-first), guard on",
        settings,
        subject,
        order="stop-first",
        pressure=settings.pressure,
        control=PRESSED,
        shape=shapes.CONVERGED,
    )


def scenario(
    name: str,
    title: str,
    settings: Settings,
    subject: Subject = DISCOURSE,
    *,
    order: str | None,
    pressure: Pressure,
    guard: bool = True,
    control: str,
    reads: tuple[HC1Read, ...] = (),
    wrong_stamp: WrongStamp | None = None,
    faults: Mapping[str, Fault] | None = None,
    upgrade_timeout_s: float | None = None,
    shape: Shape | None = None,
) -> Scenario:
    """One upgrade of the subject from base to head, with these settings.

    Give it all times here: it is stretched as a whole.
    """
    made = Scenario(
        name=name,
        title=title,
        recipe=subject.recipe,
        base=subject.base,
        service=subject.service,
        policy=Policy(order=order),
        memory=settings.memory,
        pressure=pressure,
        timing=settings.timing,
        guard=guard,
        hc1_reads=reads,
        control=control,
        upgrade_timeout_s=upgrade_timeout_s,
        wrong_stamp=wrong_stamp,
        faults=dict(faults or {}),
        shape=shape,
    )
    return made.with_time_scale(settings.time_scale, subject.own)
