"""More time for a slow machine: every duration of a value, multiplied by a factor."""

from __future__ import annotations

import math
from typing import TypeVar

import msgspec

from stamplab.lab.errors import UsageError

Value = TypeVar("Value", bound=msgspec.Struct)


# A field whose name ends in _s is a duration (ADR 0014).
def scale_durations(value: Value, factor: float) -> Value:
    """Return a value with every duration in it, however deep, multiplied by ``factor``.

    A duration is a number in a field whose name ends in ``_s``. Raises UsageError for a factor
    below 1 or not finite.
    """
    if not (1 <= factor < math.inf):
        raise UsageError(f"times are stretched by a factor of 1 or more, not by {factor}")
    parts = {name: getattr(value, name) for name in value.__struct_fields__}
    return msgspec.structs.replace(
        value, **{name: _scale_value(name, part, factor) for name, part in parts.items()}
    )


def _scale_value(name: str, part: object, factor: float) -> object:
    match part:
        case msgspec.Struct():
            return scale_durations(part, factor)
        case tuple():
            return tuple(_scale_value(name, item, factor) for item in part)
        case int() | float() if name.endswith("_s"):
            return part * factor
        case _:
            return part
