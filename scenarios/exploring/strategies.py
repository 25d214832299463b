"""What Hypothesis draws schedules from: memory, times, policy, pressure, chance, and a meddler.

One and the same strategies for the guard and for the pre-fix harness, and nothing in them speaks of
how an upgrade ends. Values are in tenths of a second and simplest first, so that what is found
shrinks to a schedule that a person can read.
"""

from __future__ import annotations

from typing import TypeVar

from hypothesis import strategies as st

from harness.policy import Policy
from lab.nemesis import NextVersion, Operation, Redeploy, Restamp, RollBack, Scale
from lab.pressure import Ample, Pressure, Pulse, Ramp, Squeeze
from lab.recipe.standin import Fault, Timing
from lab.virtual.conditions import Commits, Conditions, Looks, Moments, Node, Sight
from lab.workload.shape import MemoryShape
from scenarios.exploring.schedule import Change, Meddling, Schedule
from scenarios.planted import Planted

Value = TypeVar("Value")
_MIB = 1024 * 1024
_SMOOTH_BOOT_S = 30.0
_NO_START_PERIOD_S = 0.001
"""An overlay that says 0 says nothing to docker/cli's merging: the recipe's 20 minutes would stay.

(Found by tests/property/test_rehearsal.py.)
"""
_OTHERS_STAMP = "0ddba115+U"


def tenths(least_s: float, most_s: float) -> st.SearchStrategy[float]:
    """Seconds in steps of a tenth."""
    return st.integers(round(least_s * 10), round(most_s * 10)).map(lambda n: n / 10)


@st.composite
def mostly(
    draw: st.DrawFn, usual: st.SearchStrategy[Value], seldom: st.SearchStrategy[Value], one_in: int
) -> Value:
    """The usual, and once in a while something else."""
    return draw(seldom if draw(st.integers(1, one_in)) == one_in else usual)


@st.composite
def memory_shapes(draw: st.DrawFn) -> MemoryShape:
    """A boot that takes up to four times the memory of the steady state, and always more."""
    steady_bytes = 100 * _MIB
    quarters = draw(st.integers(5, 16))
    return MemoryShape(
        steady_bytes=steady_bytes,
        peak_bytes=steady_bytes * quarters // 4,
        boot_s=draw(tenths(0.1, _SMOOTH_BOOT_S)),
        hold_s=draw(tenths(0, 5)),
        ready_s=draw(tenths(0, 5)),
    )


@st.composite
def timings(draw: st.DrawFn, memory: MemoryShape) -> Timing:
    """Health checks patient enough for a boot, for the old version has to come up at first."""
    interval_s = draw(tenths(0.1, 10))
    boot_s = memory.boot_s + memory.hold_s + memory.ready_s
    needed = round(boot_s / interval_s) + 2
    is_started_gently = draw(st.booleans())
    return Timing(
        health_interval_s=interval_s,
        health_timeout_s=10.0,
        monitor_s=draw(tenths(0.5, 20)),
        stop_grace_s=draw(tenths(0.5, 15)),
        start_period_s=boot_s + interval_s * 2 if is_started_gently else _NO_START_PERIOD_S,
        retries=draw(st.integers(1, 3)) if is_started_gently else needed,
    )


@st.composite
def policies(draw: st.DrawFn, replicas: st.SearchStrategy[int]) -> Policy:
    """How the swarm is told to roll out."""
    return Policy(
        order=draw(mostly(st.just("start-first"), st.just("stop-first"), one_in=3)),
        failure_action=draw(
            mostly(st.just("rollback"), st.sampled_from(("pause", "continue")), one_in=4)
        ),
        delay_s=draw(mostly(st.just(0.0), tenths(0.1, 10), one_in=3)),
        max_failure_ratio=draw(mostly(st.just(0.0), st.sampled_from((0.3, 0.5, 1.0)), one_in=5)),
        parallelism=draw(mostly(st.just(1), st.sampled_from((0, 2)), one_in=4)),
        replicas=draw(replicas),
        rollback_order=draw(st.sampled_from(("stop-first", "start-first"))),
        rollback_failure_action=draw(st.sampled_from(("pause", "continue"))),
    )


shortages = st.integers(1, 9).map(lambda n: n / 10)


@st.composite
def pressures(draw: st.DrawFn) -> Pressure:
    """None, static, a pulse at any offset, or a ramp; static as often as all others."""
    kind = draw(st.sampled_from((Ample, Squeeze, Pulse, Ramp, Squeeze, Squeeze)))
    if kind is Ample:
        return Ample()
    short_by = draw(shortages)
    if kind is Squeeze:
        return Squeeze(short_by=short_by)
    if kind is Pulse:
        return Pulse(after_s=draw(tenths(0, 60)), for_s=draw(tenths(0.1, 20)), short_by=short_by)
    return Ramp(
        after_s=draw(tenths(0, 30)),
        over_s=draw(tenths(0.1, 30)),
        steps=draw(st.integers(1, 5)),
        short_by=short_by,
    )


def operations(label: str) -> st.SearchStrategy[Operation]:
    """What a second operator might do; ``label`` is that of the stamp."""
    stamp = {label: _OTHERS_STAMP}
    return st.sampled_from(
        (
            Restamp(labels=stamp),
            Redeploy(),
            NextVersion(version="9.9.9", labels=stamp),
            RollBack(),
            Scale(replicas=2),
            Scale(replicas=0),
        )
    )


_EARLIER = NextVersion(version="3.3.1-earlier", labels={})


def histories() -> st.SearchStrategy[tuple[Operation, ...]]:
    """Usually it was just installed; else an update, or a rollback, has left its status."""
    return mostly(st.just(()), st.sampled_from(((_EARLIER,), (_EARLIER, RollBack()))), one_in=5)


def meddlings(label: str) -> st.SearchStrategy[tuple[Meddling, ...]]:
    """Usually nobody meddles; else up to two acts, at any moment."""
    one = st.builds(Meddling, after_s=tenths(0, 60), what=operations(label))
    some = st.lists(one, min_size=1, max_size=2).map(tuple)
    return mostly(st.just(()), some, one_in=5)


def sights() -> st.SearchStrategy[Sight]:
    """Who looks when: without a gap, or with the poll phase of a live recorder."""
    looks = st.builds(Looks, every_s=tenths(0.1, 2), phase_s=tenths(0, 2))
    return st.one_of(st.just(Commits()), st.just(Moments()), looks)


@st.composite
def conditions(draw: st.DrawFn) -> Conditions:
    """Chance, the node's own times, and the pauses of the harness's deploy command."""
    return Conditions(
        seed=draw(st.integers(0, 2**16)),
        node=Node(
            prepare_s=draw(tenths(0.1, 2)),
            start_s=draw(tenths(0.1, 1)),
            report_s=draw(st.sampled_from((0.0, 0.1))),
        ),
        sight=draw(sights()),
        deploy_before_s=draw(tenths(0, 2)),
        deploy_after_s=draw(tenths(0, 2)),
    )


@st.composite
def schedules(
    draw: st.DrawFn, stamp_label: str, replicas: st.SearchStrategy[int] | None = None
) -> Schedule:
    """A whole schedule; one replica unless said otherwise, for more of them are not repeatable."""
    memory = draw(memory_shapes())
    return Schedule(
        memory=memory,
        timing=draw(timings(memory)),
        policy=draw(policies(replicas if replicas is not None else st.just(1))),
        pressure=draw(pressures()),
        earlier=draw(histories()),
        meddling=draw(meddlings(stamp_label)),
        fault=draw(mostly(st.none(), st.sampled_from((Fault.CRASHES, Fault.ABSENT)), one_in=12)),
        change=draw(mostly(st.just(Change.IMAGE), st.just(Change.LABELS), one_in=10)),
        head_replicas=draw(mostly(st.none(), st.just(0), one_in=25)),
        planted=draw(mostly(st.none(), st.sampled_from(list(Planted)), one_in=8)),
        missaid=draw(st.booleans()),
        hc1_pause_s=draw(tenths(0, 60)),
        conditions=draw(conditions()),
    )
