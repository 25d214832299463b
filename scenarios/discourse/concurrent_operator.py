"""The incident's upgrade with a second operator: what somebody else does while NEW boots.

Memory is ample, so only the meddling matters. The act comes while NEW is booting, in every world:
NEW is up for more than a second by then, and boots for three more.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from stamplab.harness.checks.shape import GUARD, Shape
from stamplab.lab.faults.memory_pressure import Ample
from stamplab.lab.faults.operator import Act, Operation, Redeploy, Restamp, RollBack, Scale
from stamplab.scenarios.discourse.plays import AMPLE, Settings, scenario
from stamplab.scenarios.scenario import Scenario

_BOOT_S = 5.0
_ACT_AFTER_S = 3.5
"""Counted from when OLD was found healthy; a live deploy takes about a second of it."""
WATCH_S = 12.0
"""How long the swarm is watched after the harness has given its verdict."""

_GOES_ON = Shape(
    states=("updating", "completed"),
    stamps=("base", "head"),
    new_task="did not fail",
    end=GUARD,
)
_TAKEN_BACK = msgspec.structs.replace(
    _GOES_ON,
    states=("updating", "rollback_completed"),
    stamps=("base", "head", "base"),
    old_kept=True,
)
# The status is nil for ever: what was `updating` can no longer be ended by its own updater.
_FORGOTTEN = msgspec.structs.replace(_GOES_ON, states=("updating",))
OPERATIONS: Mapping[str, tuple[Operation, Shape]] = {
    "restamp": (Restamp(labels={"another": "operator"}), _GOES_ON),
    "redeploy": (Redeploy(), _FORGOTTEN),
    "roll-back": (RollBack(), _TAKEN_BACK),
    "scale": (Scale(replicas=2), _GOES_ON),
}
"""What the second operator does, and the shape that the history comes to."""


def scenarios(settings: Settings) -> tuple[Scenario, ...]:
    """One scenario an operation."""
    return tuple(_with_operation(settings, name, *case) for name, case in OPERATIONS.items())


def _with_operation(settings: Settings, name: str, what: Operation, shape: Shape) -> Scenario:
    made = scenario(
        f"meddled-{name}",
        f"a second operator, while NEW boots: {name}",
        settings,
        order="start-first",
        pressure=Ample(),
        control=AMPLE,
        shape=shape,
    )
    memory = msgspec.structs.replace(made.memory, boot_s=_BOOT_S)
    return msgspec.structs.replace(
        made, memory=memory, acts=(Act(after_s=_ACT_AFTER_S, what=what),)
    )
