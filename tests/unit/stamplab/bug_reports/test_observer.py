"""The truth by somebody who only looks on: what it calls deployed, and what it does not."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from stamplab.harness.checks import ground_truth as module
from stamplab.harness.checks.ground_truth import STEADY_S, ServiceObserver, TrueOutcome
from stamplab.lab.model.history import Observation
from stamplab.lab.model.service_request import ServiceRequest, changed
from stamplab.lab.model.swarm import Task
from tests.unit.stamplab.bug_reports.made import BASE, HEAD, gone, observed, service, task, tasks

BEFORE: tuple[tuple[float, Observation], ...] = ((0, service(BASE)), (1, tasks(task("old", BASE))))
SINCE = len(BEFORE)
UPDATING = (2.0, service(HEAD, "updating", previous=BASE))
COMPLETED = (2.0, service(HEAD, "completed", previous=BASE))


def outcome_after(
    *moments: tuple[float, Observation], request: ServiceRequest = HEAD, now_s: float = 70.0
) -> TrueOutcome:
    """What became of a deploy over the base, when nobody did anything else."""
    return observed(*BEFORE, *moments).truth(request, SINCE, None, now_s).outcome


def test_it_shares_no_code_with_the_guard() -> None:
    tree = ast.parse(Path(module.__file__).read_text())
    names = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)] + [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    ]
    assert [name for name in names if name.startswith("harness")] == []


def test_deployed_is_what_was_asked_for_with_the_same_tasks_for_long() -> None:
    up = (5, tasks(task("old", BASE, "shutdown"), task("new", HEAD)))
    done = (10, service(HEAD, "completed", previous=BASE))
    assert outcome_after(UPDATING, up, done) is TrueOutcome.DEPLOYED
    assert outcome_after(UPDATING, up, done, now_s=24) is TrueOutcome.DOWN


def test_a_restart_every_so_often_is_no_running() -> None:
    moments: list[tuple[float, Observation]] = [COMPLETED]
    listed: list[Task] = []
    for number in range(8):
        at_s = 5 + 8 * number
        moments.append((at_s, tasks(*listed, task(f"new{number}", HEAD))))
        listed.append(task(f"new{number}", HEAD, "failed", exit_code=1))
        moments.append((at_s + 5, tasks(*listed)))
    moments.append((69, tasks(*listed, task("last", HEAD))))
    assert outcome_after(*moments) is TrueOutcome.DOWN
    truth = observed(*BEFORE, *moments).truth(HEAD, SINCE, None, 70)
    assert truth.broke_s == 10
    assert truth.text == (
        "the update state is completed, 1 of 1 tasks of its spec run, 8 of those listed have failed"
    )


def test_the_old_tasks_do_not_count() -> None:
    assert outcome_after(UPDATING) is TrueOutcome.DOWN


def test_rolled_back_is_the_spec_from_before_without_a_previous_one() -> None:
    back = (5, service(BASE, "rollback_completed"))
    assert outcome_after(UPDATING, back) is TrueOutcome.ROLLED_BACK
    by_hand = (5, service(BASE, "rollback_completed", previous=HEAD))
    assert outcome_after(UPDATING, by_hand) is TrueOutcome.REPLACED


def test_another_spec_in_the_end_is_somebody_elses() -> None:
    other = (5, service(changed(HEAD, stamp="9"), previous=HEAD))
    assert outcome_after((2, service(HEAD)), other) is TrueOutcome.REPLACED


@pytest.mark.parametrize(
    "other", [changed(BASE, stamp="2"), changed(HEAD, replicas=3)], ids=["stamp", "replicas"]
)
def test_a_stamp_alone_or_other_replicas_are_not_what_was_asked_for(other: ServiceRequest) -> None:
    assert outcome_after((2, service(other, previous=BASE))) is TrueOutcome.REPLACED


def test_paused_removed_and_scaled_to_zero() -> None:
    assert outcome_after((2, service(HEAD, "paused", previous=BASE))) is TrueOutcome.PAUSED
    assert outcome_after((2, service(HEAD)), (5, gone())) is TrueOutcome.REMOVED
    none = changed(HEAD, replicas=0)
    assert outcome_after((2, service(none)), (5, tasks()), request=none) is TrueOutcome.DEPLOYED
    assert ServiceObserver("nobody").truth(HEAD, 0, None, 70).outcome is TrueOutcome.REMOVED


@pytest.mark.parametrize(
    ("restart", "state", "exit_code", "expected"),
    [
        ("on-failure", "complete", 0, TrueOutcome.FINISHED),
        ("none", "complete", 0, TrueOutcome.FINISHED),
        ("any", "complete", 0, TrueOutcome.DOWN),
        ("on-failure", "failed", 1, TrueOutcome.DOWN),
        ("none", "rejected", None, TrueOutcome.DOWN),
    ],
)
def test_finished_is_an_end_with_0_of_what_is_not_restarted(
    restart: str, state: str, exit_code: int | None, expected: TrueOutcome
) -> None:
    job = changed(HEAD, restart=restart)
    ended = tasks(task("job", job, state, exit_code=exit_code))
    assert outcome_after((2, service(job)), (5, ended), request=job) is expected


def test_what_was_cut_short_by_the_next_update_is_replaced_what_was_over_is_not() -> None:
    after = (9.0, service(changed(HEAD, stamp="3"), previous=HEAD))
    cut = observed(*BEFORE, UPDATING, after)
    assert cut.truth(HEAD, SINCE, SINCE + 1, 70).outcome is TrueOutcome.REPLACED
    over = observed(*BEFORE, UPDATING, (5, service(HEAD, "paused", previous=BASE)), after)
    assert over.truth(HEAD, SINCE, SINCE + 2, 70).outcome is TrueOutcome.PAUSED


def test_what_touches_no_task_is_deployed_as_soon_as_it_stood_for_long() -> None:
    labelled = changed(BASE, stamp="2")
    seen = observed(*BEFORE, (2, service(labelled, previous=BASE)))
    assert seen.truth(labelled, SINCE, SINCE + 1, 30).outcome is TrueOutcome.DEPLOYED
    assert seen.truth(labelled, SINCE, SINCE + 1, 10).outcome is TrueOutcome.REPLACED


def test_a_new_spec_at_the_very_moment_of_the_deploy_does_not_count_as_before() -> None:
    at_once = (1.0, UPDATING[1])
    back = (5, service(BASE, "rollback_completed"))
    assert outcome_after(at_once, back) is TrueOutcome.ROLLED_BACK


def test_it_remembers_when_the_service_last_changed_and_who_ran_beside_whom() -> None:
    seen = observed(*BEFORE, (4, service(HEAD, "updating", previous=BASE)))
    seen.feed(5, service(HEAD, "updating", previous=BASE))
    assert (seen.changed_s, seen.overlapped) == (4, False)
    seen.feed(6, tasks(task("old", BASE), task("new", HEAD)))
    assert seen.overlapped
    assert seen.was_running == {"old", "new"}


def test_the_last_moment_of_steadiness_counts() -> None:
    up = (50 - STEADY_S, tasks(task("new", HEAD)))
    assert outcome_after(COMPLETED, up, now_s=50) is TrueOutcome.DEPLOYED
