"""One way to give a slow machine more time: every duration of a value, times one factor."""

from __future__ import annotations

import math
from typing import TypeVar

import msgspec

from stamplab.lab.errors import UsageError

Value = TypeVar("Value", bound=msgspec.Struct)


# A field whose name ends in _s is a duration (ADR 0014).
def stretched(value: Value, factor: float) -> Value:
    """Return the same value with every duration in it, however deep, times ``factor``.

    A duration is a number whose field's name ends in ``_s``, as all of them do here: so one that is
    added later needs no line here. Raises UsageError for a factor that is none or would hurry.
    """
    if not (1 <= factor < math.inf):
        raise UsageError(f"times are stretched by a factor of 1 or more, not by {factor}")
    parts = {name: getattr(value, name) for name in value.__struct_fields__}
    return msgspec.structs.replace(
        value, **{name: _part(name, part, factor) for name, part in parts.items()}
    )


def _part(name: str, part: object, factor: float) -> object:
    match part:
        case msgspec.Struct():
            return stretched(part, factor)
        case tuple():
            return tuple(_part(name, item, factor) for item in part)
        case int() | float() if name.endswith("_s"):
            return part * factor
        case _:
            return part
