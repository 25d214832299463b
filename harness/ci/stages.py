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
from stamplab.harness.ci.run_context import RunContext
from stamplab.lab.model.history import StageBegan, StageEnded


def install(context: RunContext, base: str, head: str, timeout_s: float) -> StageResult:
    """Fetch the recipe at its head, check the base out, deploy it, wait until healthy."""

    def stage() -> None:
        fetch_recipe(context, head)
        recipe_checkout_ref(context, base)
        deployed = deploy_app(context).deployed
        if deployed.exit_code != 0:
            raise StageFailed("deploy_app", f"the deploy was refused: {deployed.output.strip()}")
        wait_healthy(context, timeout_s)

    return _run(context, "install", stage)


def upgrade(context: RunContext, plan: UpgradePlan) -> StageResult:
    """Upgrade what is installed, as the plan says."""
    return _run(context, "upgrade", lambda: perform_upgrade(context, plan))


def _run(context: RunContext, name: str, stage: Callable[[], object]) -> StageResult:
    context.world.record(StageBegan(stage=name))
    try:
        stage()
        result = StageResult(stage=name, end="pass")
    except StageFailed as failed:
        result = StageResult(stage=name, end="fail", reason=failed.reason, failed_step=failed.step)
    context.world.record(
        StageEnded(stage=name, end=result.end, reason=result.reason, failed_step=result.failed_step)
    )
    return result
