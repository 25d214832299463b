"""The verdict on a stack, from those on its services. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from stamplab.harness.guard import Baseline, Outcome, Ruling
from stamplab.harness.guard.failure import Failure, in_words
from stamplab.lab.model.swarm import Service

How = Literal["updated", "created", "unchanged", "labels only", "scaled to zero", "job", "pruned"]
"""What kind of success it is."""


class ServiceVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """How one service ended."""

    name: str
    outcome: Outcome
    reason: str
    how: How | None = None
    update_state: str | None = None
    failure: Failure | None = None
    image: str | None = None
    labels: dict[str, str] = {}

    def __str__(self) -> str:
        """For a line of its own: name, outcome, reason."""
        said = f"{self.outcome.value}: "
        return f"{self.name}: {self.reason if self.reason.startswith(said) else said + self.reason}"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """How the whole ended, and why, in one sentence."""

    outcome: Outcome
    reason: str
    services: tuple[ServiceVerdict, ...]

    @property
    def is_success(self) -> bool:
        """Whether all that was deployed is there and stays."""
        return self.outcome is Outcome.CONVERGED


def of_service(
    baseline: Baseline,
    ruling: Ruling,
    now: Service | None,
    failure: Failure | None,
    *,
    prunes: bool = False,
) -> ServiceVerdict:
    """Put together what is known of one service.

    Where the deploy itself was told to remove what is not in its files any more (``prunes``), a
    service of the stack that is gone was pruned.
    """
    is_pruned = prunes and ruling.outcome is Outcome.REMOVED
    reason = "the deploy pruned it" if is_pruned else ruling.reason
    if failure is not None and not is_pruned:
        reason += f"; that task {in_words(failure)}"
    outcome = Outcome.CONVERGED if is_pruned else ruling.outcome
    return ServiceVerdict(
        name=ruling.service,
        outcome=outcome,
        reason=reason,
        how="pruned" if is_pruned else _how(baseline, ruling, now),
        update_state=ruling.update_state,
        failure=failure,
        image=now.spec.image if now else None,
        labels=dict(now.spec.labels) if now else {},
    )


# Unchanged services do not count (ADR 0044).
def of_stack(services: Sequence[ServiceVerdict]) -> Verdict:
    """Join the verdicts on services.

    Those that the deploy left unchanged do not count beside others: a stack of which all that was
    to be changed rolled back is rolled back, not mixed. One that is unknown makes all unknown.
    """
    if len(services) == 1:
        (only,) = services
        return Verdict(outcome=only.outcome, reason=str(only), services=(only,))
    changed = [service for service in services if service.how != "unchanged"]
    counted = changed or list(services)
    outcomes = {service.outcome for service in counted}
    if not outcomes or Outcome.UNKNOWN in outcomes:
        outcome = Outcome.UNKNOWN
    elif len(outcomes) == 1:
        (outcome,) = outcomes
    else:
        outcome = Outcome.MIXED
    return Verdict(outcome=outcome, reason=_reason(outcome, services), services=tuple(services))


def _reason(outcome: Outcome, services: Sequence[ServiceVerdict]) -> str:
    if outcome is Outcome.CONVERGED:
        return f"all {len(services)} services: " + "; ".join(
            f"{name} ({', '.join(one.name for one in services if one.how == name)})"
            for name in dict.fromkeys(one.how for one in services)
        )
    bad = [str(one) for one in services if one.outcome is not Outcome.CONVERGED]
    good = [one.name for one in services if one.outcome is Outcome.CONVERGED]
    but = f"; converged: {', '.join(good)}" if good else ""
    return "; ".join(bad) + but if bad else "there is no service to judge"


def _how(baseline: Baseline, ruling: Ruling, now: Service | None) -> How | None:
    if ruling.outcome is not Outcome.CONVERGED or now is None:
        return None
    if now.spec.is_job:
        return "job"
    if now.spec.replicas == 0:
        return "scaled to zero"
    base = baseline.spec
    if base is None:
        return "created"
    if base.digest == now.spec.digest:
        return "unchanged"
    return "labels only" if base.task_digest == now.spec.task_digest else "updated"
