"""From what is seen to the verdict: one service and stacks, deploys that fail, and blindness."""

from __future__ import annotations

import msgspec
import pytest

from stamplab.harness.guard import Outcome
from stamplab.harness.guard.deploy_watch import DeployWatch
from stamplab.harness.guard.expectations import DeployExpectations, WatchPlan
from stamplab.harness.guard.report import StackVerdict
from stamplab.lab.model.history import Observation
from stamplab.lab.model.swarm import STACK_LABEL, Service, ServiceSpec, Task
from tests.builders import (
    BASE,
    HEAD,
    NAME,
    RELABELLED,
    STACK,
    STAMP,
    THIRD,
    container_event,
    listed,
    seen,
    service,
    spec,
    task,
)
from tests.unit.harness.guard.fake_source import FakeSource, Moment, ended, look, plan, watched

OLD, NEW = task("old"), task("new", HEAD)
BEFORE = (seen(service()), listed(OLD))
BOOTING = (seen(service(HEAD, BASE, "updating")), listed(OLD, task("new", HEAD, "starting")))
UP = (seen(service(HEAD, BASE, "updating")), listed(OLD, NEW))
DONE = (seen(service(HEAD, BASE, "completed")), listed(NEW))
BACK = (
    seen(service(BASE, None, "rollback_completed")),
    listed(OLD, task("new", HEAD, "failed", error="task: non-zero exit (1)", exit_code=1)),
)
PLAN = plan()
HOLD_S = 5.0


def upgrade(*moments: Moment) -> FakeSource:
    return FakeSource(BEFORE, (1.0, ended()), (1.1, BOOTING), *moments)


def ruled(sight: FakeSource, the_plan: WatchPlan = PLAN) -> tuple[Outcome, float]:
    verdict, at_s = watched(the_plan, sight)
    return verdict.outcome, round(at_s, 3)


# One service.


def test_an_upgrade_converges_when_the_hold_is_over_and_not_before() -> None:
    assert ruled(upgrade((2.0, UP), (7.5, DONE))) == (Outcome.CONVERGED, 7.5)
    assert ruled(upgrade((2.0, UP), (3.0, DONE))) == (Outcome.CONVERGED, 2.0 + HOLD_S)


def test_a_longer_hold_than_the_servers_own_may_be_asked_for() -> None:
    patient = plan(hold_s=20.0)
    assert ruled(upgrade((2.0, UP), (3.0, DONE)), patient) == (Outcome.CONVERGED, 22.0)
    failed = (seen(service(HEAD, BASE, "completed")), listed(task("new", HEAD, "failed")))
    late = upgrade((2.0, UP), (3.0, DONE), (12.0, failed))
    assert ruled(late, patient)[0] is not Outcome.CONVERGED
    assert ruled(upgrade((2.0, UP), (7.5, DONE)), plan(hold_s=1.0)) == (Outcome.CONVERGED, 7.5)


def test_the_verdict_rests_on_a_fresh_look() -> None:
    sight = upgrade((2.0, UP), (3.0, DONE))
    assert ruled(sight)[0] is Outcome.CONVERGED
    assert sight.looks == 1


def test_an_announcement_alone_concludes_nothing() -> None:
    """It comes after the hold's end, and says that the task died; the look after it sees that."""
    gone = (seen(service(HEAD, BASE, "completed")), listed(task("new", HEAD, "failed")))
    sight = upgrade((2.0, UP), (3.0, DONE), (7.0, (container_event("new", "die"),)), (7.0, gone))
    outcome, at_s = ruled(sight)
    assert outcome is not Outcome.CONVERGED
    assert at_s == 100.0


def test_a_rollback_is_told_with_the_failed_tasks_words() -> None:
    verdict, at_s = watched(PLAN, upgrade((4.0, BACK)))
    assert (verdict.outcome, at_s) == (Outcome.ROLLED_BACK, 4.0)
    (only,) = verdict.services
    assert only.failure is not None
    assert (only.failure.task, only.failure.exit_code) == ("new", 1)
    assert "new task new failed" in verdict.reason
    assert "exit code 1" in verdict.reason


@pytest.mark.parametrize(("code", "message"), [(1, "no such network"), (137, "what stands above")])
def test_a_deploy_that_fails_is_ruled_at_once(code: int, message: str) -> None:
    sight = FakeSource(BEFORE, (1.0, ended(code, message)), (2.0, UP), (9.0, DONE))
    verdict, at_s = watched(PLAN, sight)
    assert (verdict.outcome, at_s) == (Outcome.DEPLOY_FAILED, 1.0)
    assert f"exit code {code} and said: {message}" in verdict.reason


def test_nothing_is_concluded_before_the_deploy_has_ended() -> None:
    """Not even at the deadline: whoever runs it kills it then, and says so."""
    sight = FakeSource(BEFORE, (2.0, UP), (30.0, DONE), (120.0, ended(143, "nothing")))
    assert ruled(sight) == (Outcome.DEPLOY_FAILED, 120.0)


def test_what_was_seen_while_the_deploy_ran_counts() -> None:
    """It waits by itself until the swarm has rolled back, and then says that all is well."""
    sight = FakeSource(BEFORE, (1.0, BOOTING), (4.0, BACK), (9.0, ended()), (9.0, BACK))
    assert ruled(sight) == (Outcome.ROLLED_BACK, 9.0)
    sight = FakeSource(BEFORE, (1.0, UP), (6.5, DONE), (9.0, ended()), (9.0, DONE))
    assert ruled(sight) == (Outcome.CONVERGED, 9.0)


def test_another_deploy_that_came_first_is_seen_though_ours_still_ran() -> None:
    third = (seen(service(THIRD, BASE)), listed(OLD))
    ours = (seen(service(HEAD, THIRD, "updating")), listed(OLD))
    sight = FakeSource(BEFORE, (1.0, third), (2.0, ours), (3.0, ended()), (3.0, ours))
    assert ruled(sight) == (Outcome.SUPERSEDED, 3.0)


def test_unchanged_and_labels_only_and_scaled_to_zero_are_told_apart() -> None:
    same = FakeSource(BEFORE, (6.0, ended()), (6.0, BEFORE))
    labels = (seen(service(RELABELLED, BASE)), listed(OLD))
    none = spec("base", replicas=0)
    zero = (seen(service(none, BASE)), listed())
    for after, how in ((BEFORE, "unchanged"), (labels, "labels only"), (zero, "scaled to zero")):
        same = FakeSource(BEFORE, (6.0, ended()), (6.0, after))
        verdict, _ = watched(PLAN, same)
        assert verdict.is_success
        assert [service.how for service in verdict.services] == [how]


def test_created_removed_and_never_there() -> None:
    nothing = (seen(None),)
    there = (seen(service(HEAD)), listed(NEW))
    created, at_s = watched(PLAN, FakeSource(nothing, (1.0, ended()), (1.1, there)))
    assert (created.outcome, created.services[0].how, at_s) == (Outcome.CONVERGED, "created", 6.1)
    removed, _ = watched(PLAN, upgrade((3.0, nothing)))
    assert removed.outcome is Outcome.REMOVED
    assert "there is no service shop_app (any more)" in removed.reason
    never, _ = watched(
        plan("shop"),
        FakeSource((seen(None, name="shop"),), (1.0, ended()), (1.1, (seen(None, name="shop"),))),
    )
    assert never.outcome is Outcome.REMOVED
    assert never.reason == "shop: removed: there is no service and no stack shop"


# Blindness.


def test_in_the_blind_no_hold_ends() -> None:
    sight = upgrade((2.0, UP), (3.0, DONE), (4.0, "the engine is away"), (40.0, DONE))
    assert ruled(sight) == (Outcome.CONVERGED, 40.0 + HOLD_S)


def test_whoever_is_blind_at_the_deadline_knows_nothing_and_says_why() -> None:
    verdict, at_s = watched(PLAN, upgrade((2.0, UP), (3.0, DONE), (4.0, "the engine is away")))
    assert (verdict.outcome, at_s) == (Outcome.UNKNOWN, 100.0)
    assert "the engine is away" in verdict.reason


def test_blind_from_the_deploys_end_on() -> None:
    verdict, at_s = watched(PLAN, FakeSource(BEFORE, (1.0, ended()), (1.0, "gone for good")))
    assert (verdict.outcome, at_s) == (Outcome.UNKNOWN, 100.0)
    assert "gone for good" in verdict.reason


def test_a_rollback_that_was_seen_stays_one_whatever_goes_dark_then() -> None:
    started = (seen(service(BASE, None, "rollback_started")), listed(OLD))
    verdict, _ = watched(PLAN, upgrade((3.0, started), (4.0, "the engine is away")))
    assert verdict.outcome is Outcome.ROLLED_BACK
    assert "its end was not seen" in verdict.reason


def test_an_announcement_is_no_sight() -> None:
    sight = upgrade((2.0, UP), (3.0, "away"), (4.0, (container_event("new", "start"),)))
    assert ruled(sight) == (Outcome.UNKNOWN, 100.0)


def test_a_task_that_died_in_the_blind_does_not_count() -> None:
    other = (seen(service(HEAD, BASE, "completed")), listed(task("next", HEAD)))
    sight = upgrade((2.0, UP), (3.0, DONE), (4.0, "away"), (20.0, other))
    assert ruled(sight) == (Outcome.CONVERGED, 25.0)


# Gaps.


def at_version(what: Service, version: int) -> Service:
    return msgspec.structs.replace(what, version=version)


def test_a_gap_in_which_the_update_began_and_may_have_been_anothers_is_unknown() -> None:
    after = (seen(at_version(service(HEAD, BASE, "completed"), 9)), listed(NEW))
    gap = look(*after, at=20.0, unwatched_s=18.0)
    verdict, at_s = watched(PLAN, FakeSource(BEFORE, (20.0, ended()), (20.0, gap)))
    assert (verdict.outcome, at_s) == (Outcome.UNKNOWN, 20.0)
    assert "for 18.0 s nothing was seen" in verdict.reason


def test_a_gap_after_the_update_began_hides_nothing() -> None:
    after = (seen(at_version(service(HEAD, BASE, "completed"), 9)), listed(NEW))
    sight = upgrade((2.0, UP), (20.0, look(*after, at=20.0, unwatched_s=18.0)))
    assert ruled(sight) == (Outcome.CONVERGED, 20.0)


def test_a_rollback_in_a_gap_is_a_rollback() -> None:
    after = (seen(at_version(service(BASE, None, "rollback_completed"), 9)), *BACK[1:])
    gap = look(*after, at=20.0, unwatched_s=18.0)
    assert ruled(FakeSource(BEFORE, (20.0, ended()), (20.0, gap)))[0] is Outcome.ROLLED_BACK


# Without a deploy.


LAST = plan(deploys=False)


@pytest.mark.parametrize(
    ("now", "tasks", "outcome"),
    [
        (service(HEAD, BASE, "completed"), (NEW,), Outcome.CONVERGED),
        (service(HEAD), (NEW,), Outcome.CONVERGED),
        (service(RELABELLED, BASE), (OLD,), Outcome.CONVERGED),
        (service(BASE, None, "rollback_completed"), (OLD,), Outcome.ROLLED_BACK),
        (service(BASE, None, "rollback_paused"), (OLD,), Outcome.ROLLED_BACK),
        (service(BASE, None, "completed"), (OLD,), Outcome.ROLLED_BACK),
        (service(HEAD, BASE, "paused"), (OLD,), Outcome.PAUSED),
        (service(HEAD, BASE, "updating"), (OLD,), Outcome.TIMED_OUT),
        (None, (), Outcome.REMOVED),
    ],
)
def test_without_a_deploy_the_last_update_is_judged(
    now: Service | None, tasks: tuple[Task, ...], outcome: Outcome
) -> None:
    verdict, _ = watched(LAST, FakeSource((seen(now), listed(*tasks))))
    assert verdict.outcome is outcome


def test_without_a_deploy_expectations_hold_all_the_same() -> None:
    now = (seen(service(HEAD, BASE, "completed")), listed(NEW))
    wrong = plan(deploys=False, expected=DeployExpectations(labels={STAMP: "other"}))
    assert watched(wrong, FakeSource(now))[0].outcome is Outcome.STAMP_MISMATCH


# Stacks.


DB = f"{STACK}_db"


def of_stack(what: ServiceSpec) -> ServiceSpec:
    labels = {**what.labels, STACK_LABEL: STACK}
    return msgspec.structs.replace(what, labels=labels, digest=f"{what.digest}/{STACK}")


S_BASE, S_HEAD = of_stack(BASE), of_stack(HEAD)
WHOLE = plan(STACK)


def both(
    app: tuple[Observation, ...], db: Service | None, *db_tasks: Task
) -> tuple[Observation, ...]:
    there = (seen(db, name=DB), listed(*db_tasks, name=DB)) if db else (seen(None, name=DB),)
    return (*app, *there)


def app(
    present: ServiceSpec, previous: ServiceSpec | None, state: str | None, *tasks: Task
) -> tuple[Observation, ...]:
    return seen(service(present, previous, state)), listed(*tasks)


def db(
    present: ServiceSpec, previous: ServiceSpec | None = None, state: str | None = None
) -> Service:
    return service(present, previous, state, service_id="service2", name=DB)


STACK_BEFORE = both(app(S_BASE, None, None, OLD), db(S_BASE), OLD)
APP_DONE = app(S_HEAD, S_BASE, "completed", NEW)
APP_BACK = app(S_BASE, None, "rollback_completed", OLD, task("new", HEAD, "failed"))


def of_both(*moments: Moment) -> StackVerdict:
    return watched(WHOLE, FakeSource(STACK_BEFORE, (1.0, ended()), *moments))[0]


def test_a_stack_that_converged_says_how_each_service_did() -> None:
    verdict = of_both((2.0, both(APP_DONE, db(S_BASE), OLD)))
    assert verdict.is_success
    assert {service.name: service.how for service in verdict.services} == {
        NAME: "updated",
        DB: "unchanged",
    }
    assert verdict.reason == f"all 2 services: updated ({NAME}); unchanged ({DB})"


def test_siblings_that_differ_are_mixed_and_both_are_named() -> None:
    verdict = of_both((2.0, both(APP_BACK, db(S_HEAD, S_BASE, "completed"), NEW)))
    assert verdict.outcome is Outcome.MIXED
    assert verdict.outcome.exit_code == 18
    assert f"{NAME}: rolled back" in verdict.reason
    assert verdict.reason.endswith(f"converged: {DB}")


def test_an_unchanged_sibling_makes_no_mixture() -> None:
    assert of_both((2.0, both(APP_BACK, db(S_BASE), OLD))).outcome is Outcome.ROLLED_BACK


def test_the_same_failure_of_all_is_that_failure() -> None:
    gone = db(S_BASE, None, "rollback_completed")
    both_back = both(APP_BACK, gone, OLD, task("new", HEAD, "failed"))
    assert of_both((2.0, both_back)).outcome is Outcome.ROLLED_BACK


def test_a_service_that_the_deploy_brings_is_watched_and_a_later_one_is_not() -> None:
    before = app(S_BASE, None, None, OLD)
    with_db = both(APP_DONE, db(S_HEAD), NEW)
    sight = FakeSource(before, (1.0, ended()), (2.0, with_db))
    verdict, _ = watched(WHOLE, sight)
    assert {service.name: service.how for service in verdict.services} == {
        NAME: "updated",
        DB: "created",
    }
    sight = FakeSource(before, (1.0, ended()), (2.0, APP_DONE), (3.0, with_db))
    verdict, _ = watched(WHOLE, sight)
    assert [service.name for service in verdict.services] == [NAME]


def test_a_service_that_comes_while_the_deploy_runs_is_watched() -> None:
    before = app(S_BASE, None, None, OLD)
    with_db = both(APP_DONE, db(S_HEAD), NEW)
    sight = FakeSource(before, (1.0, with_db), (2.0, ended()), (2.0, with_db))
    assert {service.name for service in watched(WHOLE, sight)[0].services} == {NAME, DB}


@pytest.mark.parametrize(("prunes", "outcome"), [(True, Outcome.CONVERGED), (False, Outcome.MIXED)])
def test_a_sibling_that_goes_is_pruned_only_by_pruning(*, prunes: bool, outcome: Outcome) -> None:
    sight = FakeSource(STACK_BEFORE, (1.0, ended()), (2.0, both(APP_DONE, None)))
    verdict, _ = watched(plan(STACK, prunes=prunes), sight)
    assert verdict.outcome is outcome


def test_a_named_service_that_goes_is_removed_whatever_is_pruned() -> None:
    sight = FakeSource(BEFORE, (1.0, ended()), (2.0, (seen(None),)))
    assert watched(plan(prunes=True), sight)[0].outcome is Outcome.REMOVED


def test_a_stack_that_was_not_there_is_found_by_its_services() -> None:
    nothing = (seen(None, name=STACK),)
    there = (*app(S_HEAD, None, None, NEW),)
    verdict, _ = watched(WHOLE, FakeSource(nothing, (1.0, ended()), (1.5, there)))
    assert verdict.is_success
    assert [service.name for service in verdict.services] == [NAME]


def test_a_label_counts_for_the_services_that_carry_it() -> None:
    unstamped = msgspec.structs.replace(S_BASE, labels={STACK_LABEL: STACK}, digest="unstamped")
    before = both(app(S_BASE, None, None, OLD), db(unstamped), OLD)
    after = both(APP_DONE, db(unstamped), OLD)
    for value, outcome in (("head", Outcome.CONVERGED), ("other", Outcome.MIXED)):
        the_plan = plan(STACK, expected=DeployExpectations(labels={STAMP: value}))
        verdict, _ = watched(the_plan, FakeSource(before, (1.0, ended()), (2.0, after)))
        expected = Outcome.STAMP_MISMATCH if value == "other" else outcome
        assert verdict.outcome is expected
    the_plan = plan(STACK, expected=DeployExpectations(labels={"nowhere": "x"}))
    verdict, _ = watched(the_plan, FakeSource(before, (1.0, ended()), (2.0, after)))
    assert verdict.outcome is Outcome.STAMP_MISMATCH
    assert verdict.reason == "no service carries the label nowhere"


def test_one_that_is_unknown_makes_all_unknown() -> None:
    later = at_version(db(S_HEAD, S_BASE, "completed"), 9)
    gap = look(*both(APP_BACK, later, NEW), at=4.5, unwatched_s=3.5)
    verdict, _ = watched(WHOLE, FakeSource(STACK_BEFORE, (1.0, ended()), (4.5, gap)))
    assert verdict.outcome is Outcome.UNKNOWN
    assert f"{DB}: unknown" in verdict.reason
    assert f"{NAME}: rolled back" in verdict.reason


# What whoever looks on is told.


def test_it_says_what_it_waits_for() -> None:
    watch = DeployWatch(PLAN, "here")
    watch.begin(look(*BEFORE))
    assert watch.waiting_for == {NAME: "the deploy command has not returned"}
    assert watch.services == [NAME]
    assert watch.wake_s == float("inf")
    watch.feed(look(*ended(), at=1.0))
    watch.feed(look(*BOOTING, at=1.1))
    assert watch.waiting_for[NAME].startswith("0 of 1 tasks of the new spec run")
    assert watch.wake_s == 100.0
    watch.feed(look(*UP, at=2.0))
    assert watch.waiting_for[NAME] == "the update state is still updating"
    assert watch.wake_s == 100.0
    watch.feed(look(*DONE, at=3.0))
    assert watch.wake_s == 2.0 + HOLD_S
    assert not watch.is_decided
    assert watch.verdict().outcome is Outcome.UNKNOWN
