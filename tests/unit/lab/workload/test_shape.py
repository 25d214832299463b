"""The memory shape: only possible ones, and the program understands them all."""

import math
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stamplab.lab.errors import UsageError
from stamplab.lab.workload.shape import MemoryShape
from tests.unit.lab.workload.running import run

seconds = st.floats(0, 1e6)


@st.composite
def shapes(draw: st.DrawFn) -> MemoryShape:
    steady = draw(st.integers(100, 1 << 40))
    peak = draw(st.integers(steady, 1 << 41))
    return MemoryShape(
        steady_bytes=steady,
        peak_bytes=peak,
        boot_s=draw(seconds),
        hold_s=draw(seconds),
        ready_s=draw(seconds),
    )


@pytest.mark.parametrize(("steady", "peak"), [(0, 10), (-1, 10), (11, 10)])
def test_impossible_bytes(steady: int, peak: int) -> None:
    with pytest.raises(UsageError, match="peak >= steady > 0"):
        MemoryShape(steady_bytes=steady, peak_bytes=peak, boot_s=1)


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_impossible_durations(bad: float) -> None:
    with pytest.raises(UsageError, match="hold_s of a memory shape"):
        MemoryShape(steady_bytes=1, peak_bytes=1, boot_s=1, hold_s=bad)


def test_frozen() -> None:
    shape = MemoryShape(steady_bytes=1, peak_bytes=2, boot_s=1)
    with pytest.raises(AttributeError):
        shape.peak_bytes = 3  # type: ignore[misc]


def test_read_from_data_it_is_checked_too() -> None:
    assert msgspec.json.decode(
        b'{"steady_bytes":1,"peak_bytes":2,"boot_s":3}', type=MemoryShape
    ) == MemoryShape(steady_bytes=1, peak_bytes=2, boot_s=3)
    with pytest.raises(UsageError):
        msgspec.json.decode(b'{"steady_bytes":3,"peak_bytes":2,"boot_s":3}', type=MemoryShape)


def test_scaled() -> None:
    shape = MemoryShape(steady_bytes=100, peak_bytes=300, boot_s=1, hold_s=0.5)
    assert shape.scaled(0.5) == MemoryShape(steady_bytes=50, peak_bytes=150, boot_s=1, hold_s=0.5)


@pytest.mark.parametrize("factor", [0, -1, math.nan, math.inf, 0.0001])
def test_scaled_to_nothing(factor: float) -> None:
    with pytest.raises(UsageError):
        MemoryShape(steady_bytes=100, peak_bytes=300, boot_s=1).scaled(factor)


@given(shapes(), st.floats(0.5, 2))
def test_a_scaled_shape_is_a_shape(shape: MemoryShape, factor: float) -> None:
    assert shape.scaled(factor).scaled(1 / factor).peak_bytes == pytest.approx(
        shape.peak_bytes, abs=2
    )


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(shape=shapes())
def test_the_program_understands_every_shape(stampload: Path, shape: MemoryShape) -> None:
    variables = {**shape.environment(), "STAMPLOAD_BOOT_S": "1000000"}
    by_name = {name.removeprefix("STAMPLOAD_"): value for name, value in variables.items()}
    done = run(stampload, "serve", "--exit-at-s", "0", "--exit-code", "5", **by_name)
    assert (done.returncode, done.stderr) == (5, "")
