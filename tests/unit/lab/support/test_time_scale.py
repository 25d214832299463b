"""Scaling: all durations of a value, and nothing else."""

from __future__ import annotations

import math

import msgspec
import pytest

from stamplab.lab.errors import UsageError
from stamplab.lab.support.time_scale import scale_durations


class Inner(msgspec.Struct, frozen=True, kw_only=True):
    pause_s: float
    until_settled: bool = True


class Outer(msgspec.Struct, frozen=True, kw_only=True):
    name_s: str = "5"
    limit_bytes: int = 7
    short_by: float = 0.5
    whole_s: int = 2
    left_s: float | None = None
    inner: Inner = Inner(pause_s=1.5)
    several: tuple[Inner, ...] = (Inner(pause_s=0.0), Inner(pause_s=60.0))
    steps_s: tuple[float, ...] = (0.1, 0.2)


def test_every_duration_is_scaled_however_deep_and_nothing_else() -> None:
    assert scale_durations(Outer(), 10) == Outer(
        whole_s=20,
        inner=Inner(pause_s=15.0),
        several=(Inner(pause_s=0.0), Inner(pause_s=600.0)),
        steps_s=(1.0, 2.0),
    )


def test_by_one_nothing_changes() -> None:
    assert scale_durations(Outer(), 1) == Outer()


@pytest.mark.parametrize("factor", [0.5, 0, -1, math.nan, math.inf])
def test_a_factor_that_would_hurry_or_is_none_is_refused(factor: float) -> None:
    with pytest.raises(UsageError, match="by a factor of 1 or more, not by"):
        scale_durations(Outer(), factor)
