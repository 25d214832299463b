"""The stages of a CI run: install the base, then upgrade it to the head."""

from __future__ import annotations

from collections.abc import Callable

from stamplab.harness.ci.generic import UpgradePlan, perform_upgrade
from stamplab.harness.ci.lifecycle import (
    StageFailed,
    deploy_app,
    fetch_recipe,
    recipe_checkout_ref,
    wait_healthy,
)
from stamplab.harness.ci.results import StageResult
from stamplab.harness.ci.run_context import Bench
from stamplab.lab.model.history import Note


def install(bench: Bench, base: str, head: str, timeout_s: float) -> StageResult:
    """Fetch the recipe at its head, check the base out, deploy it, wait until healthy."""

    def stage() -> None:
        fetch_recipe(bench, head)
        recipe_checkout_ref(bench, base)
        deployed = deploy_app(bench).deployed
        if deployed.exit_code != 0:
            raise StageFailed(f"the deploy was refused: {deployed.output.strip()}")
        wait_healthy(bench, timeout_s)

    return _run(bench, "install", stage)


def upgrade(bench: Bench, plan: UpgradePlan) -> StageResult:
    """Upgrade what is installed, as the plan says."""
    return _run(bench, "upgrade", lambda: perform_upgrade(bench, plan))


def _run(bench: Bench, name: str, stage: Callable[[], object]) -> StageResult:
    bench.world.record(Note(text=f"==> stage {name}"))
    try:
        stage()
        result = StageResult(stage=name, end="pass")
    except StageFailed as failed:
        result = StageResult(stage=name, end="fail", reason=failed.reason)
    said = f": {result.reason}" if result.reason else ""
    bench.world.record(Note(text=f"<== stage {name}: {result.end}{said}"))
    return result
