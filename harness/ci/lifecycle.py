"""The steps of a CI run, by the names of the report. They wait in `World.next` and nowhere else."""

from __future__ import annotations

from stamplab.harness.ci.app import Identity
from stamplab.harness.ci.health import Health
from stamplab.harness.ci.run_context import RunContext
from stamplab.harness.guard import Baseline, Expectation, Guard, Outcome, Ruling
from stamplab.harness.guard import update_status_started as update_status_started
from stamplab.lab.abra.deploy import ChaosDeploy
from stamplab.lab.errors import LabError
from stamplab.lab.model.history import Finding, Note, Record


class StageFailed(Exception):
    """A stage of the run failed: by which step, and the reason that the run reports."""

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(reason)
        self.step = step
        self.reason = reason


class VerdictUnknown(LabError):
    """The guard cannot rule, for something may have happened unobserved."""


def fetch_recipe(context: RunContext, ref: str) -> None:
    """Clone the recipe from its mirror at ``ref``, with its upstream's tags. Raises LabError."""
    context.tree.fetch(ref)
    _record_note(context, f"fetch_recipe: {context.app.recipe} at {ref}")


def recipe_checkout_ref(context: RunContext, ref: str) -> str:
    """Check a ref out and lay the run's overlays over it: so the tree is dirty. Returns its SHA."""
    sha = context.tree.check_out(ref)
    _record_note(context, f"recipe_checkout_ref: HEAD={sha[:12]} ({ref}), overlays copied in")
    return sha


def deploy_app(context: RunContext) -> ChaosDeploy:
    """Deploy the checked-out base for the first time."""
    return _deploy(context, "deploy_app")


def chaos_redeploy(context: RunContext) -> ChaosDeploy:
    """Deploy the checked-out head over what is there.

    A refusal is in the answer: the guard judges it.
    """
    return _deploy(context, "chaos_redeploy")


def _deploy(context: RunContext, step: str) -> ChaosDeploy:
    deploy = context.tree.deploy()
    accepted = deploy.deployed.exit_code == 0
    refusal = "" if accepted else f", refused: {deploy.deployed.output.strip()}"
    _record_finding(context, step, passed=accepted, text=f"{step}: stamped {deploy.stamp}{refusal}")
    return deploy


def wait_healthy(context: RunContext, timeout_s: float) -> None:
    """Wait for N of N tasks in every service and an answer over HTTP.

    Raises StageFailed with the last reason when that does not come about in ``timeout_s``.
    """
    world = context.world
    health = Health(context.app.stack)
    deadline_s = world.now_s() + timeout_s
    for recorded in _look_anew(context):  # judged as a whole: some of it may be old
        health.feed(recorded.what)
    while (missing := health.missing()) is not None:
        record = world.next(deadline_s)
        if record is None:
            reason = f"not healthy within {timeout_s:g} s: {missing}"
            _record_finding(context, "wait_healthy", passed=False, text=reason)
            raise StageFailed("wait_healthy", reason)
        health.feed(record.what)
    _record_finding(
        context, "wait_healthy", passed=True, text="wait_healthy: N/N tasks and HTTP answers"
    )


def deployed_identity(context: RunContext) -> Identity:
    """Read what the swarm says is deployed now. Raises StageFailed when the service is gone."""
    service = context.world.inspect(context.app.service)
    if service is None:
        raise StageFailed("deployed_identity", f"there is no service {context.app.service}")
    return context.app.identity_of(service)


def assert_upgrade_converged(
    context: RunContext, baseline: Baseline, expectation: Expectation
) -> Ruling:
    """Follow the upgrade until the guard rules; fail it with the true reason if not converged.

    ``baseline`` must have been captured before the deploy; all that was recorded since then is
    still in `World.next`, so nothing is missed. Raises StageFailed.
    """
    guard = Guard(baseline, expectation)
    world = context.world
    while guard.ruling is None:
        wake_s = guard.wake_s
        record = world.next(wake_s)
        records = [] if record is None else [record]
        if is_due := world.now_s() >= wake_s:
            records += _look_anew(context)  # time alone decides nothing (ADR 0040)
        guard.feed_snapshot(records)
        if is_due:
            guard.tick(world.now_s())
    ruling = guard.ruling
    if ruling.outcome is Outcome.UNKNOWN:
        raise VerdictUnknown(ruling.reason)
    passed = ruling.outcome is Outcome.CONVERGED
    prefix = "upgrade-converged" if passed else "upgrade-not-converged"
    context.world.record(
        Finding(
            step="assert_upgrade_converged",
            passed=passed,
            text=f"{prefix}: {ruling.service}: {ruling.reason}",
            outcome=ruling.outcome,
            failed_task=ruling.failed_task,
            other_update=ruling.other_update,
        )
    )
    if not passed:
        raise StageFailed("assert_upgrade_converged", ruling.reason)
    return ruling


def _look_anew(context: RunContext) -> list[Record]:
    """Record every service and task of the stack, and return all records that were not taken."""
    world = context.world
    world.look(context.app.stack)
    records = []
    while (record := world.next(world.now_s())) is not None:
        records.append(record)
    return records


def _record_finding(context: RunContext, step: str, *, passed: bool, text: str) -> None:
    context.world.record(Finding(step=step, passed=passed, text=text))


def _record_note(context: RunContext, text: str) -> None:
    context.world.record(Note(text=text))
