"""The steps of a CI run, by the names of the report. They wait in `World.next` and nowhere else."""

from __future__ import annotations

from stamplab.harness.ci.app import Identity
from stamplab.harness.ci.health import Health
from stamplab.harness.ci.run_context import Bench
from stamplab.harness.guard import Baseline, Expectation, Guard, Ruling, update_status_started
from stamplab.harness.verdict import Verdict
from stamplab.lab.abra.deploy import ChaosDeploy
from stamplab.lab.errors import LabError
from stamplab.lab.model.history import Finding, Note

__all__ = [
    "SightLost",
    "StageFailed",
    "assert_upgrade_converged",
    "chaos_redeploy",
    "deploy_app",
    "deployed_identity",
    "fetch_recipe",
    "recipe_checkout_ref",
    "update_status_started",
    "wait_healthy",
]


class StageFailed(Exception):
    """A stage of the run failed, with the reason that the run reports."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SightLost(LabError):
    """The guard cannot rule: something may have happened unseen."""


def fetch_recipe(bench: Bench, ref: str) -> None:
    """Clone the recipe from its mirror at ``ref``, with its upstream's tags. Raises LabError."""
    bench.tree.fetch(ref)
    _say(bench, f"fetch_recipe: {bench.app.recipe} at {ref}")


def recipe_checkout_ref(bench: Bench, ref: str) -> str:
    """Check a ref out and lay the run's overlays over it: so the tree is dirty. Returns its SHA."""
    sha = bench.tree.check_out(ref)
    _say(bench, f"recipe_checkout_ref: HEAD={sha[:12]} ({ref}), overlays copied in")
    return sha


def deploy_app(bench: Bench) -> ChaosDeploy:
    """Deploy the checked-out base for the first time."""
    return _deploy(bench, "deploy_app")


def chaos_redeploy(bench: Bench) -> ChaosDeploy:
    """Deploy the checked-out head over what is there.

    A refusal is in the answer: the guard judges it.
    """
    return _deploy(bench, "chaos_redeploy")


def _deploy(bench: Bench, step: str) -> ChaosDeploy:
    done = bench.tree.deploy()
    accepted = done.deployed.exit_code == 0
    said = "" if accepted else f", refused: {done.deployed.output.strip()}"
    _find(bench, step, passed=accepted, text=f"{step}: stamped {done.stamp}{said}")
    return done


def wait_healthy(bench: Bench, timeout_s: float) -> None:
    """Wait for N of N tasks in every service and an answer over HTTP.

    Raises StageFailed with the last reason when that does not come about in ``timeout_s``.
    """
    world = bench.world
    health = Health(bench.app.stack)
    deadline_s = world.now_s() + timeout_s
    world.look(bench.app.stack)
    while (record := world.next(world.now_s())) is not None:
        health.feed(record.what)  # what was recorded until now is judged as a whole: it may be old
    while (missing := health.missing()) is not None:
        record = world.next(deadline_s)
        if record is None:
            reason = f"not healthy within {timeout_s:g} s: {missing}"
            _find(bench, "wait_healthy", passed=False, text=reason)
            raise StageFailed(reason)
        health.feed(record.what)
    _find(bench, "wait_healthy", passed=True, text="wait_healthy: N/N tasks and HTTP answers")


def deployed_identity(bench: Bench) -> Identity:
    """Read what the swarm says is deployed now. Raises StageFailed when the service is gone."""
    service = bench.world.inspect(bench.app.service)
    if service is None:
        raise StageFailed(f"there is no service {bench.app.service}")
    return bench.app.identity_of(service)


def assert_upgrade_converged(bench: Bench, baseline: Baseline, expectation: Expectation) -> Ruling:
    """Follow the upgrade until the guard rules; fail it with the true reason if not converged.

    ``baseline`` must have been captured before the deploy; all that was recorded since then is
    still in `World.next`, so nothing is missed. Raises StageFailed.
    """
    guard = Guard(baseline, expectation)
    world = bench.world
    while guard.ruling is None:
        record = world.next(guard.wake_s)
        if record is None:
            guard.tick(world.now_s())
        else:
            guard.feed(record)
    ruling = guard.ruling
    if ruling.verdict is Verdict.UNKNOWN:
        raise SightLost(ruling.reason)
    passed = ruling.verdict is Verdict.PASS
    prefix = "upgrade-converged" if passed else "upgrade-not-converged"
    text = f"{prefix}: {ruling.service}: {ruling.reason}"
    _find(bench, "assert_upgrade_converged", passed=passed, text=text)
    if not passed:
        raise StageFailed(ruling.reason)
    return ruling


def _find(bench: Bench, step: str, *, passed: bool, text: str) -> None:
    bench.world.record(Finding(step=step, passed=passed, text=text))


def _say(bench: Bench, text: str) -> None:
    bench.world.record(Note(text=text))
