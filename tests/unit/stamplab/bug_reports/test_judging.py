"""When an entry counts as reproduced, and when the guard was right."""

from __future__ import annotations

import msgspec
import pytest

from stamplab.harness.checks.ground_truth import TrueOutcome
from stamplab.harness.checks.shape import Shape
from stamplab.harness.guard import Outcome
from stamplab.harness.verdict import Verdict
from stamplab.runner.bug_reports.verdict import (
    RIGHT,
    ControlVerdict,
    judge,
    judge_control,
    shape_in,
    wrong_in,
)
from stamplab.scenarios.bug_reports import signs
from stamplab.scenarios.bug_reports.report import Sign
from stamplab.scenarios.bug_reports.results import ClientResult, GuardResult
from tests.unit.stamplab.bug_reports.made import (
    BASE,
    HEAD,
    client,
    life,
    observed,
    played,
    report,
    service,
    task,
    tasks,
    tried,
)

ROLLED_BACK = observed(
    (0, service(BASE)),
    (1, tasks(task("old", BASE))),
    (2, service(HEAD, "updating", previous=BASE)),
    (3, tasks(task("old", BASE), task("new", HEAD, "failed", exit_code=1))),
    (4, service(BASE, "rollback_started")),
    (5, service(BASE, "rollback_completed", message="rollback completed")),
)
LIFE = life(ROLLED_BACK, "old")
BACK = tried(Outcome.ROLLED_BACK, TrueOutcome.ROLLED_BACK)


def test_it_is_reproduced_by_all_of_its_signature_and_a_missing_part_is_told() -> None:
    play = played(BACK, of=LIFE)
    whole = judge(report(signs.came_to(TrueOutcome.ROLLED_BACK)), play, "live", "20.10.24")
    assert (whole.verdict, whole.reproduced) == (Verdict.PASS, True)
    part = report(signs.came_to(TrueOutcome.ROLLED_BACK), signs.lost_the_first())
    lacking = judge(part, play, "live", "20.10.24")
    assert (lacking.verdict, lacking.reproduced) == (Verdict.FAIL, False)
    assert lacking.missing == ("«the first task does not run any more» (seen: it runs on)",)


@pytest.mark.parametrize(
    ("world", "engine", "must"),
    [
        ("live", "17.06.2-ce", True),
        ("live", "17.09.0", False),
        ("live", "20.10.24+dfsg1", False),
        ("virtual", "SwarmKit v2.0.0", False),
    ],
)
def test_what_was_fixed_must_not_reproduce_afterwards(world: str, engine: str, must: bool) -> None:
    fixed = report(signs.lost_the_first(), fixed_in="17.09")
    judged = judge(fixed, played(BACK, of=LIFE), world, engine)
    assert judged.must is must
    assert judged.verdict is (Verdict.FAIL if must else Verdict.PASS)


def test_what_only_a_client_shows_is_left_open_where_there_is_none() -> None:
    play = played(BACK, of=LIFE)
    both = (signs.came_to(TrueOutcome.ROLLED_BACK), signs.client_exits(0))
    judged = judge(report(*both), play, "virtual", "")
    assert judged.reproduced
    assert judged.unseen == ("the docker client exits 0",)
    assert not judge(report(*both, fixed_in="17.09"), play, "virtual", "").reproduced


@pytest.mark.parametrize("fate", TrueOutcome)
@pytest.mark.parametrize("outcome", Outcome)
def test_the_guard_is_right_by_each_fates_own_outcomes(fate: TrueOutcome, outcome: Outcome) -> None:
    wrong = wrong_in(report(), tried(outcome, fate))
    assert (wrong == []) is (outcome in RIGHT[fate])
    for text in wrong:
        assert str(outcome) in text
        assert str(fate) in text


def command(outcome: Outcome, exit_code: int | None = None, decided_s: float = 10.0) -> GuardResult:
    code = outcome.exit_code if exit_code is None else exit_code
    return GuardResult(
        outcome=outcome, reason="because", exit_code=code, decided_s=decided_s, api_calls=9
    )


def test_the_guards_command_is_held_to_the_truth_like_the_guard() -> None:
    both = msgspec.structs.replace(BACK, command=command(Outcome.ROLLED_BACK))
    assert wrong_in(report(), both) == []
    wrong = msgspec.structs.replace(BACK, command=command(Outcome.CONVERGED))
    (text,) = wrong_in(report(), wrong)
    assert "`stamplab guard` says converged, in truth it is rolled back" in text
    lies = msgspec.structs.replace(BACK, command=command(Outcome.ROLLED_BACK, 0))
    (text,) = wrong_in(report(), lies)
    assert text.endswith("`stamplab guard` says rolled back, and exits 0")


def test_every_fate_has_an_outcome_and_only_two_are_a_success() -> None:
    assert set(RIGHT) == set(TrueOutcome)
    passed = {fate for fate, outcomes in RIGHT.items() if Outcome.CONVERGED in outcomes}
    assert passed == {TrueOutcome.DEPLOYED, TrueOutcome.FINISHED}


def test_what_breaks_later_is_excused_only_where_the_entry_is_about_that() -> None:
    late = tried(Outcome.CONVERGED, TrueOutcome.DOWN, decided_s=10, broke_s=14)
    about_it = msgspec.structs.replace(report(), breaks_late=True)
    assert wrong_in(report(), late)
    assert not wrong_in(about_it, late)
    early = tried(Outcome.CONVERGED, TrueOutcome.DOWN, decided_s=10, broke_s=9)
    assert wrong_in(about_it, early)
    never = tried(Outcome.CONVERGED, TrueOutcome.DOWN, decided_s=10)
    assert wrong_in(about_it, never)
    slower = msgspec.structs.replace(late, command=command(Outcome.CONVERGED, decided_s=15.0))
    assert wrong_in(about_it, slower)
    judged = judge(about_it, played(late, of=LIFE), "live", "28")
    assert judged.later == ("its first task failed 4.0 s after the guard's ruling",)


def test_a_wrong_guard_and_another_shape_fail_what_is_reproduced() -> None:
    play = played(tried(Outcome.CONVERGED, TrueOutcome.ROLLED_BACK), of=LIFE)
    judged = judge(report(), play, "live", "28")
    assert (judged.reproduced, judged.verdict) == (True, Verdict.FAIL)
    other = Shape(states=("completed",), stamps=("head",), new_task="did not fail")
    judged = judge(report(shape=other), played(BACK, of=LIFE), "live", "28")
    assert judged.verdict is Verdict.FAIL
    assert len(judged.differences) == 5


def test_the_shape_of_a_roll_back() -> None:
    assert shape_in(played(BACK, of=LIFE)) == Shape(
        states=("updating", "rollback_completed"),
        stamps=("base", "head", "base"),
        new_task="failed before RUNNING",
        old_kept=True,
        end="assert_upgrade_converged",
    )


def test_the_new_task_of_a_shape() -> None:
    def new_task(*states: str, fate: TrueOutcome = TrueOutcome.DOWN) -> str:
        seen = observed((0, service(BASE)), (1, tasks(task("old", BASE))), (2, service(HEAD)))
        for number, state in enumerate(states):
            seen.feed(3 + number, tasks(task("old", BASE), task("new", HEAD, state)))
        return shape_in(played(tried(Outcome.STALLED, fate), of=life(seen, "old"))).new_task

    assert new_task() == "never created"
    assert new_task("pending") == "pending"
    assert new_task("starting", "failed") == "failed before RUNNING"
    assert new_task("starting", "running", "failed") == "failed after RUNNING"
    assert new_task("running", "shutdown") == "did not fail"
    assert new_task("running", "complete", fate=TrueOutcome.FINISHED) == "finished"
    assert new_task("complete") == "failed before RUNNING"


@pytest.mark.parametrize(
    ("sign", "text", "holds"),
    [
        (signs.client_exits(0), client(0), True),
        (signs.client_exits(0), client(1), False),
        (signs.client_exits(0), client(None), False),
        (signs.client_hangs(), client(None), True),
        (signs.client_hangs(), client(0), False),
        (signs.client_was_first(), client(0, waited_s=3), True),
        (signs.client_was_first(), client(0, waited_s=30), False),
        (signs.client_was_first(), client(1, waited_s=3), False),
        (signs.client_hangs(), None, None),
        (signs.client_exits(0), None, None),
        (signs.client_was_first(), None, None),
    ],
)
def test_signs_of_the_client(sign: Sign, text: ClientResult | None, holds: bool | None) -> None:
    play = played(tried(Outcome.ROLLED_BACK, TrueOutcome.ROLLED_BACK, client=text), of=LIFE)
    assert sign.holds(play) is holds


@pytest.mark.parametrize(
    ("sign", "holds"),
    [
        (signs.state_is("rollback_completed"), True),
        (signs.state_is(None), False),
        (signs.never_says("paused"), True),
        (signs.never_says("rollback_started"), False),
        (signs.stamp_is("1"), True),
        (signs.stamp_is("2"), False),
        (signs.nothing_runs(), False),
        (signs.kept_the_first(), True),
        (signs.lost_the_first(), False),
        (signs.names_no_task(), True),
        (signs.has_no_previous(), False),
        (signs.both_ran(), False),
        (signs.still_pending("web"), False),
        (signs.came_to(TrueOutcome.ROLLED_BACK), True),
        (signs.came_to(TrueOutcome.DOWN), False),
    ],
)
def test_signs_of_a_roll_back(sign: Sign, holds: bool) -> None:
    assert sign.holds(played(BACK, of=LIFE)) is holds


def test_signs_of_other_lives() -> None:
    pending = observed((0, service(HEAD)), (1, tasks(task("new", HEAD, "pending"))))
    play = played(tried(Outcome.STALLED, TrueOutcome.DOWN), of=life(pending))
    assert signs.still_pending("web").holds(play) is True
    assert signs.nothing_runs().holds(play) is True
    assert signs.kept_the_first().holds(play) is False
    twice = observed((0, service(changed_stamp, "completed", previous=HEAD)))
    play = played(tried(Outcome.STALLED, TrueOutcome.DOWN), of=life(twice))
    assert signs.has_no_previous().holds(play) is True
    assert signs.names_no_task().holds(play) is False


changed_stamp = msgspec.structs.replace(HEAD, stamp="3")


# Controls.


def test_a_control_must_not_show_what_its_report_is_recognised_by() -> None:
    both = report(signs.came_to(TrueOutcome.ROLLED_BACK), signs.stamp_is("1"))
    alike = judge_control(both, played(BACK, of=LIFE))
    assert (alike.verdict, alike.reproduced, alike.missing) == (Verdict.FAIL, True, ())
    unlike = report(signs.came_to(TrueOutcome.ROLLED_BACK), signs.stamp_is("2"))
    control = judge_control(unlike, played(BACK, of=LIFE))
    assert (control.verdict, control.reproduced) == (Verdict.PASS, False)
    assert control.missing == ("«the stamp is 2 in the end» (seen: 1)",)


def test_the_guard_has_to_be_right_in_a_control_too() -> None:
    wrong = tried(Outcome.CONVERGED, TrueOutcome.ROLLED_BACK)
    control = judge_control(report(signs.stamp_is("2")), played(wrong, of=LIFE))
    assert control.verdict is Verdict.FAIL
    assert "the guard says converged" in control.wrong[0]


def test_a_control_that_only_a_client_could_tell_apart_has_not_reproduced() -> None:
    both = report(signs.came_to(TrueOutcome.ROLLED_BACK), signs.client_exits(0))
    control = judge_control(both, played(BACK, of=LIFE))
    assert (control.verdict, control.reproduced) == (Verdict.PASS, False)
    assert control.unseen == ("the docker client exits 0",)


def test_a_control_that_was_not_played_to_its_end_has_shown_nothing() -> None:
    assert not ControlVerdict(verdict=Verdict.UNKNOWN, why="the lab failed").reproduced


def test_a_sign_says_what_was_seen_in_its_place() -> None:
    play = played(BACK, of=LIFE)
    for sign, seen in (
        (signs.came_to(TrueOutcome.DOWN), "rolled back: so it is"),
        (signs.state_is("completed"), "rollback_completed"),
        (signs.stamp_is("2"), "1"),
        (signs.nothing_runs(), "1 run"),
        (signs.never_says("updating"), "nil, updating, rollback_started, rollback_completed"),
        (signs.lost_the_first(), "it runs on"),
        (signs.has_no_previous(), "none"),
        (signs.both_ran(), "one after the other"),
        (signs.still_pending("web"), "running"),
        (signs.client_exits(0), "no docker client"),
    ):
        assert sign.seen(play) == seen
    waiting = msgspec.structs.replace(BACK, client=client(None, waited_s=60))
    assert signs.client_exits(0).seen(played(waiting, of=LIFE)) == "still waiting after 60.0 s"
