"""The generic upgrade, with the guard, and without it: the exhibit's two faces."""

from __future__ import annotations

from pathlib import Path

import git
import msgspec
import pytest

from stamplab.harness.ci import stages
from stamplab.harness.ci.generic import HC1Read, UpgradePlan, perform_upgrade
from stamplab.harness.ci.lifecycle import StageFailed
from stamplab.harness.ci.results import StageResult
from stamplab.harness.ci.run_context import RunContext
from stamplab.lab.errors import LabError
from stamplab.lab.model.history import Finding, Note, StageBegan, StageEnded
from stamplab.scenarios.discourse.recipe import BASE_TAG, HEAD_VERSION
from tests.unit.harness import fake_world
from tests.unit.harness.fake_world import DeployEffect, FakeWorld, comes_up, texts
from tests.unit.harness.run_context import Repositories, checkout_of, make_context

EARLY = HC1Read(pause_s=0)
LATE = HC1Read(pause_s=60, until_settled=True)
PAUSED_5 = HC1Read(pause_s=5)
NO_MATCH = "chaos commit '{base}+U', not the intended PR-head '{head}' (HC1)"


def run(
    repositories: Repositories, scratch: Path, *effects: DeployEffect, order: str = "start-first"
) -> tuple[FakeWorld, RunContext]:
    """The base installed; the effects are those of the deploys after it."""
    world = FakeWorld(comes_up, *effects)
    context = make_context(world, repositories, scratch, order=order)
    assert stages.install(context, BASE_TAG, repositories.head, 60).end == "pass"
    return world, context


def hc1_reads(world: FakeWorld) -> list[bool]:
    findings = [r.what for r in world.history if isinstance(r.what, Finding)]
    return [finding.passed for finding in findings if finding.step == "hc1"]


def no_match(repositories: Repositories) -> str:
    return NO_MATCH.format(base=repositories.base[:8], head=repositories.head[:12])


# Guard on.


@pytest.mark.parametrize("order", ["start-first", "stop-first"])
def test_an_upgrade_that_converges_returns_heads_identity(
    repositories: Repositories, tmp_path: Path, order: str
) -> None:
    world, context = run(repositories, tmp_path, comes_up, order=order)
    identity = perform_upgrade(context, UpgradePlan(head=repositories.head))
    stamp = f"{repositories.head[:8]}+U"
    assert (identity.stamp, identity.version) == (stamp, HEAD_VERSION)
    assert hc1_reads(world) == [True]
    assert texts(world.history, Note)[-1] == (
        f"upgrade-converged: {context.app.service}: UpdateStatus=completed "
        f"chaos-version={stamp} version={BASE_TAG}→{HEAD_VERSION}"
    )


def test_a_rolled_back_upgrade_fails_before_hc1_with_the_true_reason(
    repositories: Repositories, tmp_path: Path
) -> None:
    world, context = run(repositories, tmp_path, fake_world.is_oom_killed)
    with pytest.raises(StageFailed) as failed:
        perform_upgrade(context, UpgradePlan(head=repositories.head))
    assert failed.value.reason.startswith("head spec applied then swarm-rolled-back: new task")
    assert failed.value.reason.endswith("failed the update monitor")
    assert hc1_reads(world) == []


def test_an_upgrade_that_converged_but_answers_nobody_fails(
    repositories: Repositories, tmp_path: Path
) -> None:
    _, context = run(repositories, tmp_path, fake_world.comes_up_mute)
    with pytest.raises(StageFailed, match="a client's request failed"):
        perform_upgrade(context, UpgradePlan(head=repositories.head, timeout_s=30))


def test_the_reports_line_shows_both_specs_right_after_the_redeploy(
    repositories: Repositories, tmp_path: Path
) -> None:
    world, context = run(repositories, tmp_path, fake_world.is_oom_killed)
    with pytest.raises(StageFailed):
        perform_upgrade(context, UpgradePlan(head=repositories.head))
    shown = [text for text in texts(world.history, Note) if text.startswith("[DSTAMP]")]
    assert shown == [
        "[DSTAMP] post-redeploy svc inspect UpdateStatus.State=updating "
        f".Spec chaos-version={repositories.head[:8]}+U version={HEAD_VERSION} "
        f".PreviousSpec chaos-version={repositories.base[:8]}+U version={BASE_TAG}"
    ]


def test_a_service_that_vanished_is_shown_as_such(
    repositories: Repositories, tmp_path: Path
) -> None:
    world, context = run(repositories, tmp_path, fake_world.vanishes)
    with pytest.raises(StageFailed, match="there is no service"):
        perform_upgrade(context, UpgradePlan(head=repositories.head))
    assert "[DSTAMP] post-redeploy svc inspect no such service" in texts(world.history, Note)


@pytest.mark.parametrize("guard", [True, False])
def test_a_refused_deploy_fails_with_the_swarms_words(
    repositories: Repositories, tmp_path: Path, guard: bool
) -> None:
    _, context = run(repositories, tmp_path, fake_world.is_refused)
    plan = UpgradePlan(head=repositories.head, guard=guard)
    with pytest.raises(StageFailed, match="invalid reference format"):
        perform_upgrade(context, plan)


@pytest.mark.parametrize("effect", [fake_world.is_paused, fake_world.stays_pending])
def test_an_undeployable_head_still_fails(
    repositories: Repositories, tmp_path: Path, effect: DeployEffect
) -> None:
    _, context = run(repositories, tmp_path, effect)
    with pytest.raises(StageFailed):
        perform_upgrade(context, UpgradePlan(head=repositories.head, timeout_s=30))


@pytest.mark.parametrize("guard", [True, False])
@pytest.mark.parametrize("deployed_index", [0, 2, 3])
def test_hc1_still_fails_another_commit_that_was_really_deployed(
    repositories: Repositories,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    guard: bool,
    deployed_index: int,
) -> None:
    """The checkout is moved behind the harness's back: abra stamps what lies there."""
    world, context = run(repositories, tmp_path, comes_up)
    look = world.look

    def look_and_move(stack: str) -> None:
        look(stack)
        git.Repo(checkout_of(context)).git.checkout(repositories.shas[deployed_index], detach=True)

    monkeypatch.setattr(world, "look", look_and_move)
    with pytest.raises(StageFailed) as failed:
        perform_upgrade(context, UpgradePlan(head=repositories.head, guard=guard))
    stamp = f"{repositories.shas[deployed_index][:8]}+U"
    message = f"chaos commit '{stamp}', not the intended PR-head '{repositories.head[:12]}' (HC1)"
    assert failed.value.reason == (message if guard else f"re-checkout failed: {message}")
    assert hc1_reads(world) == [False]


def test_a_head_that_is_no_commit_is_the_apparatus_failure_not_a_verdict(
    repositories: Repositories, tmp_path: Path
) -> None:
    _, context = run(repositories, tmp_path, comes_up)
    with pytest.raises(LabError, match="cannot be checked out"):
        perform_upgrade(context, UpgradePlan(head="f" * 40))


@pytest.mark.parametrize("guard", [True, False])
def test_an_upgrade_that_moved_nothing_proves_nothing(
    repositories: Repositories, tmp_path: Path, guard: bool
) -> None:
    """The field's anti-vacuous rule: the base deployed over itself matches its own commit."""

    def unchanged(world: FakeWorld, name: str, resolved: fake_world.ResolvedService) -> None:
        world.put(name, resolved.spec, world.services[name].spec)

    _, context = run(repositories, tmp_path, unchanged)
    plan = UpgradePlan(head=repositories.base, guard=guard)
    with pytest.raises(StageFailed, match=r"the upgrade moved neither version .* nor image"):
        perform_upgrade(context, plan)


# Guard off: HC1 read before the rollback, and after it.


def test_read_before_the_rollback_hc1_is_falsely_green(
    repositories: Repositories, tmp_path: Path
) -> None:
    world, context = run(repositories, tmp_path, fake_world.is_oom_killed)
    plan = UpgradePlan(head=repositories.head, guard=False, reads=(EARLY,))
    assert perform_upgrade(context, plan).stamp == f"{repositories.head[:8]}+U"
    assert hc1_reads(world) == [True]
    while world.next(60) is not None:
        pass
    last = context.app.identity_of(world.services[context.app.service])
    assert last.stamp == f"{repositories.base[:8]}+U"


@pytest.mark.parametrize("late", [LATE, PAUSED_5])
def test_read_after_the_rollback_hc1_fires_with_the_wrong_reason(
    repositories: Repositories, tmp_path: Path, late: HC1Read
) -> None:
    world, context = run(repositories, tmp_path, fake_world.is_oom_killed)
    plan = UpgradePlan(head=repositories.head, guard=False, reads=(late,))
    with pytest.raises(StageFailed) as failed:
        perform_upgrade(context, plan)
    assert failed.value.reason == f"re-checkout failed: {no_match(repositories)}"
    assert hc1_reads(world) == [False]


def test_both_faces_on_one_history_the_last_read_decides(
    repositories: Repositories, tmp_path: Path
) -> None:
    world, context = run(repositories, tmp_path, fake_world.is_oom_killed)
    plan = UpgradePlan(head=repositories.head, guard=False, reads=(EARLY, LATE))
    with pytest.raises(StageFailed, match="re-checkout failed"):
        perform_upgrade(context, plan)
    assert hc1_reads(world) == [True, False]
    healthy = [r.what for r in world.history if isinstance(r.what, Finding)]
    assert [f.passed for f in healthy if f.step == "wait_healthy"] == [True, True]


def test_a_pause_until_settled_ends_when_the_update_is_over(
    repositories: Repositories, tmp_path: Path
) -> None:
    world, context = run(repositories, tmp_path, fake_world.is_oom_killed)
    began_s = world.now_s()
    plan = UpgradePlan(head=repositories.head, guard=False, reads=(LATE,))
    with pytest.raises(StageFailed):
        perform_upgrade(context, plan)
    assert world.now_s() - began_s == pytest.approx(2.5)


def test_a_pause_of_so_many_seconds_lasts_that_long(
    repositories: Repositories, tmp_path: Path
) -> None:
    world, context = run(repositories, tmp_path, comes_up)
    began_s = world.now_s()
    plan = UpgradePlan(head=repositories.head, guard=False, reads=(PAUSED_5, PAUSED_5))
    perform_upgrade(context, plan)
    assert world.now_s() - began_s == pytest.approx(10, abs=fake_world.PROBE_EVERY_S)
    assert hc1_reads(world) == [True, True]


def test_a_last_read_that_is_right_outweighs_a_wrong_one_before_it(
    repositories: Repositories, tmp_path: Path
) -> None:
    world, context = run(repositories, tmp_path, fake_world.comes_late)
    plan = UpgradePlan(head=repositories.head, guard=False, reads=(EARLY, PAUSED_5))
    assert perform_upgrade(context, plan).version == HEAD_VERSION
    assert hc1_reads(world) == [False, True]


# Stages.


def test_stages_report_their_end_and_reason_on_the_console(
    repositories: Repositories, tmp_path: Path
) -> None:
    world, context = run(repositories, tmp_path, fake_world.is_oom_killed)
    result = stages.upgrade(context, UpgradePlan(head=repositories.head))
    assert (result.stage, result.end) == ("upgrade", "fail")
    assert result.reason.startswith("head spec applied then swarm-rolled-back")
    assert result.failed_step == "assert_upgrade_converged"
    stage_records = [
        what for record in world.history if isinstance(what := record.what, StageBegan | StageEnded)
    ]
    assert stage_records == [
        StageBegan(stage="install"),
        StageEnded(stage="install", end="pass"),
        StageBegan(stage="upgrade"),
        StageEnded(
            stage="upgrade", end="fail", reason=result.reason, failed_step=result.failed_step
        ),
    ]


def test_an_upgrade_stage_that_passes(repositories: Repositories, tmp_path: Path) -> None:
    _, context = run(repositories, tmp_path, comes_up)
    result = stages.upgrade(context, UpgradePlan(head=repositories.head))
    assert result == StageResult(stage="upgrade", end="pass")


@pytest.mark.parametrize(
    ("effect", "reason"),
    [
        (fake_world.is_refused, "the deploy was refused: invalid reference format"),
        (fake_world.stays_pending, "not healthy within 20 s: "),
    ],
)
def test_an_install_that_fails_says_why(
    repositories: Repositories, tmp_path: Path, effect: DeployEffect, reason: str
) -> None:
    context = make_context(FakeWorld(effect), repositories, tmp_path)
    result = stages.install(context, BASE_TAG, repositories.head, 20)
    assert result.end == "fail"
    assert result.reason.startswith(reason)


def test_an_install_installs_the_base_not_the_head(
    repositories: Repositories, tmp_path: Path
) -> None:
    world, context = run(repositories, tmp_path)
    identity = context.app.identity_of(world.services[context.app.service])
    assert identity.version == BASE_TAG
    assert msgspec.structs.asdict(identity)["stamp"] == f"{repositories.base[:8]}+U"
