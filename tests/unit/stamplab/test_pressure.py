"""Pressure plans: NEW alone fits under a squeeze, NEW beside OLD does not; what comes later."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stamplab.lab.faults import memory_pressure
from stamplab.lab.faults.memory_pressure import Ample, Pressure, Pulse, Ramp, Squeeze
from stamplab.lab.faults.operator import Act, SetLimit
from stamplab.lab.support.time_scale import scale_durations
from stamplab.lab.workload.shape import MemoryShape
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
def test_a_squeeze_lets_new_boot_but_not_beside_old(shape: MemoryShape, overhead: int) -> None:
    limit = Squeeze().limit_bytes(overhead + shape.steady_bytes, shape)
    assert limit < overhead + shape.steady_bytes + shape.peak_bytes
    assert limit >= overhead + shape.peak_bytes


@given(shape=steep_shapes(), overhead=overheads, short_by=shortages)
def test_new_alone_fits_any_squeeze(shape: MemoryShape, overhead: int, short_by: float) -> None:
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
    assert memory_pressure.describe(None, usage, shape) == "no limit: OLD and NEW fit together"


def test_a_limit_is_described_by_its_figures() -> None:
    shape = MemoryShape(steady_bytes=100 * MIB, peak_bytes=300 * MIB, boot_s=1)
    limit = Squeeze().limit_bytes(120 * MIB, shape)
    assert limit == 370 * MIB
    assert memory_pressure.describe(limit, 120 * MIB, shape) == (
        "limit 370 MiB: in use 120 MiB, of which OLD's steady 100 MiB; NEW's boot peak 300 MiB"
    )


@pytest.mark.parametrize("short_by", [0.1, 0.5, 0.9])
def test_the_shortage_is_a_share_of_olds_steady_use(short_by: float) -> None:
    shape = MemoryShape(steady_bytes=100, peak_bytes=300, boot_s=1)
    assert Squeeze(short_by=short_by).limit_bytes(150, shape) == 450 - round(100 * short_by)


# What comes later.

seconds = st.integers(0, 600).map(lambda tenths: tenths / 10)
some_seconds = st.integers(1, 600).map(lambda tenths: tenths / 10)
pulses = st.builds(Pulse, after_s=seconds, for_s=some_seconds, short_by=shortages)
ramps = st.builds(
    Ramp, after_s=seconds, over_s=some_seconds, steps=st.integers(1, 9), short_by=shortages
)


def limits(acts: tuple[Act, ...]) -> list[tuple[float, int | None]]:
    """When which limit is set; nothing else may happen."""
    set_ = [(act.after_s, act.what) for act in acts]
    return [(at_s, what.limit_bytes) for at_s, what in set_ if isinstance(what, SetLimit)]


@given(shape=steep_shapes(), usage=overheads)
def test_what_is_static_does_nothing_later(shape: MemoryShape, usage: int) -> None:
    assert Ample().acts(usage, shape) == ()
    assert Squeeze().acts(usage, shape) == ()


@given(plan=pulses | ramps, shape=steep_shapes(), usage=overheads)
def test_what_comes_later_is_a_limit(plan: Pulse | Ramp, shape: MemoryShape, usage: int) -> None:
    acts = plan.acts(usage, shape)
    assert len(limits(acts)) == len(acts) > 0


@given(pulse=pulses, shape=steep_shapes(), usage=overheads)
def test_a_pulse_is_a_squeeze_that_ends(pulse: Pulse, shape: MemoryShape, usage: int) -> None:
    squeeze = Squeeze(short_by=pulse.short_by).limit_bytes(usage, shape)
    assert limits(pulse.acts(usage, shape)) == [
        (pulse.after_s, squeeze),
        (pulse.after_s + pulse.for_s, None),
    ]


@given(ramp=ramps, shape=steep_shapes(), usage=overheads)
def test_a_ramp_sinks_and_ends_as_a_squeeze(ramp: Ramp, shape: MemoryShape, usage: int) -> None:
    steps = limits(ramp.acts(usage, shape))
    sunk = [limit for _, limit in steps if limit is not None]
    assert len(sunk) == len(steps) == ramp.steps
    assert all(higher >= lower for higher, lower in pairwise(sunk))
    assert usage + shape.peak_bytes >= sunk[0]
    assert sunk[-1] == Squeeze(short_by=ramp.short_by).limit_bytes(usage, shape)


@given(ramp=ramps, shape=steep_shapes(), usage=overheads)
def test_a_ramps_steps_are_even(ramp: Ramp, shape: MemoryShape, usage: int) -> None:
    steps = limits(ramp.acts(usage, shape))
    times_s = [ramp.after_s, *(at_s for at_s, _ in steps)]
    assert times_s[-1] == pytest.approx(ramp.after_s + ramp.over_s)
    for before_s, after_s in pairwise(times_s):
        assert after_s - before_s == pytest.approx(ramp.over_s / ramp.steps)
    sizes = [usage + shape.peak_bytes, *(limit for _, limit in steps if limit is not None)]
    falls = [higher - lower for higher, lower in pairwise(sizes)]
    assert max(falls) - min(falls) <= 1


@pytest.mark.parametrize("plan", [Pulse(after_s=2.0, for_s=3.0), Ramp(after_s=2.0, over_s=4.0)])
def test_a_plan_on_a_slower_machine_is_the_same_and_later(plan: Pulse | Ramp) -> None:
    shape = MemoryShape(steady_bytes=100, peak_bytes=300, boot_s=1)
    usual, slow = limits(plan.acts(150, shape)), limits(scale_durations(plan, 10).acts(150, shape))
    assert [limit for _, limit in slow] == [limit for _, limit in usual]
    assert [at_s for at_s, _ in slow] == pytest.approx([at_s * 10 for at_s, _ in usual])


def test_what_comes_later_is_said_with_its_figures() -> None:
    shape = MemoryShape(steady_bytes=100 * MIB, peak_bytes=300 * MIB, boot_s=1)
    figures = "in use 120 MiB, of which OLD's steady 100 MiB; NEW's boot peak 300 MiB"
    text = [act.what for act in Pulse(after_s=0, for_s=2.5).acts(120 * MIB, shape)]
    assert text == [
        SetLimit(limit_bytes=370 * MIB, reason=f"a pulse of 2.5 s: limit 370 MiB: {figures}"),
        SetLimit(limit_bytes=None, reason="the pulse is over: no limit"),
    ]
    text = [act.what for act in Ramp(after_s=0, over_s=2, steps=2).acts(120 * MIB, shape)]
    assert text == [
        SetLimit(limit_bytes=395 * MIB, reason=f"step 1 of 2: limit 395 MiB: {figures}"),
        SetLimit(limit_bytes=370 * MIB, reason=f"step 2 of 2: limit 370 MiB: {figures}"),
    ]


@pytest.mark.parametrize(
    "plan", [Ample(), Squeeze(short_by=0.3), Pulse(after_s=1, for_s=2), Ramp(after_s=1, over_s=2)]
)
def test_a_plan_is_read_back_as_it_was_written(plan: Pressure) -> None:
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Pressure) == plan
