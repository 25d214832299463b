"""A scenario is a value.

Recipe, overlay, memory, pressure, timing, and how the upgrade is judged.
"""

from __future__ import annotations

from typing import Self

import msgspec

from stamplab.harness.checks.shape import Shape
from stamplab.harness.ci.generic import HC1Read
from stamplab.harness.ci.policy import Policy
from stamplab.lab.faults.memory_pressure import Ample, Pressure
from stamplab.lab.faults.operator import Act, Operation
from stamplab.lab.faults.stamp import WrongStamp
from stamplab.lab.recipe.repository import RecipeHistory
from stamplab.lab.recipe.source import AcquiredRecipe
from stamplab.lab.recipe.workload_overlay import Fault, Timing
from stamplab.lab.support.time_scale import scale_durations
from stamplab.lab.workload.shape import MemoryShape


class UpgradeConditions(msgspec.Struct, frozen=True, kw_only=True):
    """What an upgrade meets, whichever recipe it is of; a search may vary all of it."""

    memory: MemoryShape
    timing: Timing
    policy: Policy
    """What the harness's overlay sets; its order is all that tells pre-fix from fixed."""
    pressure: Pressure = Ample()
    head_replicas: int | None = None
    """How many replicas head asks for, if not as many as base."""
    wrong_stamp: WrongStamp | None = msgspec.field(name="planted", default=None)
    """A wrong stamp that the deployer takes in the upgrade, if any."""
    reports_expected_stamp: bool = msgspec.field(name="missaid", default=False)
    """Whether it then says that it took the right one."""
    refused: bool = False
    """Whether the swarm refuses head's spec."""
    earlier: tuple[Operation, ...] = ()
    """What was done to the service before the upgrade; each leaves a status that is then stale."""


# A scenario has a control that must not reproduce (ADR 0059).
class Scenario(UpgradeConditions, frozen=True, kw_only=True):
    """One experiment: install a base, squeeze, upgrade to head, and see."""

    name: str
    title: str
    recipe: RecipeHistory | AcquiredRecipe
    """Ours, which is built for each play, or somebody else's."""
    base: str
    """What is installed first, a tag or a commit; the recipe says which commit is the head."""
    service: str
    """The heavy service within the stack."""
    guard: bool
    hc1_reads: tuple[HC1Read, ...] = ()
    """Guard off only; see `stamplab.harness.ci.generic.UpgradePlan.reads`."""
    timeout_s: float = 120.0
    """How long each stage may take before it is given up."""
    upgrade_timeout_s: float | None = None
    """The same for the upgrade alone, where it is not to be `timeout_s`."""
    head: str | None = None
    """Which commit is the head, as a revision; None: our recipe's last, or the one that it says."""
    faults: dict[str, Fault] = {}
    """What is wrong with images, by their names in the recipe."""
    acts: tuple[Act, ...] = ()
    """What a second operator does meanwhile; times are counted from when OLD was found healthy."""
    control: str
    """The scenario that tells whether this one can fail: the same, but for what it is about, and it
    must end otherwise. Or ``none: `` and the reason why there can be none."""
    shape: Shape | None = None
    """What its history must come to in every world; None where nothing is declared."""
    time_scale: float = 1.0
    """How much longer than usual everything takes; the apparatus is as much more patient."""

    def with_time_scale(self, factor: float, own: Timing) -> Self:
        """Return the same experiment for a machine that is ``factor`` times as slow.

        All times are multiplied, those that were left to the recipe too: they are written out from
        its ``own``. By 1 nothing changes. Raises UsageError for a factor below 1.
        """
        if factor == 1:
            return self
        spelled_out = msgspec.structs.replace(self, timing=self.timing.spelled_out(own))
        return msgspec.structs.replace(scale_durations(spelled_out, factor), time_scale=factor)
