"""The generic upgrade, with the guard, and without it: the exhibit's two faces."""

from __future__ import annotations

from typing import Any

import git
import pytest

from stamplab.harness.ci import stages
from stamplab.harness.ci.app import Identity
from stamplab.harness.ci.generic import HC1Read, UpgradePlan, perform_upgrade
from stamplab.harness.ci.lifecycle import StageFailed
from stamplab.harness.ci.policy import Policy
from stamplab.harness.ci.results import StageResult
from stamplab.lab.errors import LabError
from stamplab.lab.faults.operator import Remove, Restamp
from stamplab.lab.model.history import ClientProbe, StageBegan, StageEnded
from stamplab.lab.recipe.workload_overlay import Fault
from stamplab.lab.virtual.clients import VirtualClients
from stamplab.scenarios.discourse.recipe import BASE_TAG, HEAD_IMAGE, HEAD_VERSION
from tests.unit.harness.ci_runs import NOWHERE, REFUSED, CIRun, CIRuns

EARLY = HC1Read(pause_s=0)
LATE = HC1Read(pause_s=60, until_settled=True)
PAUSED_5 = HC1Read(pause_s=5)


def squeezed(ci: CIRuns) -> CIRun:
    """A run whose head will be OOM-killed and rolled back."""
    run = ci.installed()
    run.squeeze()
    return run


def upgrade(run: CIRun, head: str, *reads: HC1Read, **how: Any) -> Identity:
    """Upgrade a run; with reads, as the harness did before the fix."""
    plan = UpgradePlan(head=head, guard=not reads, reads=reads or (EARLY,), **how)
    return perform_upgrade(run.context, plan)


def failed(run: CIRun, head: str, *reads: HC1Read, **how: Any) -> str:
    """The reason for which an upgrade fails."""
    with pytest.raises(StageFailed) as failure:
        upgrade(run, head, *reads, **how)
    return failure.value.reason


def hc1_reads(run: CIRun) -> list[bool]:
    return [finding.passed for finding in run.findings("hc1")]


def stamp_of(sha: str) -> str:
    return f"{sha[:8]}+U"


def no_match(ci: CIRuns, deployed: str) -> str:
    head = ci.repositories.head[:12]
    return f"chaos commit '{stamp_of(deployed)}', not the intended PR-head '{head}' (HC1)"


# Guard on.


@pytest.mark.parametrize("order", ["start-first", "stop-first"])
def test_an_upgrade_that_converges_returns_heads_identity(ci: CIRuns, order: str) -> None:
    run = ci.installed(Policy(order=order))
    identity = upgrade(run, ci.repositories.head)
    stamp = stamp_of(ci.repositories.head)
    assert (identity.stamp, identity.version) == (stamp, HEAD_VERSION)
    assert hc1_reads(run) == [True]
    assert run.notes[-1] == (
        f"upgrade-converged: {run.app.service}: UpdateStatus=completed "
        f"chaos-version={stamp} version={BASE_TAG}→{HEAD_VERSION}"
    )


def test_a_rolled_back_upgrade_fails_before_hc1_with_the_true_reason(ci: CIRuns) -> None:
    run = squeezed(ci)
    reason = failed(run, ci.repositories.head)
    assert reason.startswith("head spec applied then swarm-rolled-back: new task")
    assert "failed the update monitor" in reason
    assert hc1_reads(run) == []
    shown = [text for text in run.notes if text.startswith("[DSTAMP]")]
    assert shown == [
        "[DSTAMP] post-redeploy svc inspect UpdateStatus.State=updating "
        f".Spec chaos-version={stamp_of(ci.repositories.head)} version={HEAD_VERSION} "
        f".PreviousSpec chaos-version={stamp_of(ci.repositories.base)} version={BASE_TAG}"
    ]


def test_an_upgrade_that_answers_nobody_fails(ci: CIRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ci.installed()
    unanswered = ClientProbe(n=0, ok=False, took_ms=1.0, version=None, error="refused")
    monkeypatch.setattr(VirtualClients, "probe", lambda *_: unanswered)
    assert "a client's request failed" in failed(run, ci.repositories.head, timeout_s=30)


def test_a_service_that_vanished_is_shown_as_such(ci: CIRuns) -> None:
    run = ci.installed(deploy_s=0.2)
    run.later(0.1, Remove())
    assert failed(run, ci.repositories.head).startswith("there is no service")
    assert "[DSTAMP] post-redeploy svc inspect no such service" in run.notes


@pytest.mark.parametrize("reads", [(), (EARLY,)], ids=["guard on", "guard off"])
def test_a_refused_deploy_fails_in_the_swarms_words(ci: CIRuns, reads: tuple[HC1Read, ...]) -> None:
    reason = failed(ci.installed(head=REFUSED), ci.repositories.head, *reads)
    assert "update-maxfailureratio cannot be" in reason


@pytest.mark.parametrize("is_pending", [True, False], ids=["pending", "paused"])
def test_an_undeployable_head_still_fails(ci: CIRuns, is_pending: bool) -> None:
    policy = Policy(order="start-first", failure_action="pause")
    run = (
        ci.installed(head=NOWHERE)
        if is_pending
        else ci.installed(policy, faults={HEAD_IMAGE: Fault.CRASHES})
    )
    assert failed(run, ci.repositories.head, timeout_s=30)


@pytest.mark.parametrize("reads", [(), (EARLY,)], ids=["guard on", "guard off"])
@pytest.mark.parametrize("deployed_index", [0, 2, 3])
def test_hc1_still_fails_another_commit_that_was_really_deployed(
    ci: CIRuns,
    monkeypatch: pytest.MonkeyPatch,
    reads: tuple[HC1Read, ...],
    deployed_index: int,
) -> None:
    """The checkout is moved behind the harness's back: abra stamps what lies there."""
    run = ci.installed()
    look, deployed = run.world.look, ci.repositories.shas[deployed_index]

    def look_and_move(stack: str) -> None:
        look(stack)
        git.Repo(run.checkout).git.checkout(deployed, detach=True)

    monkeypatch.setattr(run.world, "look", look_and_move)
    message = no_match(ci, deployed)
    expected = f"re-checkout failed: {message}" if reads else message
    assert failed(run, ci.repositories.head, *reads) == expected
    assert hc1_reads(run) == [False]


def test_a_head_that_is_no_commit_is_the_apparatus_failure_not_a_verdict(ci: CIRuns) -> None:
    run = ci.installed()
    with pytest.raises(LabError, match="cannot be checked out"):
        upgrade(run, "f" * 40)


@pytest.mark.parametrize("reads", [(), (EARLY,)], ids=["guard on", "guard off"])
def test_an_upgrade_that_moves_nothing_fails(ci: CIRuns, reads: tuple[HC1Read, ...]) -> None:
    """The field's anti-vacuous rule: the base deployed over itself matches its own commit."""
    reason = failed(ci.installed(), ci.repositories.base, *reads)
    assert reason.startswith("the upgrade moved neither version ")


# Guard off: HC1 read before the rollback, and after it.


def test_read_before_the_rollback_hc1_is_falsely_green(ci: CIRuns) -> None:
    run = squeezed(ci)
    identity = upgrade(run, ci.repositories.head, EARLY)
    assert identity.stamp == stamp_of(ci.repositories.head)
    assert hc1_reads(run) == [True]
    while run.world.next(60) is not None:
        pass
    last = run.world.inspect(run.app.service)
    assert last is not None
    assert run.app.identity_of(last).stamp == stamp_of(ci.repositories.base)


@pytest.mark.parametrize("late", [LATE, PAUSED_5])
def test_read_after_the_rollback_hc1_fires_with_the_wrong_reason(ci: CIRuns, late: HC1Read) -> None:
    run = squeezed(ci)
    reason = failed(run, ci.repositories.head, late)
    assert reason == f"re-checkout failed: {no_match(ci, ci.repositories.base)}"
    assert hc1_reads(run) == [False]


def test_both_faces_on_one_history_the_last_read_decides(ci: CIRuns) -> None:
    run = squeezed(ci)
    assert failed(run, ci.repositories.head, EARLY, LATE).startswith("re-checkout failed")
    assert hc1_reads(run) == [True, False]
    assert [finding.passed for finding in run.findings("wait_healthy")] == [True, True]


def test_a_pause_until_settled_ends_when_the_update_is_over(ci: CIRuns) -> None:
    run = squeezed(ci)
    began_s = run.world.now_s()
    failed(run, ci.repositories.head, LATE)
    assert run.world.now_s() - began_s < LATE.pause_s / 2


def test_a_pause_of_so_many_seconds_lasts_that_long(ci: CIRuns) -> None:
    run = ci.installed()
    began_s = run.world.now_s()
    upgrade(run, ci.repositories.head, PAUSED_5, PAUSED_5)
    assert run.world.now_s() - began_s == pytest.approx(10, abs=0.5)
    assert hc1_reads(run) == [True, True]


def test_a_last_read_that_is_right_outweighs_a_wrong_one_before_it(ci: CIRuns) -> None:
    run = ci.installed()
    run.context.tree.override_stamp("12345678+U")
    run.later(3.0, Restamp(labels={run.app.stamp_label: stamp_of(ci.repositories.head)}))
    assert upgrade(run, ci.repositories.head, EARLY, PAUSED_5).version == HEAD_VERSION
    assert hc1_reads(run) == [False, True]


# Stages.


def test_stages_report_their_end_and_reason_on_the_console(ci: CIRuns) -> None:
    run = squeezed(ci)
    result = stages.upgrade(run.context, UpgradePlan(head=ci.repositories.head))
    assert (result.stage, result.end) == ("upgrade", "fail")
    assert result.reason.startswith("head spec applied then swarm-rolled-back")
    assert result.failed_step == "assert_upgrade_converged"
    observed = [record.what for record in run.history]
    assert [what for what in observed if isinstance(what, StageBegan | StageEnded)] == [
        StageBegan(stage="install"),
        StageEnded(stage="install", end="pass"),
        StageBegan(stage="upgrade"),
        StageEnded(
            stage="upgrade", end="fail", reason=result.reason, failed_step=result.failed_step
        ),
    ]


def test_an_upgrade_stage_that_passes(ci: CIRuns) -> None:
    result = stages.upgrade(ci.installed().context, UpgradePlan(head=ci.repositories.head))
    assert result == StageResult(stage="upgrade", end="pass")


@pytest.mark.parametrize(
    ("deploy", "reason"),
    [(REFUSED, "the deploy was refused: "), (NOWHERE, "not healthy within 20 s: ")],
    ids=["refused", "pending"],
)
def test_an_install_that_fails_says_why(ci: CIRuns, deploy: dict[str, object], reason: str) -> None:
    run = ci.new(every=deploy)
    result = stages.install(run.context, BASE_TAG, ci.repositories.head, 20)
    assert result.end == "fail"
    assert result.reason.startswith(reason)
