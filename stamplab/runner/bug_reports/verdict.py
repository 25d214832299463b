"""Judges a bug report's play: was the report reproduced, and was the guard right? Pure."""

from __future__ import annotations

import msgspec

from stamplab.harness.checks.ground_truth import TrueOutcome
from stamplab.harness.checks.shape import GUARD, Shape, Stamp, shape_of
from stamplab.harness.checks.timeline import ServiceTimeline
from stamplab.harness.guard import Outcome, Ruling
from stamplab.harness.verdict import Verdict
from stamplab.scenarios.bug_reports.report import BugReport
from stamplab.scenarios.bug_reports.results import BugReportPlay, DeployResult, GuardResult

RIGHT: dict[TrueOutcome, frozenset[Outcome]] = {
    TrueOutcome.DEPLOYED: frozenset({Outcome.CONVERGED}),
    TrueOutcome.FINISHED: frozenset({Outcome.CONVERGED}),
    TrueOutcome.DOWN: frozenset({Outcome.STALLED, Outcome.TIMED_OUT}),
    TrueOutcome.PAUSED: frozenset({Outcome.PAUSED}),
    TrueOutcome.ROLLED_BACK: frozenset({Outcome.ROLLED_BACK}),
    TrueOutcome.REPLACED: frozenset({Outcome.SUPERSEDED}),
    TrueOutcome.REMOVED: frozenset({Outcome.REMOVED}),
}
"""What a guard may say of each true outcome."""


class ReportVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a report's play comes to."""

    verdict: Verdict
    reproduced: bool
    must: bool
    missing: tuple[str, ...]
    """Parts of the signature that do not hold, each with what was seen instead."""
    unseen: tuple[str, ...]
    """Parts that this world has nothing to see by."""
    wrong: tuple[str, ...]
    """Where the guard was wrong."""
    later: tuple[str, ...]
    """What broke after the guard had rightly ruled, and after the swarm was done with it."""
    differences: tuple[str, ...]
    """In what the history differs from the shape that the report declares."""


class ControlVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a control's play comes to: it must not reproduce its report, and the guard is right."""

    verdict: Verdict
    missing: tuple[str, ...] = ()
    """Parts of the report's signature that do not hold in it: by these the two are told apart."""
    unseen: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    why: str = ""
    """Why it was not played to its end."""

    @property
    def reproduced(self) -> bool:
        """Whether it shows all that its report is recognised by: then the report shows nothing."""
        return not (self.missing or self.unseen or self.why)


def judge(report: BugReport, play: BugReportPlay, world: str, engine: str) -> ReportVerdict:
    """Hold a play to its report."""
    missing, unseen = _signature_in(report, play)
    must = report.must_reproduce(world, engine)
    wrong = _wrong_in_all(report, play)
    differences = report.shape.differences(shape_in(play)) if report.shape else ()
    # The swarm's part alone may be as it always was where the rest has been mended.
    reproduced = not missing and (must or not unseen)
    later = (_broke_later(report, result, result.ruling) for result in play.deploys)
    return ReportVerdict(
        verdict=Verdict.of(reproduced == must and not wrong and not differences),
        reproduced=reproduced,
        must=must,
        missing=missing,
        unseen=unseen,
        wrong=wrong,
        later=tuple(filter(None, later)),
        differences=differences,
    )


def judge_control(report: BugReport, play: BugReportPlay) -> ControlVerdict:
    """Hold the play of a report's control to the report's own signature."""
    missing, unseen = _signature_in(report, play)
    wrong = _wrong_in_all(report, play)
    is_told_apart = bool(missing or unseen)
    return ControlVerdict(
        verdict=Verdict.of(is_told_apart and not wrong),
        missing=missing,
        unseen=unseen,
        wrong=wrong,
    )


def _signature_in(
    report: BugReport, play: BugReportPlay
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the signs that are missing, and those that this world has nothing to see by."""
    held = [(sign, sign.holds(play)) for sign in report.signature]
    missing = tuple(sign.missing_in(play) for sign, holds in held if holds is False)
    return missing, tuple(sign.text for sign, holds in held if holds is None)


def _wrong_in_all(report: BugReport, play: BugReportPlay) -> tuple[str, ...]:
    return tuple(text for result in play.deploys for text in wrong_in(report, result))


def wrong_in(report: BugReport, result: DeployResult) -> list[str]:
    """Say how a guard was wrong about a deploy; nothing where both were right."""
    rulings: list[tuple[str, Ruling | GuardResult]] = [("the guard", result.ruling)]
    rulings += [("`stamplab guard`", result.command)] if result.command else []
    truth = f"in truth it is {result.truth.outcome} ({result.truth.text})"
    wrong = [
        f"{result.what}: {who} says {ruling.outcome}, {truth}"
        for who, ruling in rulings
        if ruling.outcome not in RIGHT[result.truth.outcome]
        and not _broke_later(report, result, ruling)
    ]
    command = result.command
    if command and command.exit_code != command.outcome.exit_code:
        text = f"`stamplab guard` says {command.outcome}, and exits {command.exit_code}"
        wrong.append(f"{result.what}: {text}")
    return wrong


def _broke_later(report: BugReport, result: DeployResult, ruling: Ruling | GuardResult) -> str:
    """Say how long after a right ruling a deploy broke; empty where that is not what happened."""
    truth = result.truth
    if not report.breaks_late or truth.broke_s is None or truth.outcome is not TrueOutcome.DOWN:
        return ""
    after_s = truth.broke_s - ruling.decided_s
    if ruling.outcome is not Outcome.CONVERGED or after_s <= 0:
        return ""
    return f"its first task failed {after_s:.1f} s after the guard's ruling"


def shape_in(play: BugReportPlay) -> Shape:
    """Return the shape of the history of the service that was deployed last."""
    timeline = play.timeline
    return shape_of(
        timeline.states,
        (_stamp(stamp, play) for stamp in timeline.stamps),
        new_task=_new_task(timeline, play.last),
        old_kept=timeline.kept_first,
        end="pass" if play.last.ruling.outcome is Outcome.CONVERGED else GUARD,
    )


def _stamp(stamp: str | None, play: BugReportPlay) -> Stamp:
    if stamp == play.last.request.stamp:
        return "head"
    return "base" if stamp == play.timeline.stamps[0] else "other"


def _new_task(timeline: ServiceTimeline, last: DeployResult) -> str:
    """Return what became of the first task of the last deploy, or of the first that failed."""
    new = timeline.new_tasks(last.request.stamp)
    if not new:
        return "never created"
    if last.truth.outcome is TrueOutcome.FINISHED:
        return "finished"
    task = next((task for task in new if task.has_failed), new[0])
    if task.state == "pending":
        return "pending"
    if task.has_failed:
        return f"failed {'after' if task.id in timeline.was_running else 'before'} RUNNING"
    return "did not fail"
