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
from stamplab.harness.ci.run_context import Bench
from stamplab.harness.guard import Baseline, Expectation
from stamplab.lab.model.history import Finding, Note, ServiceSeen
from stamplab.lab.model.swarm import Service, ServiceSpec, UpdateStatus


class HC1Read(msgspec.Struct, frozen=True, kw_only=True):
    """When the pre-fix harness reads the deployed identity: a pause after what came before."""

    pause_s: float
    until_settled: bool = False
    """End the pause as soon as the swarm says that the update is over, one way or the other."""


class UpgradePlan(msgspec.Struct, frozen=True, kw_only=True):
    """How an upgrade is done and judged."""

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


def perform_upgrade(bench: Bench, plan: UpgradePlan) -> Identity:
    """Upgrade to the plan's head and return what is deployed then.

    Raises StageFailed with the reason.
    """
    world = bench.world
    before = deployed_identity(bench)
    recipe_checkout_ref(bench, plan.head)
    baseline = Baseline.capture(world, bench.app.stack, bench.app.service)
    stale = baseline.status_started
    world.record(Note(text=f"perform_upgrade: update status before the redeploy started: {stale}"))
    redeployed = chaos_redeploy(bench)
    _show_service(bench, world.inspect(bench.app.service))
    if not plan.guard:
        if redeployed.deployed.exit_code != 0:
            raise StageFailed(f"the redeploy was refused: {redeployed.deployed.output.strip()}")
        return _ungated(bench, plan, before)
    expectation = Expectation(
        deadline_s=world.now_s() + plan.timeout_s,
        labels={bench.app.stamp_label: redeployed.stamp},
    )
    ruling = assert_upgrade_converged(bench, baseline, expectation)
    wait_healthy(bench, plan.timeout_s)
    after = deployed_identity(bench)
    _check_hc1(bench, after, plan.head)
    _check_moved(before, after)
    world.record(
        Note(
            text=f"upgrade-converged: {ruling.service}: UpdateStatus={ruling.update_state} "
            f"chaos-version={after.stamp} version={before.version}→{after.version}"
        )
    )
    return after


def _ungated(bench: Bench, plan: UpgradePlan, before: Identity) -> Identity:
    """The pre-fix path: healthy, then HC1, and nothing that would notice a rollback."""
    wait_healthy(bench, plan.timeout_s)
    failure: StageFailed | None = None
    after = before
    for read in plan.reads:
        _pause(bench, read)
        after = deployed_identity(bench)
        failure = None
        try:
            _check_hc1(bench, after, plan.head)
        except StageFailed as error:
            failure = StageFailed(f"re-checkout failed: {error.reason}")
    if failure is not None:
        raise failure
    _check_moved(before, after)
    return after


def _pause(bench: Bench, read: HC1Read) -> None:
    """Let time pass, as ready probes did in the field."""
    until_s = bench.world.now_s() + read.pause_s
    while (record := bench.world.next(until_s)) is not None:
        match record.what:
            case ServiceSeen(name=name, service=Service(update_status=UpdateStatus() as status)):
                if read.until_settled and name == bench.app.service and status.is_over:
                    return
            case _:
                pass


def _check_hc1(bench: Bench, identity: Identity, head: str) -> None:
    # The overlays that were copied in make the tree dirty.
    message = hc1.check(identity.stamp, head, is_dirty=True)
    text = message or f"HC1: chaos-version={identity.stamp} is the intended PR-head {head[:12]}"
    bench.world.record(Finding(step="hc1", passed=message is None, text=text))
    if message is not None:
        raise StageFailed(message)


def _check_moved(before: Identity, after: Identity) -> None:
    """An upgrade that moved nothing proves nothing (the field's anti-vacuous rule)."""
    if (before.version, before.image) == (after.version, after.image):
        raise StageFailed(f"the upgrade moved neither version ({after.version}) nor image")


def _show_service(bench: Bench, service: Service | None) -> None:
    """Print the report's line: what the swarm shows right after the redeploy."""
    if service is None:
        shown = "no such service"
    else:
        status = service.update_status
        shown = (
            f"UpdateStatus.State={status.state if status else None} "
            f".Spec {_stamps(bench, service.spec)} "
            f".PreviousSpec {_stamps(bench, service.previous_spec)}"
        )
    bench.world.record(Note(text=f"[DSTAMP] post-redeploy svc inspect {shown}"))


def _stamps(bench: Bench, spec: ServiceSpec | None) -> str:
    if spec is None:
        return "absent"
    labels = spec.labels
    return (
        f"chaos-version={labels.get(bench.app.stamp_label)} "
        f"version={labels.get(bench.app.version_label)}"
    )
