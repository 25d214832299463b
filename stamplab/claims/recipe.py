"""What is claimed of a recipe that is not ours, by its own policy. Pure, like all judges."""

from __future__ import annotations

from stamplab.claims.discourse import CLAIMS, ClaimResult, ClaimRule, converged_at_head
from stamplab.harness.checks.attribution import explain
from stamplab.lab.model.history import PolicyRead
from stamplab.lab.model.swarm import UpdatePolicy
from stamplab.runner.play_record import PlayRecord

_SWARM = UpdatePolicy()
"""What the swarm does where a recipe is silent."""
_AS_REPORTED = {"C3", "C4", "C5", "C8"}


def is_armed(policy: PolicyRead) -> bool:
    """Whether a policy lets the incident happen: rolled back, with OLD still there beside NEW."""
    return policy.failure_action == "rollback" and policy.order == "start-first"


def in_words(policy: PolicyRead) -> str:
    """Describe a policy in a sentence, with the swarm's defaults where it is silent."""
    stated = [
        f"failure_action {policy.failure_action or f'{_SWARM.failure_action} (by default)'}",
        f"order {policy.order or f'{_SWARM.order} (by default)'}",
        f"monitor {policy.monitor or f'{_SWARM.monitor_s:g}s (by default)'}",
        f"start_period {policy.start_period or 'none'}",
    ]
    verdict = "armed" if is_armed(policy) else "not armed: it takes rollback and start-first both"
    return f"{policy.path} at {policy.commit[:12]}: {', '.join(stated)}: {verdict}"


def policy_is_known(play: PlayRecord) -> ClaimResult:
    """C1, as a finding: what the recipe's own policy is, armed or not."""
    if play.policy is None:
        return ClaimResult(None, "the policy was not read")
    return ClaimResult(True, in_words(play.policy))


def upgraded(play: PlayRecord) -> ClaimResult:
    """C7, and the control: a pull request's head often has its release's version still to come."""
    return converged_at_head(play, may_keep_version=True)


def nothing_is_silent(play: PlayRecord) -> ClaimResult:
    """Under pressure an unarmed policy ends at head, or the guard says that it does not."""
    end, reason = play.upgrade.end, play.upgrade.reason
    if end == "pass":
        return upgraded(play)
    ruled = play.findings("assert_upgrade_converged")
    if not ruled or play.attribution is None or end != "fail":
        return ClaimResult(None, f"the guard did not rule; the upgrade ended as {end}: {reason}")
    state = play.attribution.last.service.update_state
    cause = f"; {explain(play.attribution)}" if play.attribution.failure else ""
    return ClaimResult(True, f"UpdateStatus={state}, and the guard says so: {reason}{cause}")


_CONTROL: ClaimRule = ("control", "with ample memory its own policy converges", "a", upgraded)
_POLICY: ClaimRule = ("C1", "what the recipe's own policy is", "c", policy_is_known)
_FIX: ClaimRule = ("C7", "stop-first under the same pressure converges", "d", upgraded)
_SILENCE: ClaimRule = (
    "C8",
    "by its own policy nothing is rolled back unsaid",
    "c",
    nothing_is_silent,
)
ARMED: tuple[ClaimRule, ...] = (
    *(_CONTROL, _POLICY),
    *sorted((*(claim for claim in CLAIMS if claim[0] in _AS_REPORTED), _FIX), key=lambda c: c[0]),
)
UNARMED: tuple[ClaimRule, ...] = (_CONTROL, _POLICY, _SILENCE)
