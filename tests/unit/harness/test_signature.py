"""Reproduced means every part of the signature; what is missing is named."""

from __future__ import annotations

import msgspec
import pytest

from stamplab.harness.checks.attribution import attribute
from stamplab.harness.checks.signature import Signature, read_signature
from stamplab.harness.verdict import Verdict
from stamplab.lab.model.history import ClientProbe, Observation
from tests.builders import (
    BASE,
    HEAD,
    NAME,
    STAMP,
    Story,
    ended,
    listed,
    memory,
    oom_kill,
    probe,
    seen,
    service,
    spec,
    task,
)
from tests.unit.harness.incident import OLD, incident

ROLLED_BACK = "rolled back"
NEW_FAILED = "the failed task is the new one"
OOM = "it was OOM-killed"
STAMP_BACK = "the stamp is the previous one"
SERVED = "the old task kept serving"


def signature(story: Story) -> Signature:
    return read_signature(attribute(story.records, NAME), STAMP)


def test_the_incident_is_reproduced() -> None:
    judged = signature(incident())
    assert judged.verdict is Verdict.PASS
    assert judged.missing == ()
    assert str(judged) == (
        "reproduced: the swarm rolled back, state rollback_completed; task new of the head spec "
        "failed; OOM-killed by the kernel's record (NEW's process 245.0 MiB, OLD 100.0 MiB, limit "
        "350.0 MiB); stamp base → head → base; old task old alive, 2 client probes, 0 failed, "
        "answered by version base"
    )


def test_the_signature_has_five_parts() -> None:
    assert [part.name for part in signature(incident()).signs] == [
        ROLLED_BACK,
        NEW_FAILED,
        OOM,
        STAMP_BACK,
        SERVED,
    ]


GONE = task("old", BASE, "shutdown")
NO_SUCCESS = service(HEAD, BASE, "completed")
UNSTAMPED = spec("head", stamp="base")

UNBLAMED: dict[str, Observation | None] = {
    "rollback_starts": None,
    "new_failed": None,
    "last_tasks": listed(OLD),
}

MISSING: dict[str, tuple[dict[str, Observation | None], set[str]]] = {
    "the rollback paused": (
        {"rollback_ends": seen(service(BASE, None, "rollback_paused"))},
        {ROLLED_BACK},
    ),
    "the rollback did not end": ({"rollback_ends": None, "late_probe": None}, {ROLLED_BACK}),
    "no task is known to have failed": (UNBLAMED, {NEW_FAILED, OOM}),
    "a task of another spec was blamed": (
        {
            "new_starts": listed(OLD, task("new", BASE, "starting")),
            "new_failed": listed(OLD, task("new", BASE, "failed")),
            "last_tasks": listed(OLD, task("new", BASE, "failed")),
        },
        {NEW_FAILED},
    ),
    "no OOM kill but exit code 137": ({"oom": None}, {OOM}),
    "the OOM kill was in another container": ({"oom": oom_kill("stranger")}, {OOM}),
    "the OOM kill was OLD's": ({"oom": oom_kill("old")}, {OOM}),
    "the OOM kill was a child's": (
        {"new_ends": ended("new", 1, began_s=11, ended_s=12.5)},
        {OOM},
    ),
    "nobody saw its container end": ({"new_ends": None}, {OOM}),
    "head had the base's stamp": (
        {"head_seen": seen(service(UNSTAMPED, BASE, "updating"))},
        {STAMP_BACK},
    ),
    "head had no stamp": (
        {
            "head_seen": seen(service(msgspec.structs.replace(HEAD, labels={}), BASE, "updating")),
        },
        {STAMP_BACK},
    ),
    "the old task was lost": ({"last_tasks": listed(GONE, task("old2", BASE))}, {SERVED}),
    "one of two old tasks was lost": (
        {"base_tasks": listed(OLD, task("old2", BASE))},
        {SERVED},
    ),
    "a client's request failed": ({"probe": probe(2, ok=False)}, {SERVED}),
    "every answer was the head's": (
        {"probe": probe(2, version="head"), "second_probe": probe(3, version="head")},
        {SERVED},
    ),
    "two versions answered": ({"probe": probe(2, version="head")}, {SERVED}),
    "no client asked": ({"probe": None, "second_probe": None}, {SERVED}),
}


@pytest.mark.parametrize("case", MISSING)
def test_not_reproduced_when(case: str) -> None:
    change, parts = MISSING[case]
    judged = signature(incident(**change))
    assert judged.verdict is not Verdict.PASS
    assert {part.name for part in judged.missing} == parts
    assert str(judged).startswith("not reproduced: ")
    for name in parts:
        assert name in str(judged)


def test_where_the_kernel_counts_kills_the_counter_must_have_counted_one() -> None:
    """Version 2 of the control groups has it; version 1 has not, and is not asked for it."""
    counted = incident(base_sample=memory(oom_kills=3), sample_after=memory(oom_kills=4))
    assert "memory.events oom_kill +1" in str(signature(counted))
    assert signature(counted).verdict is Verdict.PASS
    uncounted = incident(base_sample=memory(oom_kills=3), sample_after=memory(oom_kills=3))
    (part,) = signature(uncounted).missing
    assert (part.name, part.verdict) == (OOM, Verdict.FAIL)
    assert "its counter in memory.events has none" in part.evidence


@pytest.mark.parametrize("missing", ["base_sample", "sample_after"])
def test_a_counter_that_was_read_once_only_proves_nothing(missing: str) -> None:
    read = {"base_sample": memory(oom_kills=0), "sample_after": memory(oom_kills=1)}
    story = incident(**{**read, missing: memory()})
    assert "memory.events" not in str(signature(story))


UNSHOWN: dict[str, dict[str, Observation | None]] = {
    "the task that failed is neither named nor listed": UNBLAMED,
    "no client asked": {"probe": None, "second_probe": None},
    "no client asked before the update": {"early_probe": None},
}


@pytest.mark.parametrize("case", UNSHOWN)
def test_what_the_history_does_not_show_is_unknown_not_failed(case: str) -> None:
    assert signature(incident(**UNSHOWN[case])).verdict is Verdict.UNKNOWN


def test_a_part_that_fails_outweighs_one_that_is_not_shown() -> None:
    change: dict[str, Observation | None] = {"oom": None, "probe": None, "second_probe": None}
    assert signature(incident(**change)).verdict is Verdict.FAIL


def test_an_empty_history_is_unknown() -> None:
    judged = signature(Story())
    assert judged.verdict is Verdict.UNKNOWN
    reason = "sign «rolled back» is not shown (the service was never seen)"
    assert str(judged) == f"not reproduced: {reason}"


def test_a_history_without_clients_is_not_reproduced() -> None:
    assert signature(incident().without(ClientProbe)).verdict is Verdict.UNKNOWN


def test_an_upgrade_that_converged_is_not_the_incident() -> None:
    done = seen(NO_SUCCESS)
    new = listed(task("old", BASE, "shutdown"), task("new", HEAD))
    judged = signature(
        incident(
            oom=None,
            new_ends=None,
            rollback_starts=done,
            new_failed=new,
            rollback_ends=done,
            last_tasks=new,
        )
    )
    assert judged.verdict is Verdict.FAIL
    assert {part.name for part in judged.missing} == {
        ROLLED_BACK,
        NEW_FAILED,
        OOM,
        STAMP_BACK,
        SERVED,
    }
    assert "missing sign «rolled back» (seen: the update ended as completed)" in str(judged)


def test_the_kill_of_old_instead_of_new_is_not_the_incident() -> None:
    """Head converges; OLD was killed on the way."""
    done = seen(NO_SUCCESS)
    new = listed(task("old", BASE, "failed"), task("new", HEAD))
    judged = signature(
        incident(
            oom=oom_kill("old"),
            new_ends=ended("old", 137, began_s=0, ended_s=12.5),
            rollback_starts=done,
            new_failed=new,
            rollback_ends=done,
            last_tasks=new,
        )
    )
    assert judged.verdict is Verdict.FAIL
    assert OOM in {part.name for part in judged.missing}


def test_death_after_running_is_the_other_window_and_no_incident_for_old_is_gone() -> None:
    """OOM in [RUNNING, RUNNING + monitor]: rolled back, but with downtime (moby#43081)."""
    story = incident(
        new_starts=listed(GONE, task("new", HEAD)),
        second_probe=probe(3, ok=False),
        last_tasks=listed(GONE, task("old2", BASE)),
    )
    judged = attribute(story.records, NAME)
    assert judged is not None
    assert judged.failure is not None
    assert judged.failure.is_oom
    assert judged.failure.window == "within monitor after RUNNING"
    assert {part.name for part in signature(story).missing} == {SERVED}
