"""The shape of an upgrade's history: what must be the same in every world and on every engine.

Times, ids and how often somebody looked differ from run to run; the shape does not. A scenario
declares its shape, and each world is held to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Literal

import msgspec

Stamp = Literal["base", "head", "other"]
Role = Literal["old", "new"]
GUARD = "assert_upgrade_converged"
"""The step of the harness that is the guard's."""
HC1 = "hc1"
"""The step of the harness that reads the deployed commit."""


# A scenario declares a shape, and both worlds must give it (ADR 0031).
class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What happened, without when."""

    states: tuple[str, ...]
    """Update states in their order. A start of a rollback that was over at once is left out."""
    stamps: tuple[Stamp, ...]
    """Whose stamp the service carried, in order."""
    new_task: str
    """What became of the new task that the upgrade's end depends on."""
    killed: tuple[Role, ...] = ()
    """Whose tasks were OOM-killed, by a kernel's record or by its rule."""
    old_kept: bool = False
    """Whether OLD's very task still runs in the end."""
    end: str = "pass"
    """How the upgrade stage ended: ``pass``, or the step of the harness that failed it."""

    def differences(self, other: Shape) -> tuple[str, ...]:
        """In which fields another shape differs, as clauses."""
        return tuple(
            f"{name} {_in_words(getattr(other, name))}, not {_in_words(getattr(self, name))}"
            for name in self.__struct_fields__
            if getattr(self, name) != getattr(other, name)
        )


def shape_of(
    states: Iterable[str | None],
    stamps: Iterable[Stamp],
    *,
    new_task: str,
    old_kept: bool,
    end: str,
    killed: tuple[Role, ...] = (),
) -> Shape:
    """Return the shape of what was seen, one sighting after the other; a state of None is nil."""
    return Shape(
        states=_changes_of_state(states),
        stamps=tuple(stamp for stamp, _ in groupby(stamps)),
        new_task=new_task,
        killed=killed,
        old_kept=old_kept,
        end=end,
    )


def _changes_of_state(states: Iterable[str | None]) -> tuple[str, ...]:
    changes: list[str] = []
    for state, _ in groupby(filter(None, states)):
        if changes[-1:] == ["rollback_started"]:
            changes.pop()
        changes.append(state)
    return tuple(changes)


def _in_words(value: object) -> str:
    if isinstance(value, tuple):
        return " → ".join(map(str, value)) or "nothing"
    return str(value)
