"""One-shot services, which are done when their tasks have ended; and a hold of the caller's own."""

from __future__ import annotations

import msgspec
import pytest

from stamplab.harness.guard import Outcome
from stamplab.lab.model.swarm import ServiceSpec, Task
from tests.builders import BASE, HEAD, Story, deployed, listed, seen, service, spec, task
from tests.unit.harness.watching import BEFORE, NEW, OLD, rule, upgrade

ONE_SHOT = spec("job", restart="on-failure")


def created(of: ServiceSpec, *tasks: Task) -> Story:
    """A service that a deploy creates at second 1, whose tasks are listed so from second 3 on."""
    return (
        Story()
        .at(0, seen(None))
        .at(1, deployed(), seen(service(of)), listed(task("first", of, "starting")))
        .at(3, listed(*tasks))
    )


@pytest.mark.parametrize("restart", ["on-failure", "none"])
def test_a_task_that_has_finished_and_is_not_started_anew_converges_at_once(restart: str) -> None:
    job = spec("job", restart=restart)
    ruling = rule(None, created(job, task("first", job, "complete", exit_code=0)))
    assert (ruling.outcome, ruling.decided_s) == (Outcome.CONVERGED, 3)
    assert ruling.reason == (
        "converged: 1 of 1 tasks have finished with exit code 0, and the restart condition "
        f"{restart} starts none of them anew"
    )


def test_all_of_them_must_have_finished() -> None:
    job = spec("job", restart="on-failure", replicas=2)
    first, second = (
        msgspec.structs.replace(task(name, job, "complete", exit_code=0), slot=slot)
        for slot, name in enumerate(("first", "second"), start=1)
    )
    assert rule(None, created(job, first)).outcome is Outcome.STALLED
    running = msgspec.structs.replace(task("second", job), slot=2)
    assert rule(None, created(job, first, running)).outcome is not Outcome.CONVERGED
    assert rule(None, created(job, first, second)).outcome is Outcome.CONVERGED


def test_what_is_restarted_whatever_its_exit_code_never_finishes() -> None:
    service_like = spec("job")
    story = created(service_like, task("first", service_like, "complete", exit_code=0))
    assert rule(None, story).outcome is Outcome.STALLED


@pytest.mark.parametrize(("state", "exit_code"), [("failed", 1), ("rejected", None)])
def test_a_task_that_failed_has_not_finished(state: str, exit_code: int | None) -> None:
    story = created(ONE_SHOT, task("first", ONE_SHOT, state, exit_code=exit_code))
    assert rule(None, story).outcome is Outcome.STALLED


def test_what_was_stopped_for_being_unhealthy_has_not_finished_though_it_exits_with_0() -> None:
    web = spec("web", restart="on-failure", is_probed=True)
    story = created(web, task("first", web, "complete", exit_code=0))
    assert rule(None, story).outcome is Outcome.STALLED


@pytest.mark.parametrize("slot", [1, 2])
def test_a_further_task_on_its_way_is_waited_for(slot: int) -> None:
    """In the same slot, or in one that is to be scaled away and is not yet."""
    done = task("first", ONE_SHOT, "complete", exit_code=0)
    second = msgspec.structs.replace(task("second", ONE_SHOT, "starting"), slot=slot)
    assert rule(None, created(ONE_SHOT, done, second)).outcome is not Outcome.CONVERGED


def test_an_update_that_is_not_over_is_waited_for() -> None:
    done = task("first", ONE_SHOT, "complete", exit_code=0)
    story = Story().at(0, seen(BEFORE)).at(1, deployed())
    story.at(1, seen(service(ONE_SHOT, BASE, "updating")), listed(done))
    assert rule(BEFORE, story).outcome is Outcome.TIMED_OUT
    story.at(9, seen(service(ONE_SHOT, BASE, "completed")))
    assert rule(BEFORE, story).outcome is Outcome.CONVERGED


DONE = task("first", ONE_SHOT, "complete", exit_code=0)


def test_what_had_finished_before_is_no_answer_until_the_deploy_has_returned() -> None:
    before = service(ONE_SHOT)
    story = Story().at(0, seen(before), listed(DONE)).at(2, seen(before))
    ruling = rule(before, story.at(5, deployed(), seen(before)))
    assert (ruling.outcome, ruling.decided_s) == (Outcome.CONVERGED, 5)


def test_what_the_swarm_went_back_to_has_not_finished_as_head() -> None:
    before, back = service(ONE_SHOT), service(ONE_SHOT, None, "completed")
    story = Story().at(0, seen(before), listed(DONE)).at(1, deployed())
    story.at(1, seen(service(HEAD, ONE_SHOT, "updating"))).at(8, seen(back))
    assert rule(before, story).outcome is Outcome.ROLLED_BACK


@pytest.mark.parametrize("slot", [1, 2])
def test_another_task_that_still_runs_has_not_finished(slot: int) -> None:
    second = msgspec.structs.replace(task("second", ONE_SHOT), slot=slot)
    ruling = rule(None, created(ONE_SHOT, DONE, second))
    assert (ruling.outcome, ruling.decided_s) == (Outcome.CONVERGED, 3 + ONE_SHOT.update.hold_s)


def test_the_old_specs_end_is_not_heads() -> None:
    next_one = spec("next job", restart="on-failure")
    story = Story().at(0, seen(service(ONE_SHOT)), listed(DONE)).at(1, deployed())
    story.at(2, seen(service(next_one, ONE_SHOT, "completed")))
    assert rule(service(ONE_SHOT), story).outcome is not Outcome.CONVERGED


def test_a_hold_that_the_caller_wants_is_held() -> None:
    story = upgrade((10, listed(OLD, NEW)), (15, seen(service(HEAD, BASE, "completed"))))
    assert rule(BEFORE, story).decided_s == 15
    ruling = rule(BEFORE, story, hold_s=20)
    assert (ruling.outcome, ruling.decided_s) == (Outcome.CONVERGED, 30)
    assert "ran unchanged for 20 s" in ruling.reason
    assert rule(BEFORE, story, hold_s=1).decided_s == 15


def test_a_failure_after_the_servers_hold_and_within_the_callers_is_no_success() -> None:
    story = upgrade(
        (10, listed(OLD, NEW)),
        (15, seen(service(HEAD, BASE, "completed"))),
        (18, listed(task("new", HEAD, "failed", exit_code=1))),
    )
    assert rule(BEFORE, story).outcome is Outcome.CONVERGED
    assert rule(BEFORE, story, hold_s=20).outcome is Outcome.STALLED


def test_a_scaled_service_is_called_so() -> None:
    more = spec("base", replicas=2)
    story = Story().at(0, seen(BEFORE), listed(OLD)).at(1, deployed(), seen(service(more, BASE)))
    story.at(4, listed(task("old", more), task("another", more, slot=2)))
    ruling = rule(BEFORE, story)
    assert ruling.reason == "converged: scaled to 2, and 2 of 2 tasks run, UpdateStatus=nil"
