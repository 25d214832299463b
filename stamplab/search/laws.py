"""The laws that an upgrade's verdict has to obey, each a question to one trial. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from stamplab.harness.checks.shape import GUARD, HC1
from stamplab.harness.guard import Outcome
from stamplab.lab.errors import UsageError
from stamplab.lab.faults.memory_pressure import Ample, Squeeze
from stamplab.lab.model.history import OperatorActed, RecorderLost
from stamplab.lab.recipe.workload_overlay import Fault
from stamplab.search.trial import Trial

Broken = str
"""In what way a law was broken, as a clause."""

_GAVE_UP = (Outcome.TIMED_OUT, Outcome.STALLED)
_MOMENT_S = 1e-6
_PROMPT_S = 60.0
"""How long after the swarm is done a verdict may still come."""
_ROLLBACK_OVER = ("rollback_completed", "rollback_paused")
JUDGES = (GUARD, HC1)
"""The steps that judge whether head is deployed; that clients get answers is another's."""


class Law(msgspec.Struct, frozen=True, kw_only=True):
    """One of them."""

    name: str
    says: str
    check: Callable[[Trial], Broken | None]


def check_no_false_green(trial: Trial) -> Broken | None:
    """Check that an upgrade passes only if head is there at the end, and for the hold time after.

    But for a head that crashes by itself one day: when that day is no guard foresees.
    """
    ruling, from_s = trial.ruling, trial.ruled_s - trial.hold_s
    if ruling and ruling.passed and not trial.truth.ran_throughout(from_s, trial.ruled_s):
        return f"{ruling.text}, and head's tasks had not run for the hold time"
    if trial.end != "pass":
        return None
    if trial.guarded and _lost_sight(trial):
        return "the upgrade passed, though sight was lost of the swarm before"
    if trial.schedule.wrong_stamp:
        return f"the stamp was {trial.schedule.wrong_stamp}, and the upgrade passed"
    is_doomed = trial.schedule.fault is Fault.CRASHES_LATER
    until_s = trial.end_s if is_doomed else trial.watched_until_s
    if trial.truth.held_head(trial.end_s, until_s):
        return None
    return f"the upgrade passed at {trial.end_s:.1f} s, and is not at head: {trial.in_the_end()}"


def check_no_false_red(trial: Trial) -> Broken | None:
    """Check that what reached head and held fails only by a wrong stamp or another's update."""
    if trial.failed_by not in JUDGES or trial.schedule.wrong_stamp or has_other_update(trial):
        return None
    held_from_s = trial.end_s - trial.hold_s
    if not trial.truth.held_head(held_from_s, trial.watched_until_s):
        return None
    return f"the service is at head and held, and yet: {trial.reason}"


def check_true_reason(trial: Trial) -> Broken | None:
    """Check that a rollback is told as such, and a wrong stamp by HC1 alone."""
    back_s = trial.truth.rolled_back_s
    went_back = back_s is not None and back_s <= trial.end_s
    if trial.end != "fail" or has_other_update(trial, back_s if went_back else None):
        return None
    says_so = trial.outcome is Outcome.ROLLED_BACK
    if went_back and not says_so:
        return f"the swarm rolled back at {back_s:.1f} s, and: {trial.reason}"
    if says_so and not went_back:
        return f"the swarm did not roll back, and: {trial.reason}"
    if says_so and _is_hasty(trial):
        return f"the rollback was still under way at {trial.ruled_s:.1f} s, and: {trial.reason}"
    failed = trial.truth.failed
    if says_so and failed and trial.failed_task not in failed:
        return f"no task of head that failed is named, and: {trial.reason}"
    if trial.failed_by == HC1 and not trial.schedule.wrong_stamp:
        return f"no wrong stamp was planted, and: {trial.reason}"
    held = trial.truth.held_head(trial.end_s, trial.watched_until_s)
    is_denied = trial.schedule.reports_expected_stamp and trial.guarded
    is_named = trial.outcome is Outcome.STAMP_MISMATCH if is_denied else trial.failed_by == HC1
    if trial.schedule.wrong_stamp and held and not is_named:
        return f"a wrong stamp was planted, and: {trial.reason}"
    return None


def _is_hasty(trial: Trial) -> bool:
    """Whether the guard ruled in the middle of a rollback whose end it could have waited for."""
    state = trial.truth.at(trial.ruled_s + _MOMENT_S)  # records have rounded times
    is_under_way = state is not None and state.update_state == "rollback_started"
    had_time = trial.ruled_s < trial.upgrade_s + trial.schedule.patience_s
    return is_under_way and had_time and trial.guarded and not _lost_sight(trial)


def check_stop_first_converges(trial: Trial) -> Broken | None:
    """Under stop-first it converges if one task fits into memory, and else fails honestly.

    Of several that boot at once and do not fit, restarts may bring up one after the other: then it
    may pass, if it is true.
    """
    if not is_about_the_fix(trial):
        return None
    fits = isinstance(trial.schedule.pressure, Ample) or not trial.too_small
    if fits and trial.end != "pass":
        return f"one task fits into memory, and yet: {trial.reason}"
    if not fits and trial.end == "pass" and trial.schedule.policy.replicas == 1:
        return "one task does not fit into memory, and the upgrade passed"
    return None


def check_other_update_is_named(trial: Trial) -> Broken | None:
    """Another's update is named where one came in before the guard ruled, and nowhere else.

    Before that the swarm may have gone back, or stopped, by itself: then that is what there is to
    say. What was done before head was there may go unnamed. In that very moment, and in the
    ruling's, either may have come first. Where head was refused there is nothing that another could
    have overtaken.
    """
    ruling, applied_s = trial.ruling, trial.truth.applied_s
    if ruling is None or applied_s is None or trial.schedule.refused:
        return None
    text, ruled_s = ruling.text, trial.ruled_s
    names_it = ruling.other_update is not None
    if names_it and not has_other_update(trial, ruled_s):
        return f"nobody else did anything, and: {text}"
    names_hand = ruling.other_update == "rollback by hand"
    by_then = acts_on(trial, trial.upgrade_s, ruled_s).values()
    if names_hand and not any(map(_is_by_hand, by_then)):
        return f"nobody rolled back by hand, and: {text}"
    came = acts_on(trial, applied_s + _MOMENT_S, ruled_s - _MOMENT_S)
    if not came or _was_over(trial, min(came)):
        return None
    first = came[min(came)]
    is_named = names_hand if all(map(_is_by_hand, came.values())) else names_it
    return None if is_named else f"{first.what} at {min(came):.1f} s, and: {text}"


def _is_by_hand(acted: OperatorActed) -> bool:
    return acted.operation == "roll-back"


def check_verdict_is_prompt(trial: Trial) -> Broken | None:
    """Check that the guard times out only while the swarm itself is not done.

    And that the swarm has rolled back is said soon after.
    """
    done_s = trial.end_s - _PROMPT_S
    if trial.outcome is Outcome.ROLLED_BACK:
        before = trial.truth.at(done_s)
        was_over = before is not None and before.update_state in _ROLLBACK_OVER
        back_s = trial.truth.rolled_back_s
        if was_over and back_s is not None and back_s <= done_s and not has_other_update(trial):
            return f"the rollback was over by {done_s:.1f} s, and was told at {trial.end_s:.1f} s"
        return None
    if trial.end != "fail" or trial.outcome not in _GAVE_UP:
        return None
    state = trial.truth.at(trial.end_s)
    if state is None or state.service is None:
        return f"the service is gone, and: {trial.reason}"
    if has_other_update(trial, done_s):
        return f"another update came in long before, and: {trial.reason}"
    if state.update_state in ("paused", *_ROLLBACK_OVER):
        return f"the swarm says {state.update_state}, and: {trial.reason}"
    return None


def _lost_sight(trial: Trial) -> bool:
    """Whether sight was lost before the guard ruled; what comes later is not its to see."""
    return any(
        isinstance(record.what, RecorderLost)
        for record in trial.history
        if record.seen_s <= round(trial.ruled_s, 6)
    )


def _was_over(trial: Trial, at_s: float) -> bool:
    """Whether the swarm itself had gone back, or stopped, by then."""
    back_s = trial.truth.rolled_back_s
    return (back_s is not None and back_s <= at_s) or any(
        state.update_state == "paused"
        for state in trial.truth.sightings
        if (trial.truth.applied_s or 0.0) <= state.at_s <= at_s
    )


def is_about_the_fix(trial: Trial) -> bool:
    """Whether a trial is one of memory and order alone."""
    schedule = trial.schedule
    return (
        schedule.policy.order == "stop-first"
        and isinstance(schedule.pressure, Ample | Squeeze)
        and not (schedule.fault or schedule.wrong_stamp or schedule.operations or schedule.refused)
        and schedule.blind_after_s is None
        and schedule.head_replicas is None
        and trial.end != "skipped"
    )


def has_other_update(trial: Trial, before_s: float | None = None) -> bool:
    """Whether a second operator's act reached the swarm from the baseline on, before a moment.

    That of the end, where none is given.
    """
    return bool(acts_on(trial, trial.upgrade_s, trial.end_s if before_s is None else before_s))


def acts_on(trial: Trial, from_s: float, until_s: float) -> dict[float, OperatorActed]:
    """List what a second operator did that the swarm accepted, by moment."""
    return {
        record.seen_s: record.what
        for record in trial.history
        if isinstance(record.what, OperatorActed) and not record.what.refused
        if from_s <= record.seen_s <= round(until_s, 6)
    }


def law_named(name: str) -> Law:
    """Return the law of a name. Raises UsageError where there is none."""
    try:
        return LAWS[name]
    except KeyError:
        raise UsageError(f"there is no law {name!r}; there are: {', '.join(LAWS)}") from None


LAWS: Mapping[str, Law] = {
    law.name: law
    for law in (
        Law(
            name="no-false-green",
            says="the upgrade passes only if head is there, runs, and stays for the hold time",
            check=check_no_false_green,
        ),
        Law(
            name="no-false-red",
            says="what reached head and held is never failed",
            check=check_no_false_red,
        ),
        Law(
            name="true-reason",
            says="a rolled-back run is reported as rolled back, a wrong stamp as HC1's",
            check=check_true_reason,
        ),
        Law(
            name="told",
            says="another's update that came in is named, and none that did not",
            check=check_other_update_is_named,
        ),
        Law(
            name="in-time",
            says="it is given up at the deadline only while the swarm itself is not done",
            check=check_verdict_is_prompt,
        ),
        Law(
            name="fix",
            says="stop-first converges whenever one task fits into memory, else fails honestly",
            check=check_stop_first_converges,
        ),
    )
}
