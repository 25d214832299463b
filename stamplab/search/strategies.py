"""What Hypothesis draws schedules from: memory, times, policy, pressure, chance, and a meddler.

One and the same strategies for the guard and for the pre-fix harness, and nothing in them speaks of
how an upgrade ends. Values are in tenths of a second and simplest first, so that what is found
shrinks to a schedule that a person can read. Strategies are made once: making one takes longer
than drawing from it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

from hypothesis import strategies as st

from stamplab.harness.ci.policy import Policy
from stamplab.lab.faults.memory_pressure import Ample, Pressure, Pulse, Ramp, Squeeze
from stamplab.lab.faults.operator import (
    NextVersion,
    Operation,
    Recreate,
    Redeploy,
    Remove,
    Restamp,
    RollBack,
    Scale,
)
from stamplab.lab.faults.stamp import WrongStamp
from stamplab.lab.recipe.workload_overlay import Fault, Timing
from stamplab.lab.virtual.conditions import (
    Conditions,
    EveryCommit,
    EveryMoment,
    NodeOptions,
    PeriodicTaskLists,
    Visibility,
)
from stamplab.lab.workload.shape import MemoryShape
from stamplab.search.schedule import Change, Schedule, TimedOperation

Value = TypeVar("Value")
_MIB = 1024 * 1024
_LONGEST_BOOT_S = 30.0
_NO_START_PERIOD_S = 0.001
"""An overlay that says 0 says nothing to docker/cli's merging: the recipe's 20 minutes would stay.

(Found by tests/property/test_rehearsal.py.)
"""
_OTHERS_STAMP = "0ddba115+U"
_EARLIER = NextVersion(version="3.3.1-earlier", labels={})
_HISTORIES: st.SearchStrategy[tuple[Operation, ...]] = st.sampled_from(
    ((_EARLIER,), (_EARLIER, RollBack()))
)
_BOOLEANS = st.booleans()

whole_numbers = lru_cache(st.integers)
one_of = lru_cache(st.sampled_from)


def seconds(draw: st.DrawFn, least_s: float, most_s: float) -> float:
    """In steps of a tenth."""
    return draw(whole_numbers(round(least_s * 10), round(most_s * 10))) / 10


def _seldom(draw: st.DrawFn, one_in: int) -> bool:
    return draw(whole_numbers(1, one_in)) == one_in


def _mostly(draw: st.DrawFn, usual: Value, others: tuple[Value, ...], one_in: int) -> Value:
    """Return the usual value, and once in a while one of the others."""
    return draw(one_of(others)) if _seldom(draw, one_in) else usual


def _memory(draw: st.DrawFn) -> MemoryShape:
    """Return a boot that takes up to four times the memory of the steady state, and always more."""
    steady_bytes = 100 * _MIB
    quarters = draw(whole_numbers(5, 16))
    return MemoryShape(
        steady_bytes=steady_bytes,
        peak_bytes=steady_bytes * quarters // 4,
        boot_s=seconds(draw, 0.1, _LONGEST_BOOT_S),
        hold_s=seconds(draw, 0, 5),
        ready_s=seconds(draw, 0, 5),
    )


def _timing(draw: st.DrawFn, memory: MemoryShape) -> Timing:
    """Health checks patient enough for a boot, for the old version has to come up at first."""
    interval_s = seconds(draw, 0.1, 10)
    boot_s = memory.boot_s + memory.hold_s + memory.ready_s
    needed = round(boot_s / interval_s) + 2
    is_started_gently = draw(_BOOLEANS)
    return Timing(
        health_interval_s=interval_s,
        health_timeout_s=10.0,
        monitor_s=seconds(draw, 0.5, 20),
        stop_grace_s=seconds(draw, 0.5, 15),
        start_period_s=boot_s + interval_s * 2 if is_started_gently else _NO_START_PERIOD_S,
        retries=draw(whole_numbers(1, 3)) if is_started_gently else needed,
    )


def _policy(draw: st.DrawFn) -> Policy:
    """How the swarm is told to roll out."""
    return Policy(
        order=_mostly(draw, "start-first", ("stop-first",), one_in=3),
        failure_action=_mostly(draw, "rollback", ("pause", "continue"), one_in=5),
        delay_s=seconds(draw, 0.1, 10) if _seldom(draw, one_in=3) else 0.0,
        max_failure_ratio=_mostly(draw, 0.0, (0.3, 0.5, 1.0), one_in=5),
        parallelism=_mostly(draw, 1, (0, 2), one_in=4),
        replicas=_mostly(draw, 1, (2, 3, 4, 0), one_in=4),
        rollback_order=draw(one_of(("stop-first", "start-first"))),
        rollback_failure_action=draw(one_of(("pause", "continue", "rollback"))),
        max_attempts=_mostly(draw, None, (1, 2), one_in=8),
    )


def _pressure(draw: st.DrawFn) -> Pressure:
    """None, static, a pulse at any offset, or a ramp; static as often as all others."""
    kind = draw(one_of((Ample, Squeeze, Pulse, Ramp, Squeeze, Squeeze)))
    if kind is Ample:
        return Ample()
    short_by = draw(whole_numbers(1, 9)) / 10
    if kind is Squeeze:
        return Squeeze(short_by=short_by)
    if kind is Pulse:
        return Pulse(after_s=seconds(draw, 0, 60), for_s=seconds(draw, 0.1, 20), short_by=short_by)
    return Ramp(
        after_s=seconds(draw, 0, 30),
        over_s=seconds(draw, 0.1, 30),
        steps=draw(whole_numbers(1, 5)),
        short_by=short_by,
    )


@lru_cache
def operations(label: str) -> st.SearchStrategy[Operation]:
    """Return what a second operator might do; ``label`` is that of the stamp."""
    stamp = {label: _OTHERS_STAMP}
    return st.sampled_from(
        (
            Restamp(labels=stamp),
            Redeploy(),
            NextVersion(version="9.9.9", labels=stamp),
            RollBack(),
            Scale(replicas=2),
            Scale(replicas=0),
            Remove(),
            Recreate(),
        )
    )


def _meddling(draw: st.DrawFn, label: str) -> tuple[TimedOperation, ...]:
    """Usually nobody meddles; else up to two acts, at any moment."""
    if not _seldom(draw, one_in=5):
        return ()
    return tuple(
        TimedOperation(after_s=seconds(draw, 0, 60), what=draw(operations(label)))
        for _ in range(draw(whole_numbers(1, 2)))
    )


def _sight(draw: st.DrawFn) -> Visibility:
    """Who looks when: without a gap, or with the poll phase of a live recorder."""
    kind = draw(one_of((EveryCommit, EveryMoment, PeriodicTaskLists)))
    if kind is PeriodicTaskLists:
        return PeriodicTaskLists(every_s=seconds(draw, 0.1, 2), phase_s=seconds(draw, 0, 2))
    return EveryCommit() if kind is EveryCommit else EveryMoment()


def _conditions(draw: st.DrawFn) -> Conditions:
    """Chance, the node's own times, and the pauses of the harness's deploy command."""
    return Conditions(
        seed=draw(whole_numbers(0, 2**16)),
        node=NodeOptions(
            prepare_s=seconds(draw, 0.1, 2),
            start_s=seconds(draw, 0.1, 1),
            report_s=draw(one_of((0.1, 0.0))),
        ),
        visibility=_sight(draw),
        deploy_before_s=seconds(draw, 0, 2),
        deploy_after_s=seconds(draw, 0, 2),
    )


@st.composite
def schedules(draw: st.DrawFn, stamp_label: str) -> Schedule:
    """Return a whole schedule."""
    memory = _memory(draw)
    return Schedule(
        memory=memory,
        timing=_timing(draw, memory),
        policy=_policy(draw),
        pressure=_pressure(draw),
        earlier=draw(_HISTORIES) if _seldom(draw, one_in=5) else (),
        operations=_meddling(draw, stamp_label),
        fault=_mostly(draw, None, (Fault.CRASHES, Fault.CRASHES_LATER, Fault.ABSENT), one_in=10),
        change=_mostly(draw, Change.IMAGE, (Change.LABELS,), one_in=10),
        head_replicas=_mostly(draw, None, (0,), one_in=25),
        wrong_stamp=_mostly(draw, None, tuple(WrongStamp), one_in=8),
        reports_expected_stamp=draw(_BOOLEANS),
        refused=_seldom(draw, one_in=40),
        blind_after_s=seconds(draw, 0, 60) if _seldom(draw, one_in=40) else None,
        hc1_pause_s=seconds(draw, 0, 60),
        conditions=_conditions(draw),
    )
