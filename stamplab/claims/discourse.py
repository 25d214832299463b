"""The report's claims, judged on the plays' histories.

Pure; evidence that is missing makes unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import msgspec

from stamplab.harness.checks.attribution import explain
from stamplab.harness.guard import Outcome
from stamplab.harness.verdict import Verdict
from stamplab.lab.model.history import Finding
from stamplab.runner.play_record import PlayRecord


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One claim of the report with its verdict and what shows it."""

    id: str
    text: str
    verdict: Verdict | None
    """None where the claim is not possible here; it then counts for nothing."""
    evidence: str = ""
    where: str = ""
    not_possible_here: str = ""
    """Why this machine cannot show the claim; empty where it can."""


def counted_verdicts(claims: Iterable[Claim]) -> tuple[Verdict, ...]:
    """Return the verdicts that a run's own is made of: those of claims that are possible here."""
    return tuple(claim.verdict for claim in claims if claim.verdict is not None)


class ClaimResult(msgspec.Struct, frozen=True):
    """What a judge found: holds, does not hold, or (None) is not shown."""

    holds: bool | None
    evidence: str


Judge = Callable[[PlayRecord], ClaimResult]


def policy_is_armed(play: PlayRecord) -> ClaimResult:
    """C1: the recipe at head says rollback, start-first, 5 s, and a health check of 20 minutes."""
    policy = play.policy
    if policy is None:
        return ClaimResult(None, "the policy was not read")
    stated = (policy.failure_action, policy.order, policy.monitor, policy.start_period)
    text = (
        f"{policy.path} at {policy.commit[:12]}: failure_action {stated[0]}, order {stated[1]}, "
        f"monitor {stated[2]}, start_period {stated[3]}"
    )
    return ClaimResult(stated == ("rollback", "start-first", "5s", "20m"), text)


def spec_was_applied_then_reverted(play: PlayRecord) -> ClaimResult:
    """C3.

    Inspect shows updating with Spec head and PreviousSpec base, and later Spec base again.
    """
    attribution = play.attribution
    if attribution is None or attribution.head is None:
        return ClaimResult(None, "the head spec was never seen applied")
    label = play.app.stamp_label
    base, head, last = play.stamps
    updating = [
        snapshot
        for snapshot in attribution.snapshots
        if snapshot.service.update_state == "updating"
        and snapshot.service.spec.labels.get(label) == head
        and snapshot.service.previous_spec is not None
        and snapshot.service.previous_spec.labels.get(label) == base
    ]
    if not updating:
        return ClaimResult(
            False, f"inspect never showed updating with Spec {head}, PreviousSpec {base}"
        )
    state = attribution.last.service.update_state
    text = (
        f"updating with Spec {head}, PreviousSpec {base} (record {updating[0].seq}); then {state} "
        f"with Spec {last} (record {attribution.last.seq})"
    )
    return ClaimResult(last == base and base != head, text)


def mechanism(play: PlayRecord) -> ClaimResult:
    """C4: the whole signature, by the kernel's own record."""
    signature = play.signature
    holds = {Verdict.PASS: True, Verdict.FAIL: False, Verdict.UNKNOWN: None}[signature.verdict]
    if holds and play.attribution is not None:
        return ClaimResult(True, explain(play.attribution))
    return ClaimResult(holds, str(signature))


def masked(play: PlayRecord) -> ClaimResult:
    """C5.

    Healthy all the while; HC1 green before the rollback, and wrong in its reason after it.
    """
    healthy = play.findings("wait_healthy")
    reads = play.findings("hc1")
    end, reason = play.upgrade.end, play.upgrade.reason
    if len(healthy) < 2 or len(reads) < 2:
        return ClaimResult(
            None, f"HC1 was read {len(reads)} times, the upgrade ended as {end}: {reason}"
        )
    early, late = reads[0], reads[-1]
    faces = early.passed and not late.passed and healthy[-1].passed
    is_blamed_on_it = end == "fail" and play.upgrade.failed_step == "hc1"
    misattributed = faces and is_blamed_on_it and play.signature.verdict is Verdict.PASS
    return ClaimResult(misattributed, _two_faces(early, late, reason))


def _two_faces(early: Finding, late: Finding, reason: str) -> str:
    first = "false green before the rollback" if early.passed else f"at first {early.text!r}"
    last = f"after it: {reason}" if not late.passed else f"then {late.text!r}"
    return f"wait_healthy passed; {first}; {last}"


def converged_at_head(play: PlayRecord, *, may_keep_version: bool = False) -> ClaimResult:
    """C7, and the control: the guard rules converged, and the swarm is at head.

    A recipe's version may stay where its image moves, if that is said to be so.
    """
    attribution = play.attribution
    _, head, last = play.stamps
    end, reason = play.upgrade.end, play.upgrade.reason
    ruled = play.findings("assert_upgrade_converged")
    if attribution is None or not ruled:
        return ClaimResult(None, f"the upgrade ended as {end}: {reason}")
    if end != "pass":
        return ClaimResult(False, reason)
    version = attribution.last.service.spec.labels.get(play.app.version_label)
    before = attribution.base.labels.get(play.app.version_label)
    text = (
        f"UpdateStatus={attribution.last.service.update_state} chaos-version={last} "
        f"version={before}→{version}; {attribution.probes}"
    )
    completed = attribution.last.service.update_state == "completed"
    is_new_image = attribution.last.service.spec.image != attribution.base.image
    has_moved = version != before or (may_keep_version and is_new_image)
    return ClaimResult(completed and last == head and has_moved, text)


def fix_is_honest(play: PlayRecord) -> ClaimResult:
    """C8: the guard fails the upgrade with the true reason."""
    end, reason = play.upgrade.end, play.upgrade.reason
    ruled = play.findings("assert_upgrade_converged")
    if not ruled:
        return ClaimResult(None, f"the guard did not rule; the upgrade ended as {end}: {reason}")
    is_failed_by_guard = end == "fail" and play.upgrade.failed_step == ruled[-1].step
    is_named = is_failed_by_guard and ruled[-1].outcome == Outcome.ROLLED_BACK
    cause = f"; {explain(play.attribution)}" if play.attribution else ""
    return ClaimResult(is_named and play.signature.verdict is Verdict.PASS, f"{reason}{cause}")


ClaimRule = tuple[str, str, str, Judge]
"""A claim's name, its text, the play that it is judged on, and its judge."""

CLAIMS: tuple[ClaimRule, ...] = (
    ("control", "with ample memory the old policy converges", "a", converged_at_head),
    ("C1", "the recipe's policy arms it", "c", policy_is_armed),
    ("C3", "head spec applied, then rolled back to base", "b", spec_was_applied_then_reverted),
    ("C4", "NEW is OOM-killed beside OLD, swarm reverts the stamp", "c", mechanism),
    ("C5", "OLD keeps serving, so the old harness misattributes", "b", masked),
    ("C7", "stop-first under the same pressure converges", "d", converged_at_head),
    ("C8", "the guard fails it with the true reason", "c", fix_is_honest),
)


PLAY_OF: Mapping[str, str] = {name: play for name, _, play, _ in CLAIMS}
"""The play that each claim is judged on, by the claim's name."""


def judge(
    plays: Mapping[str, PlayRecord | None],
    only: Collection[str] = PLAY_OF.keys(),
    claims: Sequence[ClaimRule] = CLAIMS,
) -> tuple[Claim, ...]:
    """Judge the claims (of ``only`` these names) of the plays that were to be played.

    A play that did not come to its end (None) leaves its claims unknown.
    """
    asked = [claim for claim in claims if claim[0] in only and claim[2] in plays]
    return tuple(_judge(claim, plays[claim[2]]) for claim in asked)


def _judge(claim: ClaimRule, play: PlayRecord | None) -> Claim:
    name, text, which, judge_of = claim
    if play is None:
        result = ClaimResult(None, f"play ({which}) did not come to its end")
        where = ""
    else:
        result = _safely(judge_of, play)
        where = f"{play.folder.name}/history.jsonl"
    return Claim(
        id=name,
        text=text,
        verdict=Verdict.of(result.holds),
        evidence=result.evidence,
        where=where,
    )


def _safely(judge_of: Judge, play: PlayRecord) -> ClaimResult:
    """Judge a claim; a judge that crashes says unknown, never pass."""
    try:
        return judge_of(play)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not look like a verdict
        return ClaimResult(None, f"the judge crashed: {type(error).__name__}: {error}")
