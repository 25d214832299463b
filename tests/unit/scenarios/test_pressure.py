"""Pressure plans: NEW alone fits under a squeeze, NEW beside OLD does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import pressure
from lab.pressure import Ample, Squeeze
from lab.workload.shape import MemoryShape
from tests.builders import MIB


@st.composite
def steep_shapes(draw: st.DrawFn) -> MemoryShape:
    """Shapes whose boot takes at least twice the steady state."""
    steady = draw(st.integers(2, 1 << 34))
    peak = draw(st.integers(2 * steady, 1 << 37))
    return MemoryShape(steady_bytes=steady, peak_bytes=peak, boot_s=1.0)


overheads = st.integers(0, 1 << 36)
shortages = st.floats(0.01, 1.0)


@given(shape=steep_shapes(), overhead=overheads)
def test_under_a_squeeze_new_boots_alone_but_not_beside_old(
    shape: MemoryShape, overhead: int
) -> None:
    limit = Squeeze().limit_bytes(overhead + shape.steady_bytes, shape)
    assert limit < overhead + shape.steady_bytes + shape.peak_bytes
    assert limit >= overhead + shape.peak_bytes


@given(shape=steep_shapes(), overhead=overheads, short_by=shortages)
def test_new_alone_fits_however_short_the_squeeze(
    shape: MemoryShape, overhead: int, short_by: float
) -> None:
    usage = overhead + shape.steady_bytes
    limit = Squeeze(short_by=short_by).limit_bytes(usage, shape)
    assert overhead + shape.peak_bytes <= limit <= usage + shape.peak_bytes
    assert limit == usage + shape.peak_bytes - round(shape.steady_bytes * short_by)


@given(shape=steep_shapes(), overhead=overheads)
def test_old_is_not_killed_by_the_limit_itself(shape: MemoryShape, overhead: int) -> None:
    usage = overhead + shape.steady_bytes
    assert Squeeze().limit_bytes(usage, shape) > usage


@given(shape=steep_shapes(), overhead=overheads)
def test_when_memory_runs_out_new_is_the_largest(shape: MemoryShape, overhead: int) -> None:
    """The plain kernel kills the largest: NEW must have outgrown OLD when the limit is hit."""
    usage = overhead + shape.steady_bytes
    new_at_the_limit = Squeeze().limit_bytes(usage, shape) - usage
    assert new_at_the_limit >= shape.steady_bytes


@given(shape=steep_shapes(), usage=overheads)
def test_ample_sets_no_limit(shape: MemoryShape, usage: int) -> None:
    Ample().limit_bytes(usage, shape)
    assert pressure.describe(None, usage, shape) == "no limit: OLD and NEW fit together"


def test_a_limit_is_described_by_its_figures() -> None:
    shape = MemoryShape(steady_bytes=100 * MIB, peak_bytes=300 * MIB, boot_s=1)
    limit = Squeeze().limit_bytes(120 * MIB, shape)
    assert limit == 370 * MIB
    assert pressure.describe(limit, 120 * MIB, shape) == (
        "limit 370 MiB: in use 120 MiB, of which OLD's steady 100 MiB; NEW's boot peak 300 MiB"
    )


@pytest.mark.parametrize("short_by", [0.1, 0.5, 0.9])
def test_the_shortage_is_a_share_of_olds_steady_use(short_by: float) -> None:
    shape = MemoryShape(steady_bytes=100, peak_bytes=300, boot_s=1)
    assert Squeeze(short_by=short_by).limit_bytes(150, shape) == 450 - round(100 * short_by)
