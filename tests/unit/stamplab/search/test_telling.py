"""How a trial is told to a person: golden texts."""

from __future__ import annotations

import pytest

from stamplab.harness.ci.policy import Policy
from stamplab.lab.faults.memory_pressure import Ample, Pressure, Pulse, Ramp, Squeeze
from stamplab.lab.faults.operator import RollBack, Scale
from stamplab.lab.faults.stamp import WrongStamp
from stamplab.lab.model.history import EngineEvent, Finding, MemorySample, Note, Observation
from stamplab.lab.recipe.workload_overlay import Fault
from stamplab.search.explorable import REFERENCE
from stamplab.search.schedule import Schedule, TimedOperation
from stamplab.search.trial_text import Moment, describe, sentence, timeline
from tests.builders import BASE, HEAD, MIB, Story, ended, oom_kill, seen, service
from tests.unit.stamplab.search.trials import (
    APPLIED_S,
    acted,
    but,
    limited,
    rolled_back,
    told_at,
    trial,
    upgrading,
)

PRESSED = but(REFERENCE, pressure=Squeeze(short_by=0.5))


def container(action: str) -> EngineEvent:
    return EngineEvent(
        kind="container", action=action, actor_id="c", attributes={"image": "discourse:3.5.0"}
    )


# A schedule.


def test_what_is_usual_is_left_out() -> None:
    assert describe(REFERENCE) == (
        "boot 1.0 s up to 300 MiB, then 100 MiB; start-first, rollback, monitor 5.0 s; "
        "asked for its health every 1.0 s; ample memory"
    )


def test_what_is_not_is_said() -> None:
    policy = Policy(
        order="stop-first",
        failure_action="pause",
        delay_s=2.5,
        replicas=3,
        max_failure_ratio=0.3,
    )
    operations = (
        TimedOperation(after_s=4.5, what=Scale(replicas=0)),
        TimedOperation(after_s=6, what=RollBack()),
    )
    schedule = but(
        REFERENCE,
        memory=but(REFERENCE.memory, hold_s=0.5, ready_s=2.0),
        policy=policy,
        pressure=Squeeze(short_by=0.9),
        fault=Fault.CRASHES,
        wrong_stamp=WrongStamp.STALE,
        operations=operations,
    )
    assert describe(schedule) == (
        "boot 3.5 s up to 300 MiB, then 100 MiB; stop-first, pause, monitor 5.0 s; delay 2.5 s; "
        "3 replicas; max_failure_ratio 0.3; asked for its health every 1.0 s; memory short by 90% "
        "of OLD's; the head's image: crashes at boot; a wrong stamp is planted: a stale one; after "
        "4.5 s a second operator scaled the service to 0; after 6.0 s a second operator rolled the "
        "service back"
    )


@pytest.mark.parametrize(
    ("pressure", "text"),
    [
        (Ample(), "ample memory"),
        (Squeeze(short_by=0.1), "memory short by 10% of OLD's"),
        (
            Pulse(after_s=1.5, for_s=2, short_by=0.5),
            "memory short by 50% of OLD's from 1.5 s on, for 2.0 s",
        ),
        (
            Ramp(after_s=1.5, over_s=2, short_by=0.5),
            "memory sinking from 1.5 s on, over 2.0 s, until it is short by 50% of OLD's",
        ),
    ],
)
def test_every_kind_of_pressure_is_said(pressure: Pressure, text: str) -> None:
    assert describe(but(REFERENCE, pressure=pressure)).endswith(f"; {text}")


# A timeline.


def incident() -> Story:
    """The field's case, from the squeeze on."""
    story = upgrading().but(0, seen(service(BASE)), limited(350 * MIB, 100 * MIB))
    story.at(APPLIED_S + 0.2, container("start"))
    story.at(APPLIED_S + 1, oom_kill("new", rss_bytes=250 * MIB, limit_bytes=350 * MIB))
    story.at(APPLIED_S + 1, ended("new", 137, began_s=11.2, ended_s=12.0))
    story.at(APPLIED_S + 1.1, seen(service(BASE, None, "rollback_started")))
    story.at(APPLIED_S + 1.2, seen(service(BASE, None, "rollback_completed")))
    return story


def test_an_incident_is_told_moment_by_moment() -> None:
    lines = timeline(trial(incident(), "fail", "(HC1)", schedule=PRESSED, step="hc1"))
    assert lines == (
        Moment(0.0, "the service's update state is updating"),
        Moment(0.2, "a task starts, of discourse:3.5.0"),
        Moment(1.0, "OOM kill of a task with 250 MiB, limit 350 MiB"),
        Moment(1.0, "its process has ended, exit code 137"),
        Moment(1.1, "the service's update state is rollback_started"),
        Moment(1.2, "the service's update state is rollback_completed"),
        Moment(9.0, "hc1 failed: (HC1)"),
    )


def test_what_came_before_the_upgrade_is_left_out_and_what_came_before_head_is_negative() -> None:
    story = Story(*told_at(upgrading())[:3])
    story.at(10.5, acted()).at(11, seen(service(HEAD, BASE, "updating")))
    assert timeline(trial(story)) == (
        Moment(-0.5, "a second operator changed labels only"),
        Moment(0.0, "the service's update state is updating"),
    )


def test_where_head_was_never_applied_time_begins_with_the_upgrade() -> None:
    story = Story(*told_at(upgrading())[:3])
    story.at(12.5, acted(refused="update out of sequence"))
    text = "a second operator changed labels only, refused: update out of sequence"
    assert timeline(trial(story)) == (Moment(2.5, text),)


@pytest.mark.parametrize(
    ("what", "text"),
    [
        (container("health_status: healthy"), "a task is healthy, of discourse:3.5.0"),
        (oom_kill("new", rss_bytes=250 * MIB), "OOM kill of a task with 250 MiB"),
        (limited(None, 0), "for a test"),
        (Finding(step="deploy_app", passed=True, text="stamped"), "deploy_app passed: stamped"),
    ],
)
def test_each_of_these_is_told(what: Observation, text: str) -> None:
    assert timeline(trial(upgrading().at(12, what)))[-1] == Moment(1.0, text)


@pytest.mark.parametrize(
    "what",
    [
        container("create"),
        container("health_status: unhealthy"),
        EngineEvent(kind="service", action="update", actor_id="s", attributes={}),
        Note(text="a line of the console"),
        MemorySample(usage_bytes=1, limit_bytes=None, containers={}),
        seen(service(HEAD, BASE, "updating")),
        seen(service(HEAD, name="shop_db"), name="shop_db"),
        seen(None),
    ],
)
def test_what_says_nothing_new_is_left_out(what: Observation) -> None:
    assert len(timeline(trial(upgrading().at(12, what)))) == 1


def test_it_is_told_when_it_happened_not_when_it_was_seen() -> None:
    story = upgrading().at(12, oom_kill("new"))
    story.records[-1] = but(story.records[-1], happened_s=11.25)
    assert timeline(trial(story))[-1].at_s == 0.25


def test_there_is_no_moment_that_is_minus_nought() -> None:
    story = upgrading()
    story.records[-1] = but(story.records[-1], happened_s=APPLIED_S - 1e-7)
    (moment,) = timeline(trial(story))
    assert str(moment.at_s) == "0.0"


# A sentence.


def test_a_find_is_one_sentence_with_its_few_figures() -> None:
    made = trial(incident(), "fail", "(HC1)", schedule=PRESSED)
    assert sentence(made, "the swarm rolled back at 12.1 s, and: (HC1)") == (
        "boot 1.0 s up to 300 MiB, then 100 MiB; start-first, rollback, monitor 5.0 s; asked for "
        "its health every 1.0 s; memory short by 50% of OLD's; OOM at 1.0 s, rollback at 1.1 s, "
        "the verdict at 9.0 s: the swarm rolled back at 12.1 s, and: (HC1)"
    )


def figures(made_of: Story, schedule: Schedule = REFERENCE) -> str:
    return sentence(trial(made_of, schedule=schedule), "x").removeprefix(f"{describe(schedule)}; ")


def test_figures_that_there_are_not_are_left_out() -> None:
    assert figures(upgrading()) == "the verdict at 9.0 s: x"
    assert figures(rolled_back()) == "rollback at 5.0 s, the verdict at 9.0 s: x"


def test_where_head_was_never_applied_there_are_none() -> None:
    story = Story(*told_at(upgrading())[:3])
    assert sentence(trial(story), "x") == f"{describe(REFERENCE)}: x"


def test_an_oom_kill_before_the_upgrade_is_not_its_own() -> None:
    assert "OOM" not in figures(Story((5.0, oom_kill("old")), *told_at(upgrading())[2:]))
