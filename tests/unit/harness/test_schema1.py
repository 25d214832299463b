"""The sentences of schema 1 stand for the fields of schema 2: both are made here and compared."""

from __future__ import annotations

import msgspec
import pytest

from stamplab.lab.faults.operator import (
    NextVersion,
    Operation,
    Recreate,
    Redeploy,
    Remove,
    Restamp,
    RollBack,
    Scale,
    operator_record,
)
from stamplab.lab.model import schema1
from stamplab.lab.model.history import (
    Finding,
    Note,
    Observation,
    OperatorActed,
    ServiceSeen,
    StageBegan,
    StageEnded,
    placed,
)
from tests.builders import (
    BASE,
    HEAD,
    STAMP,
    THIRD,
    Story,
    deployed,
    listed,
    seen,
    service,
    status,
    task,
)
from tests.unit.harness.watching import BEFORE, NEW, OLD, rule, upgrade

STARTED = service(BASE, None, "rollback_started")
COMPLETED = service(BASE, None, "rollback_completed")
BY_HAND = status("rollback_started", message="manually requested rollback")
FAILED = task("new", HEAD, "failed", error="task: non-zero exit (1)")


def of_schema_1(what: Observation) -> Observation:
    """What the reader makes of a record of schema 1."""
    record = placed(0, "test", what, 1.0, None)
    return schema1.upgrade(record).what


RULED: dict[str, tuple[Story, str, str | None, str | None]] = {
    "converged": (
        upgrade((5, listed(NEW)), (11, seen(service(HEAD, BASE, "completed")))),
        *("converged", None, None),
    ),
    "rolled back": (
        upgrade((7, seen(STARTED)), (7, listed(OLD, FAILED)), (8, seen(COMPLETED))),
        *("rolled back", "new", None),
    ),
    "rolled back, by a task that nobody saw": (
        upgrade((8, seen(COMPLETED))),
        *("rolled back", None, None),
    ),
    "rolled back, then removed": (
        upgrade((7, seen(STARTED)), (8, seen(None))),
        *("rolled back", "new", "removal"),
    ),
    "rolled back, then updated again": (
        upgrade((7, seen(STARTED)), (8, seen(service(THIRD, BASE, "updating")))),
        *("rolled back", "new", "another"),
    ),
    "paused": (
        upgrade((7, seen(service(HEAD, BASE, "paused"))), (7, listed(OLD, FAILED))),
        *("paused", "new", None),
    ),
    "superseded": (
        upgrade((7, seen(service(THIRD, HEAD)))),
        *("superseded by another update", None, "another"),
    ),
    "rolled back by hand": (
        upgrade((7, seen(service(BASE, HEAD, BY_HAND)))),
        *("superseded by another update", None, "rollback by hand"),
    ),
    "removed": (upgrade((7, seen(None))), *("removed", None, "removal")),
    "stamped otherwise": (
        upgrade((7, seen(service(HEAD, BASE, "completed")))),
        *("stamp mismatch", None, None),
    ),
    "refused": (
        Story((0, seen(BEFORE)), (1, deployed(1, "there is no service x"))),
        *("deploy command failed", None, None),
    ),
    "too late": (upgrade(), *("timed out", None, None)),
}


@pytest.mark.parametrize("case", RULED)
def test_a_rulings_sentence_stands_for_its_fields(case: str) -> None:
    story, *fields = RULED[case]
    labels = {STAMP: "another" if case == "stamped otherwise" else HEAD.labels[STAMP]}
    ruling = rule(BEFORE, story, labels=labels)
    assert [ruling.outcome, ruling.failed_task, ruling.other_update] == fields
    prefix = "upgrade-converged" if case == "converged" else "upgrade-not-converged"
    finding = of_schema_1(
        Finding(
            step="assert_upgrade_converged",
            passed=case == "converged",
            text=f"{prefix}: {ruling.service}: {ruling.reason}",
        )
    )
    assert isinstance(finding, Finding)
    assert [finding.outcome, finding.failed_task, finding.other_update] == fields


def test_other_findings_are_left_as_they_are() -> None:
    finding = Finding(step="hc1", passed=False, text="head spec applied then swarm-rolled-back")
    assert of_schema_1(finding) == finding


@pytest.mark.parametrize(
    "operation",
    [
        Restamp(labels={}),
        Redeploy(),
        NextVersion(version="3", labels={}),
        RollBack(),
        Scale(replicas=2),
        Remove(),
        Recreate(),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_an_operators_sentence_stands_for_the_operation(operation: Operation) -> None:
    acted = operator_record(operation, "update out of sequence")
    assert acted.operation
    assert of_schema_1(OperatorActed(what=acted.what, refused=acted.refused)) == acted


FAILED_STEPS = {
    "not healthy within 9 s: x: y\nz": "wait_healthy",
    "re-checkout failed: chaos commit 'x', not 'y' (HC1)": "hc1",
    "there is no service x_app": "deployed_identity",
    "there is no service x_app (any more)": "assert_upgrade_converged",
    "whatever": "",
}
STAGES: dict[str, Observation] = {
    "==> stage install": StageBegan(stage="install"),
    "<== stage install: pass": StageEnded(stage="install", end="pass"),
    **{
        f"<== stage upgrade: fail: {reason}": StageEnded(
            stage="upgrade", end="fail", reason=reason, failed_step=step
        )
        for reason, step in FAILED_STEPS.items()
    },
    "say ==> stage install": Note(text="say ==> stage install"),
    "<== stage upgrade: over": Note(text="<== stage upgrade: over"),
}


@pytest.mark.parametrize("line", STAGES)
def test_a_line_of_the_console_stands_for_a_stage(line: str) -> None:
    assert of_schema_1(Note(text=line)) == STAGES[line]


def test_the_task_that_an_update_status_blames_is_a_field() -> None:
    assert STARTED.update_status is not None
    silent = msgspec.structs.replace(STARTED.update_status, failed_task=None)
    old = ServiceSeen(name="x", service=msgspec.structs.replace(STARTED, update_status=silent))
    assert of_schema_1(old) == ServiceSeen(name="x", service=STARTED)
