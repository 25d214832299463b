"""The steps of a CI run, in virtual seconds; the git parts are real."""

from __future__ import annotations

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
from stamplab.harness.ci.run_context import RunContext
from stamplab.harness.guard import Baseline, Expectation, Outcome, Ruling
from stamplab.lab.errors import LabError
from stamplab.lab.model.history import ClientProbe, CommandRan, Finding, Note, RecorderLost
from stamplab.lab.world import World
from stamplab.scenarios.discourse.recipe import BASE_TAG, HEAD_VERSION
from tests.unit.harness import fake_world
from tests.unit.harness.fake_world import DeployEffect, FakeWorld, comes_up, texts
from tests.unit.harness.run_context import (
    Repositories,
    build_repositories,
    checkout_of,
    make_context,
)


def installed(
    repositories: Repositories, scratch: Path, *then: DeployEffect
) -> tuple[FakeWorld, RunContext]:
    """A run with the base up, head checked out, and what the next deploys come to."""
    world = FakeWorld(comes_up, *then)
    context = make_context(world, repositories, scratch)
    fetch_recipe(context, repositories.head)
    recipe_checkout_ref(context, BASE_TAG)
    deploy_app(context)
    wait_healthy(context, 60)
    recipe_checkout_ref(context, repositories.head)
    return world, context


def converge(context: RunContext, timeout_s: float = 60) -> Outcome:
    baseline = Baseline.capture(context.world, context.app.stack, context.app.service)
    redeployed = chaos_redeploy(context)
    context.world.inspect(context.app.service)
    expectation = Expectation(
        deadline_s=context.world.now_s() + timeout_s,
        labels={context.app.stamp_label: redeployed.stamp},
    )
    return assert_upgrade_converged(context, baseline, expectation).outcome


def test_the_fake_world_is_a_world() -> None:
    world: type[World] = FakeWorld
    assert world is FakeWorld


def test_the_same_recipe_gives_the_same_commits(repositories: Repositories, tmp_path: Path) -> None:
    assert build_repositories(tmp_path).shas == repositories.shas


def test_fetch_recipe_clones_the_mirror_at_head_with_the_upstreams_tags(
    repositories: Repositories, tmp_path: Path
) -> None:
    world = FakeWorld(comes_up)
    context = make_context(world, repositories, tmp_path)
    fetch_recipe(context, repositories.head)
    repo = git.Repo(checkout_of(context))
    assert repo.head.commit.hexsha == repositories.head
    assert {tag.name for tag in repo.tags} == {"0.6.3+3.2.0", BASE_TAG}
    assert not repo.is_dirty(untracked_files=True)
    assert texts(world.history, Note) == [f"fetch_recipe: discourse at {repositories.head}"]


def test_fetching_an_unknown_ref_is_the_apparatus_failure_not_a_verdict(
    repositories: Repositories, tmp_path: Path
) -> None:
    context = make_context(FakeWorld(comes_up), repositories, tmp_path)
    with pytest.raises(LabError, match="cannot be checked out"):
        fetch_recipe(context, "f" * 40)


@pytest.mark.parametrize("ref", ["base", "head", BASE_TAG])
def test_a_checkout_has_the_refs_commit_and_a_dirty_tree(
    repositories: Repositories, tmp_path: Path, ref: str
) -> None:
    context = make_context(FakeWorld(comes_up), repositories, tmp_path)
    fetch_recipe(context, repositories.head)
    named = {"base": repositories.base, "head": repositories.head}.get(ref, ref)
    sha = recipe_checkout_ref(context, named)
    assert sha == (repositories.head if ref == "head" else repositories.base)
    repo = git.Repo(checkout_of(context))
    assert repo.head.commit.hexsha == sha
    assert set(repo.untracked_files) == {"compose.ccci.yml", "compose.standin.yml"}


def test_a_second_checkout_leaves_nothing_of_the_first(
    repositories: Repositories, tmp_path: Path
) -> None:
    context = make_context(FakeWorld(comes_up), repositories, tmp_path)
    fetch_recipe(context, repositories.head)
    recipe_checkout_ref(context, repositories.head)
    (checkout_of(context) / "left-over").write_text("x")
    (checkout_of(context) / "compose.yml").write_text("services: {}")
    recipe_checkout_ref(context, BASE_TAG)
    assert not (checkout_of(context) / "left-over").exists()
    assert "0.7.0+3.3.1" in (checkout_of(context) / "compose.yml").read_text()


def test_the_base_is_deployed_with_its_stamp_its_version_and_the_ci_overlay(
    repositories: Repositories, tmp_path: Path
) -> None:
    world, context = installed(repositories, tmp_path)
    identity = deployed_identity(context)
    assert identity.stamp == f"{repositories.base[:8]}+U"
    assert identity.version == BASE_TAG
    assert world.services[context.app.service].spec.update.order == "start-first"
    stack = world.stacks[0]
    assert [file.name for file in stack.compose_files] == [
        "compose.yml",
        "compose.ccci.yml",
        "compose.standin.yml",
        f"{context.app.stack}.yml",
    ]
    assert stack.environment["STACK_NAME"] == context.app.stack


@pytest.mark.parametrize("order", ["start-first", "stop-first"])
def test_the_overlay_decides_the_order(
    repositories: Repositories, tmp_path: Path, order: str
) -> None:
    world = FakeWorld(comes_up)
    context = make_context(world, repositories, tmp_path, order=order)
    fetch_recipe(context, repositories.head)
    recipe_checkout_ref(context, repositories.head)
    deploy_app(context)
    policy = world.services[context.app.service].spec.update
    assert (policy.order, policy.failure_action) == (order, "rollback")


def test_every_deploy_logs_abras_debug_line_and_says_whose_work_it_is(
    repositories: Repositories, tmp_path: Path
) -> None:
    world, _ = installed(repositories, tmp_path)
    ran = [r.what for r in world.history if isinstance(r.what, CommandRan)]
    assert len(ran) == 1
    line = f"version: taking chaos version: {repositories.base[:8]}+U"
    assert line in ran[0].output
    assert any(line in text for text in texts(world.history, Note))
    assert "stand-in" in ran[0].by
    assert ran[0].argv[:4] == ("abra", "app", "deploy", "-C")


def test_wait_healthy_waits_for_the_boot_and_a_clients_answer(
    repositories: Repositories, tmp_path: Path
) -> None:
    world, _ = installed(repositories, tmp_path)
    assert fake_world.BOOT_S <= world.now_s() <= fake_world.BOOT_S + fake_world.PROBE_EVERY_S


def test_wait_healthy_gives_up_with_the_last_reason(
    repositories: Repositories, tmp_path: Path
) -> None:
    world = FakeWorld(fake_world.stays_pending)
    context = make_context(world, repositories, tmp_path)
    fetch_recipe(context, repositories.head)
    recipe_checkout_ref(context, BASE_TAG)
    deploy_app(context)
    with pytest.raises(StageFailed) as failed:
        wait_healthy(context, 30)
    assert failed.value.reason == (
        f"not healthy within 30 s: {context.app.service} has 0 of 1 tasks running"
    )
    assert world.now_s() == 30


def test_wait_healthy_is_not_content_with_what_was_recorded_before_the_redeploy(
    repositories: Repositories, tmp_path: Path
) -> None:
    """The deploy takes its time, OLD answers a client meanwhile, and then it is stopped."""

    def stops_old(world: FakeWorld, name: str, resolved: fake_world.ResolvedService) -> None:
        world.record(ClientProbe(n=99, ok=True, took_ms=1, version="3.3.1"))
        fake_world.stays_pending(world, name, resolved)
        world.stop_others(name, "")

    world, context = installed(repositories, tmp_path, stops_old)
    world.look(context.app.stack)
    chaos_redeploy(context)
    with pytest.raises(StageFailed, match="has 0 of 1 tasks running"):
        wait_healthy(context, 10)


def test_a_service_that_is_gone_has_no_identity(repositories: Repositories, tmp_path: Path) -> None:
    context = make_context(FakeWorld(comes_up), repositories, tmp_path)
    with pytest.raises(StageFailed, match="there is no service"):
        deployed_identity(context)


def test_the_baseline_takes_what_was_recorded_before_it_off_the_world(
    repositories: Repositories, tmp_path: Path
) -> None:
    world, context = installed(repositories, tmp_path)
    before = len(world.history)
    baseline = Baseline.capture(world, context.app.stack, context.app.service)
    assert baseline.service == world.services[context.app.service]
    first = world.next(world.now_s())
    assert first is not None
    assert first.seq == before


def test_an_upgrade_that_converges_is_found_so(repositories: Repositories, tmp_path: Path) -> None:
    world, context = installed(repositories, tmp_path, comes_up)
    began_s = world.now_s()
    assert converge(context) is Outcome.CONVERGED
    assert world.now_s() == pytest.approx(began_s + fake_world.BOOT_S + 5)
    finding = texts(world.history, Finding)[-1]
    assert finding.startswith(f"upgrade-converged: {context.app.service}: converged: UpdateStatus=")
    assert deployed_identity(context).version == HEAD_VERSION


@pytest.mark.parametrize("end", Outcome)
def test_only_converged_passes_and_only_unknown_is_no_failure(
    repositories: Repositories, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: Outcome
) -> None:
    class RuledGuard:
        ruling = Ruling(outcome=end, reason="the reason", service="a service")

        def __init__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(lifecycle, "Guard", RuledGuard)
    world, context = installed(repositories, tmp_path, comes_up)
    if end is Outcome.CONVERGED:
        assert converge(context) is end
        return
    expected = VerdictUnknown if end is Outcome.UNKNOWN else StageFailed
    with pytest.raises(expected, match="the reason"):
        converge(context)
    assert not any("upgrade-converged" in text for text in texts(world.history, Finding))


ENDS: list[tuple[DeployEffect, str, float]] = [
    (fake_world.is_oom_killed, "head spec applied then swarm-rolled-back: new task task", 2.5),
    (fake_world.is_paused, "the update is paused: task task", 1.5),
    (fake_world.stays_pending, "not converged by the deadline: 0 of 1 tasks", 60),
    (fake_world.is_refused, "the deploy command failed with exit code 1 and said: invalid", 0),
    (fake_world.vanishes, "there is no service", 0),
    (fake_world.loses_its_stamp, "the service's label coop-cloud.", 0),
]


@pytest.mark.parametrize(("effect", "reason", "after_s"), ENDS)
def test_an_upgrade_that_does_not_converge_fails_with_the_true_reason(
    repositories: Repositories, tmp_path: Path, effect: DeployEffect, reason: str, after_s: float
) -> None:
    world, context = installed(repositories, tmp_path, effect)
    began_s = world.now_s()
    with pytest.raises(StageFailed) as failed:
        converge(context)
    assert failed.value.reason.startswith(reason)
    assert world.now_s() == pytest.approx(began_s + after_s)
    finding = [r.what for r in world.history if isinstance(r.what, Finding)][-1]
    assert not finding.passed
    assert finding.text == f"upgrade-not-converged: {context.app.service}: {failed.value.reason}"


def test_sight_lost_is_the_apparatus_failure_not_a_verdict(
    repositories: Repositories, tmp_path: Path
) -> None:
    def unseen(world: FakeWorld, name: str, resolved: fake_world.ResolvedService) -> None:
        comes_up(world, name, resolved)
        world.later(1, lambda: world.record(RecorderLost(recorder="events", reason="torn")))

    _, context = installed(repositories, tmp_path, unseen)
    with pytest.raises(LabError, match=r"sight was lost of the swarm \(events: torn\)"):
        converge(context)
