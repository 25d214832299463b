"""Trials made by hand: a schedule, a short history, and how the harness ended."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from hypothesis import strategies as st

from stamplab.harness.checks.upgrade_truth import upgrade_observed
from stamplab.harness.ci.app import App
from stamplab.harness.ci.results import Results, StageResult
from stamplab.lab.faults import operator
from stamplab.lab.faults.operator import Restamp
from stamplab.lab.model import schema1
from stamplab.lab.model.history import (
    Finding,
    LimitSet,
    Observation,
    OperatorActed,
    StageBegan,
    StageEnd,
)
from stamplab.lab.virtual.conditions import Conditions, NodeOptions
from stamplab.search.explorable import REFERENCE
from stamplab.search.schedule import Schedule
from stamplab.search.strategies import seconds
from stamplab.search.trial import Trial
from tests.builders import BASE, HEAD, Story, listed, seen, service, task

APP = App(recipe="discourse", domain="shop")
OLD, NEW = task("old", BASE), task("new", HEAD)
BEGINS_S, APPLIED_S, RUNS_S, COMPLETED_S, BACK_S, ENDS_S = 10.0, 11.0, 14.0, 19.0, 16.0, 20.0
GUARD = "assert_upgrade_converged"
HOLD_S = HEAD.update.hold_s
"""For so long after its end a trial is watched."""
Value = TypeVar("Value", bound=msgspec.Struct)


@st.composite
def plain(draw: st.DrawFn) -> Schedule:
    """Four figures, each drawn by itself: quicker than all that a real search draws."""
    return but(
        REFERENCE,
        memory=but(REFERENCE.memory, boot_s=seconds(draw, 0.1, 30)),
        hc1_pause_s=seconds(draw, 0, 60),
        conditions=Conditions(
            seed=draw(st.integers(0, 9)), node=NodeOptions(prepare_s=seconds(draw, 0, 2))
        ),
    )


def told_at(story: Story) -> list[tuple[float, Observation]]:
    """What a story is made of."""
    return [(record.seen_s, record.what) for record in story.records]


def but(value: Value, **changes: object) -> Value:
    """The same value with some fields changed."""
    return msgspec.structs.replace(value, **changes)


def upgrading() -> Story:
    """The base runs, and head is applied."""
    return Story(
        (0.0, seen(service(BASE))),
        (0.0, listed(OLD)),
        (BEGINS_S, StageBegan(stage="upgrade")),
        (APPLIED_S, seen(service(HEAD, BASE, "updating"))),
    )


def converged() -> Story:
    """Head runs from `RUNS_S` on, and is completed at `COMPLETED_S`."""
    story = upgrading().at(RUNS_S, listed(NEW))
    return story.at(COMPLETED_S, seen(service(HEAD, BASE, "completed")))


def rolled_back() -> Story:
    """Head never runs; the swarm goes back at `BACK_S`, by itself."""
    story = upgrading().at(BACK_S, seen(service(BASE, None, "rollback_started")))
    return story.at(BACK_S + 1, seen(service(BASE, None, "rollback_completed")))


def acted(refused: str = "") -> OperatorActed:
    """A second operator's act."""
    return operator.operator_record(Restamp(labels={}), refused)


def limited(limit_bytes: int | None, usage_bytes: int) -> LimitSet:
    """A limit, while so much is in use."""
    return LimitSet(limit_bytes=limit_bytes, usage_bytes=usage_bytes, reason="for a test")


def trial(
    story: Story | None = None,
    end: StageEnd = "pass",
    reason: str = "",
    *,
    schedule: Schedule = REFERENCE,
    end_s: float = ENDS_S,
    step: str = GUARD,
    guarded: bool = False,
) -> Trial:
    """What became of a schedule; without a story it converged.

    ``step`` is what failed it; of another step than the guard, ``guarded`` tells whether the guard
    had passed it before. The reason is a sentence of a real ruling, and has its facts as fields.
    """
    lines = converged() if story is None else story
    history = lines.records
    if end == "fail":
        passed = [(end_s, Finding(step=GUARD, passed=True, text="converged: "))] if guarded else []
        failed = (end_s, Finding(step=step, passed=False, text=reason))
        history = [
            schema1.upgrade(record) for record in Story(*told_at(lines), *passed, failed).records
        ]
    stages = (
        StageResult(stage="install", end="pass"),
        StageResult(stage="upgrade", end=end, reason=reason),
    )
    results = Results(run_id="made", recipe="discourse", ref="head", stages=stages, abra="nobody")
    return Trial(schedule, APP, results, history, upgrade_observed(history, APP.service), end_s)
