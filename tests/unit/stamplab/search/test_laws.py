"""Each law: a trial that obeys it, trials that break it, and what it has nothing to say about."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import pytest

from stamplab.harness.checks.shape import HC1
from stamplab.lab.faults import operator
from stamplab.lab.faults.memory_pressure import Ample, Pulse, Squeeze
from stamplab.lab.faults.operator import Redeploy, RollBack
from stamplab.lab.faults.stamp import WrongStamp
from stamplab.lab.model.history import Finding, RecorderLost, StageEnd
from stamplab.lab.recipe.workload_overlay import Fault
from stamplab.search.explorable import REFERENCE
from stamplab.search.laws import LAWS, has_other_update
from stamplab.search.schedule import Schedule, TimedOperation
from stamplab.search.trial import Trial
from tests.builders import BASE, HEAD, THIRD, Story, listed, seen, service, task
from tests.unit.stamplab.search.trials import (
    APPLIED_S,
    BACK_S,
    BEGINS_S,
    ENDS_S,
    GUARD,
    HOLD_S,
    NEW,
    acted,
    but,
    converged,
    limited,
    rolled_back,
    told_at,
    trial,
    upgrading,
)

ROLLED_BACK = "head spec applied then swarm-rolled-back"
LATE = "not converged by the deadline: the update state is still updating"
WRONG_STAMP = "chaos commit '1', not the intended PR-head '2' (HC1)"
PLANTED = but(REFERENCE, wrong_stamp=WrongStamp.STALE)
BOTTOM = service(BASE, None, "rollback_completed")


def broken(made: Trial) -> dict[str, str]:
    """What laws a trial breaks, and in what way."""
    asked = {name: law.check(made) for name, law in LAWS.items()}
    return {name: text for name, text in asked.items() if text is not None}


# Trials as they should be.

HONEST = [
    trial(),
    trial(rolled_back(), "fail", ROLLED_BACK),
    trial(upgrading(), "fail", LATE),
    trial(converged(), "fail", WRONG_STAMP, schedule=PLANTED, step=HC1),
    trial(converged().at(15, acted()), "fail", "another update came in between: x"),
    trial(upgrading(), "unknown"),
]


@pytest.mark.parametrize("made", HONEST, ids=lambda made: f"{made.end}: {made.reason}")
def test_an_honest_verdict_breaks_no_law(made: Trial) -> None:
    assert broken(made) == {}


ENDS: tuple[StageEnd, ...] = ("skipped", "unknown")


@pytest.mark.parametrize("end", ENDS)
def test_of_what_has_no_verdict_no_law_has_anything_to_say(end: StageEnd) -> None:
    for story in (upgrading(), converged(), rolled_back()):
        assert broken(trial(story, end)) == {}


# No false green.


def test_to_pass_what_the_swarm_took_back_is_a_false_green() -> None:
    text = broken(trial(rolled_back(), "pass"))["no-false-green"]
    assert text == (
        "the upgrade passed at 20.0 s, and is not at head: another spec, state "
        "rollback_completed, 0 of head's tasks running"
    )


@pytest.mark.parametrize(
    "story",
    [
        Story(),
        upgrading(),
        converged().at(ENDS_S - 0.1, listed()),
        converged().at(ENDS_S + 0.1, listed()),
        converged().at(ENDS_S + HOLD_S, seen(BOTTOM)),
        converged().at(ENDS_S + 1, seen(service(HEAD, BASE, "paused"))),
        converged().at(ENDS_S + 1, seen(service(THIRD, HEAD, "completed"))),
        converged().at(ENDS_S + 1, seen(None)),
        converged().at(ENDS_S + 1, listed()).at(ENDS_S + 1, listed(NEW)),
    ],
)
def test_to_pass_what_is_not_at_head_and_stays_is_a_false_green(story: Story) -> None:
    assert "no-false-green" in broken(trial(story, "pass"))


def test_the_guard_itself_may_not_pass_what_has_not_run_for_the_hold_time() -> None:
    """Whatever a later step says."""
    for story in (upgrading(), converged().at(ENDS_S - 1, listed()).at(ENDS_S - 1, listed(NEW))):
        ruled = story.at(ENDS_S, Finding(step=GUARD, passed=True, text="converged"))
        text = broken(trial(ruled, "fail", "not healthy", step="wait_healthy"))["no-false-green"]
        assert text == "converged, and head's tasks had not run for the hold time"


def test_what_becomes_of_it_after_the_hold_time_is_not_the_verdicts_to_know() -> None:
    assert broken(trial(converged().at(ENDS_S + HOLD_S + 0.1, seen(BOTTOM)), "pass")) == {}


def test_nor_when_a_head_that_is_broken_will_crash() -> None:
    doomed, gone = but(REFERENCE, fault=Fault.CRASHES_LATER), listed()
    assert broken(trial(converged().at(ENDS_S + 0.1, gone), schedule=doomed)) == {}
    assert "no-false-green" in broken(trial(converged().at(ENDS_S - 0.1, gone), schedule=doomed))


@pytest.mark.parametrize("wrong_stamp", list(WrongStamp))
def test_to_pass_a_wrong_stamp_is_a_false_green(wrong_stamp: WrongStamp) -> None:
    made = trial(converged(), "pass", schedule=but(REFERENCE, wrong_stamp=wrong_stamp))
    assert broken(made) == {
        "no-false-green": f"the stamp was {wrong_stamp}, and the upgrade passed"
    }


def blind(at_s: float) -> Story:
    """Converged; sight was lost meanwhile, and the guard ruled at `ENDS_S`."""
    loss = (at_s, RecorderLost(recorder="nemesis", reason="sight is lost"))
    lines = sorted([*told_at(converged()), loss], key=lambda law: law[0])
    return Story(*lines, (ENDS_S, Finding(step=GUARD, passed=True, text="")))


def test_to_pass_after_sight_was_lost_is_a_false_green() -> None:
    text = "the upgrade passed, though sight was lost of the swarm before"
    assert broken(trial(blind(15))) == {"no-false-green": text}
    assert broken(trial(blind(ENDS_S))) == {"no-false-green": text}
    assert broken(trial(blind(ENDS_S + 0.1), end_s=ENDS_S + 1)) == {}


def test_the_old_harness_has_no_sight_to_lose() -> None:
    assert broken(trial(blind(15).without(Finding))) == {}


# No false red.


def test_to_fail_what_is_at_head_and_held_is_a_false_red() -> None:
    text = broken(trial(early(converged()), "fail", LATE))
    assert text == {"no-false-red": f"the service is at head and held, and yet: {LATE}"}


def early(story: Story) -> Story:
    """The same, all of it the hold time earlier."""
    return Story(*((record.seen_s - HOLD_S, record.what) for record in story.records))


@pytest.mark.parametrize(
    "story",
    [
        upgrading(),
        rolled_back(),
        converged(),
        converged().at(ENDS_S + 0.1, listed()),
    ],
)
def test_what_had_not_held_yet_or_does_not_stay_may_be_failed(story: Story) -> None:
    """Completed at 19 s, it had not been at head for the hold time when it was failed at 20 s."""
    assert "no-false-red" not in broken(trial(story, "fail", LATE))


def test_a_wrong_stamp_or_somebody_elses_update_is_reason_enough() -> None:
    assert broken(trial(early(converged()), "fail", WRONG_STAMP, schedule=PLANTED, step=HC1)) == {}
    assert broken(trial(early(converged()).at(15, acted()), "fail", OVERTAKEN)) == {}
    refused = early(converged()).at(15, acted(refused="no previous spec"))
    assert "no-false-red" in broken(trial(refused, "fail", "superseded"))


def test_nor_is_it_the_judges_fault_that_clients_get_no_answer() -> None:
    made = trial(early(converged()), "fail", "not healthy within 9 s", step="wait_healthy")
    assert "no-false-red" not in broken(made)


# The true reason.


def test_a_rolled_back_run_is_to_be_reported_as_rolled_back() -> None:
    text = broken(trial(rolled_back(), "fail", WRONG_STAMP))
    assert text == {"true-reason": f"the swarm rolled back at 16.0 s, and: {WRONG_STAMP}"}
    assert "true-reason" in broken(trial(rolled_back(), "fail", LATE))


def test_it_names_a_task_of_heads_that_failed() -> None:
    story = rolled_back().at(14, listed(task("new", HEAD, "failed")))
    text = broken(trial(story, "fail", ROLLED_BACK))
    assert text == {"true-reason": f"no task of head that failed is named, and: {ROLLED_BACK}"}
    named = f"{ROLLED_BACK}: new task new failed the update monitor"
    assert broken(trial(story, "fail", named)) == {}


def test_whether_the_old_version_serves_again_is_waited_for() -> None:
    story = upgrading().at(BACK_S, seen(service(BASE, None, "rollback_started")))
    text = f"the rollback was still under way at {ENDS_S} s, and: {ROLLED_BACK}"
    assert broken(trial(story, "fail", ROLLED_BACK)) == {"true-reason": text}
    given_up_s = BEGINS_S + REFERENCE.patience_s
    assert broken(trial(story, "fail", ROLLED_BACK, end_s=given_up_s)) == {}
    loss = RecorderLost(recorder="nemesis", reason="sight is lost")
    assert broken(trial(story.at(BACK_S + 1, loss), "fail", ROLLED_BACK)) == {}


def test_one_that_was_not_rolled_back_is_not() -> None:
    text = broken(trial(upgrading(), "fail", ROLLED_BACK))
    assert text == {"true-reason": f"the swarm did not roll back, and: {ROLLED_BACK}"}


def test_nor_is_one_that_was_rolled_back_only_after_the_verdict() -> None:
    made = trial(rolled_back(), "fail", ROLLED_BACK, end_s=BACK_S - 1)
    assert "true-reason" in broken(made)
    assert broken(trial(rolled_back(), "fail", LATE, end_s=BACK_S - 1)) == {}


def test_hc1_is_about_a_wrong_stamp_and_nothing_else() -> None:
    text = broken(trial(upgrading(), "fail", WRONG_STAMP, step=HC1))
    assert text == {"true-reason": f"no wrong stamp was planted, and: {WRONG_STAMP}"}


def test_a_wrong_stamp_that_reached_the_swarm_is_hc1s() -> None:
    text = broken(trial(converged(), "fail", LATE, schedule=PLANTED))
    assert text == {"true-reason": f"a wrong stamp was planted, and: {LATE}"}


def test_of_a_deployer_that_denies_its_wrong_stamp_the_guard_names_the_label() -> None:
    lied = but(PLANTED, reports_expected_stamp=True)
    reports_expected_stamp = "the service's label x is '1', not '2'"
    assert broken(trial(converged(), "fail", reports_expected_stamp, schedule=lied)) == {}
    believed = trial(converged(), "fail", WRONG_STAMP, schedule=lied, step=HC1, guarded=True)
    assert "true-reason" in broken(believed)
    old_harness = trial(converged(), "fail", WRONG_STAMP, schedule=lied, step=HC1)
    assert broken(old_harness) == {}


def test_one_that_did_not_reach_it_may_fail_for_whatever_else() -> None:
    assert broken(trial(rolled_back(), "fail", ROLLED_BACK, schedule=PLANTED)) == {}
    assert broken(trial(upgrading(), "fail", LATE, schedule=PLANTED)) == {}


def test_of_what_another_has_changed_no_true_reason_is_asked() -> None:
    assert broken(trial(rolled_back().at(12, acted()), "fail", OVERTAKEN)) == {}
    assert "true-reason" in broken(trial(rolled_back().at(18, acted()), "fail", "superseded"))


# Another's update.

LABELS, BY_HAND = acted(), operator.operator_record(RollBack(), refused="")
OVERTAKEN = "another update came in between: new labels"
UNDONE = "another update came in between: somebody rolled back by hand: it keeps no PreviousSpec"


def lines(story: Story, text: str, **how: Any) -> str | None:
    return broken(trial(story, "fail", text, **how)).get("told")


def test_anothers_update_is_to_be_named() -> None:
    story = upgrading().at(15, LABELS)
    assert lines(story, OVERTAKEN) is None
    assert lines(story, "there is no service shop_app (any more)") is None
    assert lines(story, LATE) == f"{LABELS.what} at 15.0 s, and: {LATE}"


def test_one_that_nobody_did_is_not() -> None:
    assert lines(upgrading(), OVERTAKEN) == f"nobody else did anything, and: {OVERTAKEN}"
    refused = upgrading().at(15, acted(refused="update out of sequence"))
    assert lines(refused, OVERTAKEN) == f"nobody else did anything, and: {OVERTAKEN}"


def test_a_rollback_by_hand_is_to_be_told_from_other_updates() -> None:
    assert lines(upgrading().at(15, BY_HAND), UNDONE) is None
    assert lines(upgrading().at(15, BY_HAND), OVERTAKEN) is not None
    assert lines(upgrading().at(15, LABELS), UNDONE) is not None
    assert lines(upgrading().at(15, LABELS).at(16, BY_HAND), OVERTAKEN) is None


def test_what_the_swarm_had_done_before_may_be_all_that_is_said() -> None:
    assert lines(rolled_back().at(BACK_S + 1, LABELS), ROLLED_BACK) is None
    assert lines(rolled_back().at(BACK_S - 1, LABELS), ROLLED_BACK) is not None
    stopped = upgrading().at(15, seen(service(HEAD, BASE, "paused")))
    assert lines(stopped.at(16, LABELS), "the update is paused") is None


@pytest.mark.parametrize("before_s", [0.5, 0.0])
def test_what_came_before_head_or_in_its_moment_may_go_unnamed(before_s: float) -> None:
    act = (APPLIED_S - before_s, LABELS)
    early_one = Story(*sorted([*told_at(upgrading()), act], key=itemgetter(0)))
    assert lines(early_one, LATE) is None


def test_what_came_in_the_moment_of_the_ruling_may_go_unnamed() -> None:
    assert lines(upgrading().at(ENDS_S, LABELS), LATE) is None


def test_of_a_head_that_was_refused_nothing_was_overtaken() -> None:
    refused, failed = but(REFERENCE, refused=True), "the deploy command failed with exit code 1"
    assert lines(upgrading().at(15, LABELS), failed, schedule=refused) is None


def test_the_old_harness_knows_of_no_others() -> None:
    assert lines(upgrading().at(15, LABELS), LATE, step=HC1) is None


# In time.

LONG_S = 900.0


def late(story: Story, text: str = LATE) -> dict[str, str]:
    return broken(trial(story, "fail", text, end_s=LONG_S))


def test_what_the_swarm_is_not_done_with_may_be_given_up() -> None:
    assert late(upgrading()) == {}


@pytest.mark.parametrize("state", ["paused", "rollback_completed", "rollback_paused"])
def test_what_the_swarm_is_done_with_may_not(state: str) -> None:
    story = upgrading().at(15, seen(service(HEAD, BASE, state)))
    assert late(story)["in-time"] == f"the swarm says {state}, and: {LATE}"


def test_nor_may_what_is_gone() -> None:
    assert late(upgrading().at(15, seen(None)))["in-time"] == f"the service is gone, and: {LATE}"


def test_a_rollback_is_told_soon_after_its_end() -> None:
    over_s = BACK_S + 1
    assert "in-time" not in broken(trial(rolled_back(), "fail", ROLLED_BACK, end_s=over_s + 59))
    text = late(rolled_back(), ROLLED_BACK)["in-time"]
    assert text == "the rollback was over by 840.0 s, and was told at 900.0 s"
    under_way = upgrading().at(BACK_S, seen(service(BASE, None, "rollback_started")))
    assert "in-time" not in late(under_way, ROLLED_BACK)
    assert "in-time" not in late(rolled_back().at(30, acted()), ROLLED_BACK)


def test_nor_what_another_has_changed_long_before() -> None:
    text = f"another update came in long before, and: {LATE}"
    assert late(upgrading().at(15, acted()))["in-time"] == text
    assert "in-time" not in late(upgrading().at(LONG_S - 1, acted()))


def test_what_failed_for_another_reason_was_not_given_up() -> None:
    assert "in-time" not in late(upgrading().at(15, seen(None)), "there is no such service")


# The fix.

MIB = 1024 * 1024
STOP_FIRST = but(
    REFERENCE, policy=but(REFERENCE.policy, order="stop-first"), pressure=Squeeze(short_by=0.5)
)
"""OLD uses 100 MiB and NEW's boot 300."""


def pressed(
    schedule: Schedule, limit_bytes: int | None, end: bool, *, usage_bytes: int = 100 * MIB
) -> Trial:
    story = Story((5.0, limited(limit_bytes, usage_bytes))).at_all(
        (law.seen_s, law.what) for law in (converged() if end else rolled_back()).records
    )
    return trial(story, "pass" if end else "fail", "" if end else ROLLED_BACK, schedule=schedule)


@pytest.mark.parametrize(
    ("limit_bytes", "passed", "obeys"),
    [
        (300 * MIB, True, True),
        (300 * MIB, False, False),
        (300 * MIB - 1, False, True),
        (300 * MIB - 1, True, False),
        (None, True, True),
        (None, False, False),
    ],
)
def test_the_fix_converges_if_and_only_if_one_task_fits(
    limit_bytes: int | None, *, passed: bool, obeys: bool
) -> None:
    assert ("fix" not in broken(pressed(STOP_FIRST, limit_bytes, passed))) is obeys


def test_with_ample_memory_it_always_does() -> None:
    ample = but(STOP_FIRST, pressure=Ample())
    assert "fix" in broken(pressed(ample, None, end=False))
    assert "fix" not in broken(pressed(ample, None, end=True))


@pytest.mark.parametrize(
    ("replicas", "parallelism", "at_once"), [(1, 1, 1), (3, 1, 1), (3, 2, 2), (3, 0, 3), (2, 5, 2)]
)
def test_as_many_have_to_fit_as_boot_at_once(replicas: int, parallelism: int, at_once: int) -> None:
    policy = but(STOP_FIRST.policy, replicas=replicas, parallelism=parallelism)
    schedule = but(STOP_FIRST, policy=policy)
    usage_bytes = 100 * MIB * replicas
    needed = usage_bytes + 200 * MIB * at_once
    assert not pressed(schedule, needed, True, usage_bytes=usage_bytes).too_small
    assert pressed(schedule, needed - 1, True, usage_bytes=usage_bytes).too_small


@pytest.mark.parametrize(
    "schedule",
    [
        REFERENCE,
        but(STOP_FIRST, pressure=Pulse(after_s=1, for_s=1)),
        but(STOP_FIRST, fault=Fault.CRASHES),
        but(STOP_FIRST, wrong_stamp=WrongStamp.STALE),
        but(STOP_FIRST, operations=(TimedOperation(after_s=1, what=Redeploy()),)),
        but(STOP_FIRST, refused=True),
        but(STOP_FIRST, blind_after_s=1.0),
        but(STOP_FIRST, head_replicas=0),
    ],
)
def test_of_what_is_not_about_memory_and_order_alone_it_says_nothing(schedule: Schedule) -> None:
    assert "fix" not in broken(pressed(schedule, 400 * MIB, end=False))


# Who has meddled.


@pytest.mark.parametrize(
    ("at_s", "has"),
    [
        (BEGINS_S - 0.1, False),
        (BEGINS_S, True),
        (ENDS_S, True),
        (ENDS_S + 0.1, False),
    ],
)
def test_to_meddle_is_to_act_during_the_upgrade(at_s: float, *, has: bool) -> None:
    records = [(law.seen_s, law.what) for law in converged().records]
    story = Story(*sorted([*records, (at_s, acted())], key=lambda law: law[0]))
    assert has_other_update(trial(story)) is has


def test_what_the_swarm_refused_was_no_meddling() -> None:
    assert not has_other_update(trial(converged().at(15, acted(refused="no"))))


@pytest.mark.parametrize("end_s", [20 - 4e-15, 20 - 1e-9])
def test_an_act_at_the_moment_of_the_end_counts_whatever_its_digits(end_s: float) -> None:
    """Records have whole microseconds, the world's clock has not."""
    assert end_s < 20
    assert has_other_update(trial(converged().at(20.0, acted()), end_s=end_s))


def test_a_trial_without_an_upgrade_had_nobody_to_meddle() -> None:
    assert not has_other_update(trial(Story((5, acted()))))


def test_every_law_has_a_name_of_its_own_and_says_something() -> None:
    assert all(name == law.name and law.says for name, law in LAWS.items())
