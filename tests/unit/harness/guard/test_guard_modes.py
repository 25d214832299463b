"""Jobs, one-shot services, global services: how many tasks are wanted, and which ones count."""

from __future__ import annotations

import msgspec
import pytest

from stamplab.harness.guard import Outcome, view
from stamplab.lab.model.swarm import Service, ServiceSpec, Task
from tests.builders import BASE, HEAD, Story, deployed, listed, seen, service, spec, task
from tests.unit.harness.watching import BEFORE, rule


def on(node: str, what: Task, *, slot: int = 0, iteration: int | None = None) -> Task:
    return msgspec.structs.replace(what, node_id=node, slot=slot, job_iteration=iteration)


def job(replicas: int | None = 2, *, iteration: int = 0) -> Service:
    mode = "replicated-job" if replicas is not None else "global-job"
    what = msgspec.structs.replace(spec("head"), mode=mode, replicas=replicas, digest="job")
    return msgspec.structs.replace(service(what), job_iteration=iteration)


def once(what: ServiceSpec = HEAD, condition: str = "none") -> ServiceSpec:
    return msgspec.structs.replace(what, restart=condition, digest=f"{what.digest}/{condition}")


GLOBAL = service(spec("head", mode="global"))
DONE = {"state": "complete", "desired": "shutdown"}


# Global services.


def test_a_global_service_wants_a_task_on_each_node_that_has_one() -> None:
    tasks = [on("a", task("1", HEAD)), on("b", task("2", HEAD, "starting"))]
    assert view.wanted_count(GLOBAL, tasks) == 2
    assert view.serving_tasks(GLOBAL, tasks) == {"1"}


def test_a_node_whose_old_task_is_still_to_be_replaced_counts() -> None:
    tasks = [on("a", task("1", HEAD)), on("b", task("2", BASE))]
    assert view.wanted_count(GLOBAL, tasks) == 2


def test_a_node_that_is_drained_or_down_does_not_count() -> None:
    tasks = [on("a", task("1", HEAD)), on("b", task("2", HEAD, desired="shutdown"))]
    assert view.wanted_count(GLOBAL, tasks) == 1


def test_a_global_service_without_a_task_waits_for_one() -> None:
    assert view.wanted_count(GLOBAL, []) == 1
    story = Story((0, seen(GLOBAL)), (1, deployed()), (1, seen(GLOBAL)), (1, listed()))
    assert rule(None, story).outcome in (Outcome.STALLED, Outcome.TIMED_OUT)


def test_a_global_service_converges_when_every_node_runs_it() -> None:
    first, second = on("a", task("1", HEAD)), on("b", task("2", HEAD))
    booting = on("b", task("2", HEAD, "starting"))
    story = Story((1, deployed()), (1, seen(GLOBAL)), (1, listed(first, booting)))
    story.at(9, listed(first, second))
    ruling = rule(None, story)
    assert (ruling.outcome, ruling.decided_s) == (Outcome.CONVERGED, 14)
    assert "2 of 2 tasks" in ruling.reason


# Jobs.


@pytest.mark.parametrize(
    ("tasks", "serving"),
    [
        ([on("a", task("1", HEAD, **DONE), slot=1, iteration=0)], {"1"}),  # type: ignore[arg-type]
        ([on("a", task("1", HEAD), slot=1, iteration=0)], set()),
        ([on("a", task("1", HEAD, "failed"), slot=1, iteration=0)], set()),
        ([on("a", task("1", BASE, **DONE), slot=1, iteration=0)], set()),  # type: ignore[arg-type]
        ([on("a", task("1", HEAD, **DONE), slot=1, iteration=7)], set()),  # type: ignore[arg-type]
    ],
    ids=["done", "at work", "failed", "of another spec", "of another iteration"],
)
def test_completed_tasks_of_a_jobs_iteration_count(tasks: list[Task], serving: set[str]) -> None:
    assert view.serving_tasks(job(1), tasks) == serving


def test_a_job_is_done_when_all_have_completed_without_any_hold() -> None:
    first = on("a", task("1", HEAD, "complete", desired="complete"), slot=1, iteration=0)
    at_work = on("a", task("2", HEAD, desired="complete"), slot=2, iteration=0)
    second = on("a", task("2", HEAD, "complete", desired="complete"), slot=2, iteration=0)
    story = Story((1, deployed()), (1, seen(job())), (2, listed(first, at_work)))
    story.at(4, listed(first, second))
    ruling = rule(None, story)
    assert (ruling.outcome, ruling.decided_s) == (Outcome.CONVERGED, 4)
    assert ruling.reason == "converged: the job is done, 2 of 2 tasks completed"


def test_a_job_that_is_deployed_anew_runs_anew_with_the_same_spec_too() -> None:
    earlier = on("a", task("1", HEAD, "complete"), slot=1, iteration=0)
    later = on("a", task("2", HEAD, "complete"), slot=1, iteration=1)
    before = job(1)
    after = msgspec.structs.replace(job(1, iteration=1), previous_spec=before.spec)
    story = Story((0, seen(before)), (0, listed(earlier)), (1, deployed()), (1, seen(after)))
    story.at(1, listed(earlier)).at(6, listed(earlier, later))
    ruling = rule(before, story)
    assert (ruling.outcome, ruling.decided_s) == (Outcome.CONVERGED, 6)


def test_a_job_whose_task_fails_for_good_does_not_converge() -> None:
    failed = on("a", task("1", HEAD, "failed", error="exit 1"), slot=1, iteration=0)
    ruling = rule(None, Story((1, deployed()), (1, seen(job(1))), (2, listed(failed))))
    assert ruling.outcome is Outcome.STALLED
    assert "0 of 1 tasks of the new spec are complete" in ruling.reason


def test_a_global_job_wants_a_completed_task_on_each_node() -> None:
    tasks = [
        on("a", task("1", HEAD, "complete", desired="complete"), iteration=0),
        on("b", task("2", HEAD, "starting", desired="complete"), iteration=0),
    ]
    assert view.wanted_count(job(None), tasks) == 2
    assert view.serving_tasks(job(None), tasks) == {"1"}


def test_a_job_that_is_updated_is_done_by_its_new_tasks() -> None:
    before = msgspec.structs.replace(
        job(1), spec=msgspec.structs.replace(job(1).spec, task_digest="base", digest="job before")
    )
    after = msgspec.structs.replace(job(1, iteration=1), previous_spec=before.spec)
    earlier = on("a", task("1", BASE, "complete"), slot=1, iteration=0)
    new = on("a", task("2", HEAD, "complete"), slot=1, iteration=1)
    story = Story((0, seen(before)), (0, listed(earlier)), (1, deployed()), (1, seen(after)))
    story.at(1, listed(earlier)).at(3, listed(earlier, new))
    ruling = rule(before, story)
    assert (ruling.outcome, ruling.decided_s) == (Outcome.CONVERGED, 3)


def test_a_node_on_which_a_global_job_failed_for_good_is_not_forgotten() -> None:
    tasks = [
        on("a", task("1", HEAD, "complete", desired="complete"), iteration=0),
        on("b", task("2", HEAD, "failed"), iteration=0),
    ]
    assert view.wanted_count(job(None), tasks) == 2


def test_what_a_global_job_did_before_is_forgotten() -> None:
    tasks = [
        on("a", task("1", HEAD, "running", desired="complete"), iteration=1),
        on("b", task("2", HEAD, "complete", desired="remove"), iteration=0),
    ]
    assert view.wanted_count(job(None, iteration=1), tasks) == 1


def test_a_node_on_which_a_global_service_failed_for_good_is_not_forgotten() -> None:
    failed = on("b", task("2", HEAD, "failed"))
    tasks = [on("a", task("1", HEAD)), failed]
    assert view.wanted_count(GLOBAL, tasks) == 2
    older = on("b", task("0", BASE, "failed"))
    assert view.wanted_count(GLOBAL, [on("a", task("1", HEAD)), older]) == 1
    ended = on("b", task("2", HEAD, "shutdown"))
    assert view.wanted_count(GLOBAL, [on("a", task("1", HEAD)), ended]) == 1


# One-shot services.


def test_a_task_that_has_finished_is_done_and_serves_nobody() -> None:
    tasks = [task("1", HEAD, "complete")]
    assert view.done_tasks(service(once()), tasks) == {"1"}
    assert view.serving_tasks(service(once()), tasks) == set()


def test_one_that_finished_before_another_in_its_slot_does_not_count() -> None:
    """It is of the same spec, from before the service was something else for a while."""
    tasks = [task("1", HEAD, "complete"), task("2", BASE, "complete"), task("3", HEAD, "starting")]
    assert view.done_tasks(service(once()), tasks) == set()


def test_a_one_shot_service_that_is_what_it_was_once_is_not_done_by_what_it_did_then() -> None:
    then, other = task("1", HEAD, "complete"), task("2", BASE, "complete")
    story = Story((0, seen(service(once(BASE)))), (0, listed(then, other)), (1, deployed()))
    story.at(2, seen(service(once(HEAD), once(BASE), "completed")))
    story.at(2, listed(then, other, task("3", HEAD, "failed")))
    assert rule(service(once(BASE)), story).outcome is not Outcome.CONVERGED


def test_tasks_of_a_plain_service_count_as_ever() -> None:
    tasks = [task("1", HEAD), task("2", HEAD, desired="shutdown"), task("3", BASE)]
    assert view.serving_tasks(service(HEAD), tasks) == {"1"}
    assert view.wanted_count(service(spec("head", replicas=3)), tasks) == 3
    assert view.wanted_count(service(spec("head", replicas=0)), tasks) == 0


def test_tasks_that_failed_before_the_deploy_are_not_blamed() -> None:
    earlier = task("earlier", HEAD, "failed")
    new = task("new", HEAD, "failed", error="why")
    story = Story((0, seen(BEFORE)), (0, listed(earlier)), (1, deployed()))
    story.at(1, seen(service(HEAD, BASE, "updating")), listed(earlier))
    story.at(2, seen(service(BASE, None, "rollback_completed")), listed(earlier, new))
    assert rule(BEFORE, story).failed_task == "new"


def test_of_a_created_service_no_task_failed_before() -> None:
    new = task("new", HEAD, "failed", error="why")
    story = Story((1, deployed()), (1, seen(service(HEAD, BASE, "updating"))), (1, listed(new)))
    story.at(2, seen(service(BASE, None, "rollback_completed")), listed(new))
    assert rule(BEFORE, story).failed_task == "new"
