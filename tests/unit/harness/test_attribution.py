"""Why an upgrade ended as it did: joined from the records, and None where they do not show it."""

from __future__ import annotations

import pytest

from stamplab.harness.checks.attribution import Attribution, attribute, explain, memory_at_oom
from stamplab.harness.checks.attribution.facts import TaskFailure
from stamplab.lab.model.history import Observation
from stamplab.lab.model.swarm import Task
from tests.builders import (
    BASE,
    HEAD,
    MIB,
    NAME,
    Story,
    container_event,
    ended,
    listed,
    memory,
    oom_kill,
    probe,
    seen,
    service,
    status,
    task,
)
from tests.unit.harness.incident import LIMIT, NEW_FAILED, OLD, incident


def attributed(story: Story) -> Attribution:
    attribution = attribute(story.records, NAME)
    assert attribution is not None
    return attribution


def failure_in(story: Story) -> TaskFailure:
    failure = attributed(story).failure
    assert failure is not None
    return failure


def test_the_incident_is_explained_in_one_sentence() -> None:
    assert explain(attributed(incident())) == (
        "new task new was OOM-killed (kernel: task_memcg=/docker/container-ne, exit code 137; "
        "NEW's process 245.0 MiB, OLD 100.0 MiB, limit 350.0 MiB); 1.5 s after its start, before "
        "RUNNING; monitor 5 s; old task old kept serving: 2 client probes, 0 failed, answered by "
        "version base"
    )


def test_the_incidents_parts() -> None:
    attribution = attributed(incident())
    assert (attribution.base, attribution.head) == (BASE, HEAD)
    assert attribution.applied_s == 10
    assert attribution.rollback is not None
    assert attribution.rollback.seen_s == 13
    assert attribution.last.service.update_state == "rollback_completed"
    assert (attribution.kept_tasks, attribution.lost_tasks) == (("old",), ())
    assert attribution.limit is not None
    assert attribution.limit.limit_bytes == LIMIT
    failure = attribution.failure
    assert failure is not None
    assert failure.task == NEW_FAILED
    assert failure.container_id == "container-new"
    assert failure.started_s == 11
    assert failure.after_start_s == 1.5
    assert failure.is_oom
    assert not failure.was_running


def test_an_empty_history_shows_nothing() -> None:
    assert attribute([], NAME) is None


def test_a_history_of_other_services_shows_nothing() -> None:
    assert attribute(Story((0, seen(service(BASE, name="x"), name="x"))).records, NAME) is None


def test_a_service_seen_absent_only_shows_nothing() -> None:
    assert attribute(Story((0, seen(None))).records, NAME) is None


def test_without_an_upgrade_there_is_no_head() -> None:
    attribution = attributed(Story((0, seen(service(BASE))), (0, listed(OLD)), (1, probe())))
    assert (attribution.head, attribution.applied_s, attribution.rollback, attribution.failure) == (
        None,
        None,
        None,
        None,
    )
    assert (attribution.kept_tasks, attribution.lost_tasks) == ((), ())
    assert attribution.probes.sent == 0
    assert explain(attribution) == "no task of the head spec is known to have failed"


def test_clients_are_counted_from_head_applied_to_the_updates_end() -> None:
    probes = attributed(incident()).probes
    assert (probes.sent, probes.failed, probes.versions) == (2, 0, ("base",))
    assert str(probes) == "2 client probes, 0 failed, answered by version base"


def test_clients_are_counted_to_the_end_of_the_history_where_the_update_has_none() -> None:
    probes = attributed(incident(rollback_ends=None)).probes
    assert (probes.sent, probes.failed) == (3, 1)


def test_a_stale_status_is_not_the_updates_end() -> None:
    stale = seen(service(BASE, None, status("completed", "t0")))
    assert attributed(incident(base_seen=stale)).probes.sent == 2


def test_two_versions_that_answered_are_both_named() -> None:
    probes = attributed(incident(probe=probe(2, version="head"))).probes
    assert str(probes) == "2 client probes, 0 failed, answered by version base and head"


@pytest.mark.parametrize(
    ("change", "window"),
    [
        ({}, "before RUNNING"),
        ({"new_starts": listed(OLD, task("new", HEAD))}, "within monitor after RUNNING"),
        (
            {"sample": container_event("new", "health_status: healthy")},
            "within monitor after RUNNING",
        ),
        ({"sample": container_event("new", "health_status: unhealthy")}, "before RUNNING"),
        ({"sample": container_event("old", "health_status: healthy")}, "before RUNNING"),
    ],
)
def test_whether_it_ever_ran_is_told(change: dict[str, Observation | None], window: str) -> None:
    failure = failure_in(incident(**change))
    assert failure.window == window


NOT_OOM: dict[str, dict[str, Observation | None]] = {
    "no kernel record": {"oom": None},
    "the kernel killed in OLD's container": {"oom": oom_kill("old")},
    "the kernel killed in a stranger's container": {"oom": oom_kill("stranger")},
    "a child was killed and the task lived on to fail by itself": {
        "new_ends": ended("new", 1, began_s=11.0, ended_s=12.5)
    },
    "a child was killed and the task ended well": {
        "new_ends": ended("new", 0, began_s=11.0, ended_s=12.5)
    },
    "nobody saw how it ended": {"new_ends": None},
    "another container ended with 137": {"new_ends": ended("old", 137, began_s=0, ended_s=12.5)},
}


@pytest.mark.parametrize("case", NOT_OOM)
def test_no_oom_death_when(case: str) -> None:
    failure = failure_in(incident(**NOT_OOM[case]))
    assert not failure.is_oom
    assert "OOM-killed" not in explain(attributed(incident(**NOT_OOM[case])))


def test_a_sigkill_without_the_kernels_record_is_told_by_exit_code_and_error() -> None:
    attribution = attributed(incident(oom=None))
    assert explain(attribution).startswith(
        "new task new failed with exit code 137 (task: non-zero exit (137)); 1.5 s after its start"
    )
    assert memory_at_oom(attribution) is None


def test_where_the_containers_end_went_unseen_the_tasks_own_exit_code_is_told() -> None:
    attribution = attributed(incident(new_ends=None, oom=None))
    assert "failed with exit code 137" in explain(attribution)
    assert "after its start" not in explain(attribution)


def test_a_task_that_never_had_a_container_has_no_exit_code_to_be_told() -> None:
    rejected = task("new", HEAD, "rejected", error="No such image: x")
    rejected_tasks = listed(OLD, rejected)
    attribution = attributed(
        incident(new_failed=rejected_tasks, last_tasks=rejected_tasks, oom=None, new_ends=None)
    )
    assert "new task new failed (No such image: x); " in explain(attribution)


def test_a_rollback_that_ended_before_a_look_is_blamed_on_the_failed_task() -> None:
    failure = failure_in(incident(rollback_starts=None))
    assert (failure.task.id, failure.is_oom) == ("new", True)


def test_of_several_failed_tasks_of_head_the_first_is_blamed() -> None:
    listed_again = listed(OLD, NEW_FAILED, task("new2", HEAD, "failed"))
    failure = failure_in(incident(rollback_starts=None, last_tasks=listed_again))
    assert failure.task.id == "new"


@pytest.mark.parametrize("other", [task("old2", BASE, "failed"), task("new", HEAD, "shutdown")])
def test_no_other_task_is_blamed_for_a_rollback(other: Task) -> None:
    unseen = incident(rollback_starts=None, new_failed=listed(OLD), last_tasks=listed(OLD, other))
    assert attributed(unseen).failure is None


def test_a_failed_task_is_blamed_for_a_rollback_alone() -> None:
    assert attributed(incident(rollback_starts=None, rollback_ends=None)).failure is None


def test_a_blamed_task_that_was_never_listed_is_not_known() -> None:
    unseen = incident(new_starts=None, new_failed=None, last_tasks=listed(OLD))
    assert attributed(unseen).failure is None


def test_a_paused_update_names_its_task_too() -> None:
    paused = seen(service(HEAD, BASE, "paused"))
    attribution = attributed(incident(rollback_starts=paused, rollback_ends=None))
    assert attribution.rollback is None
    assert attribution.failure is not None
    assert attribution.failure.task.id == "new"


def test_old_tasks_that_are_gone_are_lost() -> None:
    late = task("old2", BASE)
    attribution = attributed(incident(last_tasks=listed(task("old", BASE, "shutdown"), late)))
    assert (attribution.kept_tasks, attribution.lost_tasks) == ((), ("old",))
    assert "no old task was kept" in explain(attribution)


def test_of_several_old_tasks_each_is_kept_or_lost() -> None:
    both = listed(OLD, task("old2", BASE))
    attribution = attributed(incident(base_tasks=both))
    assert (attribution.kept_tasks, attribution.lost_tasks) == (("old",), ("old2",))


def test_an_old_task_that_is_meant_to_stop_is_not_kept() -> None:
    stopping = listed(task("old", BASE, desired="shutdown"))
    assert attributed(incident(last_tasks=stopping)).lost_tasks == ("old",)


def test_without_a_task_list_before_head_nothing_is_kept_or_lost() -> None:
    attribution = attributed(incident(base_tasks=None))
    assert (attribution.kept_tasks, attribution.lost_tasks) == ((), ())


def test_memory_at_the_kill_is_the_last_sample_before_it() -> None:
    attribution = attributed(incident())
    assert attribution.at_oom is not None
    assert attribution.at_oom.containers["container-new"] == 240 * MIB
    assert memory_at_oom(attribution) == "NEW's process 245.0 MiB, OLD 100.0 MiB, limit 350.0 MiB"


@pytest.mark.parametrize(
    ("change", "figures"),
    [
        ({"sample": None}, "NEW's process 245.0 MiB, limit 350.0 MiB"),
        ({"sample": memory(LIMIT, new=MIB)}, "NEW's process 245.0 MiB, limit 350.0 MiB"),
        (
            {"sample": memory(LIMIT, db=MIB, old=99 * MIB, new=240 * MIB)},
            "NEW's process 245.0 MiB, OLD 99.0 MiB, limit 350.0 MiB",
        ),
        (
            {"oom": oom_kill("new", rss_bytes=245 * MIB)},
            "NEW's process 245.0 MiB, OLD 100.0 MiB",
        ),
        ({"oom": None}, None),
    ],
)
def test_memory_figures_are_those_that_are_known(
    change: dict[str, Observation | None], figures: str | None
) -> None:
    assert memory_at_oom(attributed(incident(**change))) == figures


def test_the_first_oom_kill_in_the_container_is_the_one() -> None:
    twice = incident().at(30, oom_kill("new", rss_bytes=MIB))
    failure = failure_in(twice)
    assert failure.oom_kill is not None
    assert failure.oom_kill.anon_rss_bytes == 245 * MIB
