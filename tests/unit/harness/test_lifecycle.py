"""The steps of a CI run, in virtual seconds; the git parts are real."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import git
import pytest

from stamplab.harness.ci import lifecycle
from stamplab.harness.ci.lifecycle import (
    StageFailed,
    VerdictUnknown,
    assert_upgrade_converged,
    chaos_redeploy,
    deploy_app,
    deployed_identity,
    fetch_recipe,
    recipe_checkout_ref,
    wait_healthy,
)
from stamplab.harness.ci.policy import Policy
from stamplab.harness.guard import Baseline, Expectation, Outcome, Ruling
from stamplab.lab.errors import LabError
from stamplab.lab.faults.operator import LoseSight, Remove
from stamplab.lab.model.history import CommandRan
from stamplab.lab.recipe.workload_overlay import Fault
from stamplab.scenarios.discourse.recipe import BASE_TAG, HEAD_IMAGE, HEAD_VERSION
from tests.unit.harness.ci_runs import (
    NOWHERE,
    REFUSED,
    SHAPE,
    CIRun,
    CIRuns,
    Repositories,
    build_repositories,
)


def fetched(ci: CIRuns, ref: str | None = None) -> CIRun:
    """A run whose recipe is fetched and, if a ref is given, checked out there."""
    run = ci.new()
    fetch_recipe(run.context, ci.repositories.head)
    if ref is not None:
        recipe_checkout_ref(run.context, ref)
    return run


def converge(
    run: CIRun, head: str, timeout_s: float = 60, label: str | None = None
) -> tuple[Outcome, float]:
    """Upgrade to head; return the guard's outcome, and how long that took."""
    context = run.context
    recipe_checkout_ref(context, head)
    baseline = Baseline.capture(context.world, context.app.stack, context.app.service)
    began_s = context.world.now_s()
    redeployed = chaos_redeploy(context)
    context.world.inspect(context.app.service)
    labels = {context.app.stamp_label: label or redeployed.stamp}
    expectation = Expectation(deadline_s=context.world.now_s() + timeout_s, labels=labels)
    ruling = assert_upgrade_converged(context, baseline, expectation)
    return ruling.outcome, context.world.now_s() - began_s


def test_the_same_recipe_gives_the_same_commits(repositories: Repositories, tmp_path: Path) -> None:
    assert build_repositories(tmp_path).shas == repositories.shas


def test_fetch_recipe_clones_the_mirror_at_head_with_the_upstreams_tags(ci: CIRuns) -> None:
    run = fetched(ci)
    repo = git.Repo(run.checkout)
    assert repo.head.commit.hexsha == ci.repositories.head
    assert {tag.name for tag in repo.tags} == {"0.6.3+3.2.0", BASE_TAG}
    assert not repo.is_dirty(untracked_files=True)
    assert run.notes == [f"fetch_recipe: discourse at {ci.repositories.head}"]


def test_fetching_an_unknown_ref_is_the_apparatus_failure_not_a_verdict(ci: CIRuns) -> None:
    with pytest.raises(LabError, match="cannot be checked out"):
        fetch_recipe(ci.new().context, "f" * 40)


@pytest.mark.parametrize("ref", ["base", "head", BASE_TAG])
def test_a_checkout_has_the_refs_commit_and_a_dirty_tree(ci: CIRuns, ref: str) -> None:
    run = fetched(ci)
    named = {"base": ci.repositories.base, "head": ci.repositories.head}.get(ref, ref)
    sha = recipe_checkout_ref(run.context, named)
    assert sha == (ci.repositories.head if ref == "head" else ci.repositories.base)
    repo = git.Repo(run.checkout)
    assert repo.head.commit.hexsha == sha
    assert set(repo.untracked_files) == {"compose.ccci.yml", "compose.standin.yml"}


def test_a_second_checkout_leaves_nothing_of_the_first(ci: CIRuns) -> None:
    run = fetched(ci, ci.repositories.head)
    (run.checkout / "left-over").write_text("x")
    (run.checkout / "compose.yml").write_text("services: {}")
    recipe_checkout_ref(run.context, BASE_TAG)
    assert not (run.checkout / "left-over").exists()
    assert "0.7.0+3.3.1" in (run.checkout / "compose.yml").read_text()


def test_the_base_is_deployed_with_its_stamp_its_version_and_the_ci_overlay(ci: CIRuns) -> None:
    run = ci.installed()
    identity = deployed_identity(run.context)
    assert identity.stamp == f"{ci.repositories.base[:8]}+U"
    assert identity.version == BASE_TAG
    (stack,) = run.stacks
    assert [file.name for file in stack.compose_files] == [
        "compose.yml",
        "compose.ccci.yml",
        "compose.standin.yml",
        f"{run.app.stack}.yml",
    ]
    assert stack.environment["STACK_NAME"] == run.app.stack


@pytest.mark.parametrize("order", ["start-first", "stop-first"])
def test_the_overlay_decides_the_order(ci: CIRuns, order: str) -> None:
    run = ci.installed(Policy(order=order))
    service = run.world.inspect(run.app.service)
    assert service is not None
    policy = service.spec.update
    assert (policy.order, policy.failure_action) == (order, "rollback")


def test_every_deploy_logs_abras_debug_line_and_says_whose_work_it_is(ci: CIRuns) -> None:
    run = ci.installed()
    (ran,) = [record.what for record in run.history if isinstance(record.what, CommandRan)]
    line = f"version: taking chaos version: {ci.repositories.base[:8]}+U"
    assert line in ran.output
    assert any(line in text for text in run.notes)
    assert "stand-in" in ran.by
    assert ran.argv[:4] == ("abra", "app", "deploy", "-C")


def test_wait_healthy_waits_for_the_boot_and_a_clients_answer(ci: CIRuns) -> None:
    assert SHAPE.boot_s <= ci.installed().world.now_s() <= SHAPE.boot_s + 10


def test_wait_healthy_gives_up_with_the_last_reason(ci: CIRuns) -> None:
    run = ci.new(every=NOWHERE)
    fetch_recipe(run.context, ci.repositories.head)
    recipe_checkout_ref(run.context, BASE_TAG)
    deploy_app(run.context)
    with pytest.raises(StageFailed) as failed:
        wait_healthy(run.context, 30)
    missing = f"{run.app.service} has 0 of 1 tasks running (no suitable node "
    assert failed.value.reason.startswith(f"not healthy within 30 s: {missing}")
    assert run.world.now_s() == 30


def test_wait_healthy_does_not_believe_records_from_before_the_redeploy(ci: CIRuns) -> None:
    """The deploy takes its time, OLD answers clients meanwhile, and then it is stopped."""
    run = ci.installed(Policy(order="stop-first"), head=NOWHERE, deploy_s=30)
    recipe_checkout_ref(run.context, ci.repositories.head)
    run.world.look(run.app.stack)
    chaos_redeploy(run.context)
    with pytest.raises(StageFailed, match="has 0 of 1 tasks running"):
        wait_healthy(run.context, 10)


def test_a_service_that_is_gone_has_no_identity(ci: CIRuns) -> None:
    with pytest.raises(StageFailed, match="there is no service"):
        deployed_identity(ci.new().context)


def test_the_baseline_takes_what_was_recorded_before_it_off_the_world(ci: CIRuns) -> None:
    run = ci.installed()
    before = len(run.history)
    baseline = Baseline.capture(run.world, run.app.stack, run.app.service)
    first = run.world.next(run.world.now_s())
    assert first is not None
    assert first.seq == before
    assert baseline.service == run.world.inspect(run.app.service)


def test_an_upgrade_that_converges_is_found_so(ci: CIRuns) -> None:
    run = ci.installed()
    outcome, took_s = converge(run, ci.repositories.head)
    assert outcome is Outcome.CONVERGED
    assert SHAPE.boot_s + 5 <= took_s <= SHAPE.boot_s + 5 + 10
    finding = run.findings("assert_upgrade_converged")[-1].text
    assert finding.startswith(f"upgrade-converged: {run.app.service}: converged: UpdateStatus=")
    assert deployed_identity(run.context).version == HEAD_VERSION


@pytest.mark.parametrize("end", Outcome)
def test_only_converged_passes_and_only_unknown_is_no_failure(
    ci: CIRuns, monkeypatch: pytest.MonkeyPatch, end: Outcome
) -> None:
    class RuledGuard:
        ruling = Ruling(outcome=end, reason="the reason", service="a service")

        def __init__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(lifecycle, "Guard", RuledGuard)
    run = ci.installed()
    if end is Outcome.CONVERGED:
        assert converge(run, ci.repositories.head)[0] is end
        return
    expected = VerdictUnknown if end is Outcome.UNKNOWN else StageFailed
    with pytest.raises(expected, match="the reason"):
        converge(run, ci.repositories.head)
    assert not any(finding.passed for finding in run.findings("assert_upgrade_converged"))


def squeezed(ci: CIRuns) -> CIRun:
    run = ci.installed()
    run.squeeze()
    return run


def removed(ci: CIRuns) -> CIRun:
    run = ci.installed(deploy_s=0.2)
    run.later(0.1, Remove())
    return run


def paused(ci: CIRuns) -> CIRun:
    pauses = Policy(order="start-first", failure_action="pause")
    return ci.installed(pauses, faults={HEAD_IMAGE: Fault.CRASHES})


ENDS: dict[str, tuple[Callable[[CIRuns], CIRun], str, float]] = {
    "OOM-killed": (squeezed, "head spec applied then swarm-rolled-back: new task ", 6.2),
    "paused": (paused, "the update is paused: task ", 1.5),
    "pending": (lambda ci: ci.installed(head=NOWHERE), "not converged by the deadline: 0 of 1", 60),
    "refused": (
        lambda ci: ci.installed(head=REFUSED),
        "the deploy command failed with exit code 1 and said: ",
        0,
    ),
    "removed": (removed, "there is no service", 0.2),
}


@pytest.mark.parametrize("end", ENDS)
def test_an_upgrade_that_does_not_converge_fails_with_the_true_reason(ci: CIRuns, end: str) -> None:
    prepare, reason, after_s = ENDS[end]
    run = prepare(ci)
    began_s = run.world.now_s()
    with pytest.raises(StageFailed) as failed:
        converge(run, ci.repositories.head)
    assert failed.value.reason.startswith(reason)
    assert run.world.now_s() == pytest.approx(began_s + after_s, abs=1)
    (finding,) = run.findings("assert_upgrade_converged")
    assert not finding.passed
    assert finding.text == f"upgrade-not-converged: {run.app.service}: {failed.value.reason}"


def test_another_stamp_than_the_deployers_fails_at_once(ci: CIRuns) -> None:
    run = ci.installed()
    began_s = run.world.now_s()
    with pytest.raises(StageFailed, match=r"the service's label coop-cloud\."):
        converge(run, ci.repositories.head, label="another")
    assert run.world.now_s() == began_s


def test_sight_lost_is_the_apparatus_failure_not_a_verdict(ci: CIRuns) -> None:
    run = ci.installed()
    run.later(1.0, LoseSight())
    with pytest.raises(LabError, match=r"sight was lost of the swarm \(nemesis: "):
        converge(run, ci.repositories.head)
