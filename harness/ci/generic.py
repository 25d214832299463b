"""The generic upgrade of the report.

Base is up, head is deployed over it, and then: is it really there?
"""

from __future__ import annotations

import msgspec

from stamplab.harness.ci import hc1
from stamplab.harness.ci.app import Identity
from stamplab.harness.ci.lifecycle import (
    StageFailed,
    assert_upgrade_converged,
    chaos_redeploy,
    deployed_identity,
    recipe_checkout_ref,
    wait_healthy,
)
from stamplab.harness.ci.run_context import RunContext
from stamplab.harness.guard import Baseline, Expectation
from stamplab.lab.model.history import Finding, Note, ServiceSeen
from stamplab.lab.model.swarm import Service, ServiceSpec, UpdateStatus


class HC1Read(msgspec.Struct, frozen=True, kw_only=True):
    """Pause after which the pre-fix harness reads the deployed identity."""

    pause_s: float
    until_settled: bool = False
    """End the pause as soon as the swarm says that the update is over, one way or the other."""


class UpgradePlan(msgspec.Struct, frozen=True, kw_only=True):
    """Plan of an upgrade: its head, and how it is judged."""

    head: str
    """The intended head, 40 hex digits."""
    guard: bool = True
    """Off is the pre-fix path, kept as an exhibit."""
    timeout_s: float = 120.0
    reads: tuple[HC1Read, ...] = (HC1Read(pause_s=0.0),)
    """Guard off only: when HC1 reads the deployed identity. The last read decides.

    The field's harness read once, after its ready probes: before the rollback that is a false
    green, after it a misattribution. Several reads show both on one history.
    """


def perform_upgrade(context: RunContext, plan: UpgradePlan) -> Identity:
    """Upgrade to the plan's head and return what is deployed then.

    Raises StageFailed with the reason.
    """
    world = context.world
    before = deployed_identity(context)
    recipe_checkout_ref(context, plan.head)
    baseline = Baseline.capture(world, context.app.stack, context.app.service)
    stale = baseline.status_started
    world.record(Note(text=f"perform_upgrade: update status before the redeploy started: {stale}"))
    redeployed = chaos_redeploy(context)
    _record_service(context, world.inspect(context.app.service))
    if not plan.guard:
        if redeployed.deployed.exit_code != 0:
            refusal = redeployed.deployed.output.strip()
            raise StageFailed("chaos_redeploy", f"the redeploy was refused: {refusal}")
        return _check_unguarded(context, plan, before)
    expectation = Expectation(
        deadline_s=world.now_s() + plan.timeout_s,
        labels={context.app.stamp_label: redeployed.stamp},
    )
    return _check_guarded(context, plan, before, baseline, expectation)


def _check_guarded(
    context: RunContext,
    plan: UpgradePlan,
    before: Identity,
    baseline: Baseline,
    expectation: Expectation,
) -> Identity:
    """Follow the upgrade until the guard rules, then check health and HC1."""
    ruling = assert_upgrade_converged(context, baseline, expectation)
    wait_healthy(context, plan.timeout_s)
    after = deployed_identity(context)
    _check_hc1(context, after, plan.head)
    _check_moved(before, after)
    context.world.record(
        Note(
            text=f"upgrade-converged: {ruling.service}: UpdateStatus={ruling.update_state} "
            f"chaos-version={after.stamp} version={before.version}→{after.version}"
        )
    )
    return after


def _check_unguarded(context: RunContext, plan: UpgradePlan, before: Identity) -> Identity:
    """Check health, then HC1, as before the fix: nothing here would notice a rollback."""
    wait_healthy(context, plan.timeout_s)
    failure: StageFailed | None = None
    after = before
    for read in plan.reads:
        _wait_before_read(context, read)
        after = deployed_identity(context)
        failure = None
        try:
            _check_hc1(context, after, plan.head)
        except StageFailed as error:
            failure = StageFailed(error.step, f"re-checkout failed: {error.reason}")
    if failure is not None:
        raise failure
    _check_moved(before, after)
    return after


def _wait_before_read(context: RunContext, read: HC1Read) -> None:
    """Let time pass, as ready probes did in the field."""
    until_s = context.world.now_s() + read.pause_s
    while (record := context.world.next(until_s)) is not None:
        match record.what:
            case ServiceSeen(name=name, service=Service(update_status=UpdateStatus() as status)):
                if read.until_settled and name == context.app.service and status.is_over:
                    return


def _check_hc1(context: RunContext, identity: Identity, head: str) -> None:
    # The overlays that were copied in make the tree dirty.
    message = hc1.check(identity.stamp, head, is_dirty=True)
    text = message or f"HC1: chaos-version={identity.stamp} is the intended PR-head {head[:12]}"
    context.world.record(Finding(step="hc1", passed=message is None, text=text))
    if message is not None:
        raise StageFailed("hc1", message)


def _check_moved(before: Identity, after: Identity) -> None:
    """Fail an upgrade that moved nothing: it proves nothing (the field's anti-vacuous rule)."""
    if (before.version, before.image) == (after.version, after.image):
        reason = f"the upgrade moved neither version ({after.version}) nor image"
        raise StageFailed("perform_upgrade", reason)


def _record_service(context: RunContext, service: Service | None) -> None:
    """Print the report's line: what the swarm shows right after the redeploy."""
    if service is None:
        shown = "no such service"
    else:
        status = service.update_status
        shown = (
            f"UpdateStatus.State={status.state if status else None} "
            f".Spec {_stamps_text(context, service.spec)} "
            f".PreviousSpec {_stamps_text(context, service.previous_spec)}"
        )
    context.world.record(Note(text=f"[DSTAMP] post-redeploy svc inspect {shown}"))


def _stamps_text(context: RunContext, spec: ServiceSpec | None) -> str:
    if spec is None:
        return "absent"
    labels = spec.labels
    return (
        f"chaos-version={labels.get(context.app.stamp_label)} "
        f"version={labels.get(context.app.version_label)}"
    )
