"""A scenario is a value.

Recipe, overlay, memory, pressure, timing, and how the upgrade is judged.
"""

from __future__ import annotations

import msgspec

from harness.generic import HC1Read
from lab.pressure import Pressure
from lab.recipe.standin import Fault, Timing
from lab.recipe.upstream import RecipeHistory
from lab.workload.shape import MemoryShape
from scenarios.planted import Planted


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One experiment: install a base, squeeze, upgrade to head, and see."""

    name: str
    title: str
    recipe: RecipeHistory
    base: str
    """The tag that is installed first; the history's last commit is the head."""
    service: str
    """The heavy service within the stack."""
    order: str
    """The update order that the harness's overlay sets: all that tells pre-fix from fixed."""
    memory: MemoryShape
    pressure: Pressure
    timing: Timing
    guard: bool
    hc1_reads: tuple[HC1Read, ...] = ()
    """Guard off only; see `harness.generic.UpgradePlan.reads`."""
    timeout_s: float = 120.0
    """How long each stage may take before it is given up."""
    upgrade_timeout_s: float | None = None
    """The same for the upgrade alone, where it is not to be `timeout_s`."""
    planted: Planted | None = None
    """A wrong stamp that the deployer takes in the upgrade, if any."""
    faults: dict[str, Fault] = {}
    """What is wrong with images, by their names in the recipe."""
