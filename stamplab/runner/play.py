"""Plays one scenario on a world: install the base, squeeze, upgrade to head. Judges nothing."""

from __future__ import annotations

from pathlib import Path

import msgspec

from stamplab.harness.ci import stages
from stamplab.harness.ci.app import App, Overlay, ci_overlays
from stamplab.harness.ci.generic import UpgradePlan
from stamplab.harness.ci.naming import app_domain
from stamplab.harness.ci.results import Results, StageResult
from stamplab.harness.ci.run_context import RunContext
from stamplab.harness.ci.tree import GitTree, MisreportingTree, Tree
from stamplab.lab.abra.driver import AbraProgram, stand_in_name
from stamplab.lab.abra.folder import AbraFolder
from stamplab.lab.abra.label_names import DIRTY_MARK, SMALL_SHA_DIGITS
from stamplab.lab.faults import memory_pressure
from stamplab.lab.faults.operator import Act
from stamplab.lab.faults.stamp import stamp_of
from stamplab.lab.model.history import Note, OperatorActed, PolicyRead, ServiceSeen
from stamplab.lab.model.swarm import Service
from stamplab.lab.recipe import checkout, git
from stamplab.lab.recipe.repository import RecipeHistory, build_repository
from stamplab.lab.recipe.source import AcquiredRecipe, policy_at_head
from stamplab.lab.recipe.workload_overlay import WorkloadOverlay
from stamplab.lab.world import DeployTarget, World
from stamplab.runner.play_record import PULL_REQUEST
from stamplab.scenarios.scenario import Scenario


class UpgradeSetup(msgspec.Struct, frozen=True, kw_only=True):
    """What a scenario stands on before its first deploy: its repositories and its app's names."""

    head: str
    app: App
    mirror: Path
    upstream: Path
    policy: PolicyRead
    """The recipe's own at head."""
    wrong_stamp: str | None = None
    """The wrong stamp that the deployer takes in the upgrade, if it is to."""


def prepare_setup(scenario: Scenario, scratch: Path) -> UpgradeSetup:
    """Build the recipe's upstream repository and its mirror, or take those that there are.

    Raises LabError.
    """
    match scenario.recipe:
        case AcquiredRecipe(head=head, mirror=mirror, upstream=origin):
            tip = head
            policy = policy_at_head(scenario.recipe, scenario.service, scratch / "at-head")
        case RecipeHistory():
            origin, mirror = scratch / "upstream", scratch / "mirror"
            tip = head = build_repository(scenario.recipe, origin)[-1]
            git.clone(origin, mirror)
            if scenario.head is not None:
                head = checkout.resolve(mirror, scenario.head)
            policy = checkout.read_policy(mirror, scenario.service)
    app = App(
        recipe=scenario.recipe.name,
        domain=app_domain(scenario.recipe.name, PULL_REQUEST, tip),
        service_name=scenario.service,
    )
    wrong_stamp = (
        stamp_of(scenario.wrong_stamp, mirror, head=head, base=scenario.base)
        if scenario.wrong_stamp
        else None
    )
    return UpgradeSetup(
        head=head, app=app, mirror=mirror, upstream=origin, policy=policy, wrong_stamp=wrong_stamp
    )


def play(
    scenario: Scenario, world: World, setup: UpgradeSetup, tree: Tree, whose: str | None = None
) -> Results:
    """Play the scenario to its end; ``whose`` abra it is that deploys the tree, or the stand-in.

    Raises LabError when the apparatus fails.
    """
    context = RunContext(world=world, app=setup.app, tree=tree)
    world.record(setup.policy)
    installed = stages.install(context, scenario.base, setup.head, scenario.timeout_s)
    done = [installed]
    if installed.end == "pass":
        _apply_earlier_updates(scenario, world, setup)
        _squeeze(scenario, world, setup)
        _plant(scenario, world, tree, setup)
        if scenario.reports_expected_stamp:
            right = setup.head[:SMALL_SHA_DIGITS] + DIRTY_MARK
            context = msgspec.structs.replace(context, tree=MisreportingTree(tree, right))
        plan = UpgradePlan(
            head=setup.head,
            guard=scenario.guard,
            timeout_s=scenario.upgrade_timeout_s or scenario.timeout_s,
            reads=scenario.hc1_reads,
        )
        done.append(stages.upgrade(context, plan))
    else:
        reason = f"install did not pass: {installed.reason}"
        done.append(StageResult(stage="upgrade", end="skipped", reason=reason))
    world.look(setup.app.stack)
    return results_of(scenario, setup, *done, whose=whose)


def results_of(
    scenario: Scenario, setup: UpgradeSetup, *stages: StageResult, whose: str | None = None
) -> Results:
    """Return the results of a play of which these stages ended so."""
    return Results(
        run_id=scenario.name,
        recipe=scenario.recipe.name,
        ref=setup.head,
        stages=stages,
        abra=whose or stand_in_name(),
        domain=setup.app.domain,
    )


def watch_on(world: World, until_s: float) -> None:
    """Let the world go on without anybody's acts."""
    world.cancel_scheduled()
    while world.next(until_s) is not None:
        continue


def tree_of(
    scenario: Scenario,
    world: DeployTarget,
    setup: UpgradeSetup,
    scratch: Path,
    abra: AbraProgram | None = None,
) -> GitTree:
    """Return the scenario's tree of repositories and files, for ``abra`` or the stand-in.

    Raises LabError.
    """
    folder = AbraFolder(scratch / "abra")
    folder.create()
    return GitTree(
        world=world,
        folder=folder,
        app=setup.app,
        mirror=setup.mirror,
        upstream=setup.upstream,
        abra=abra,
        overlays=(*ci_overlays(scenario.service, scenario.policy), *_of_head(scenario, setup)),
        standin=WorkloadOverlay(
            heavy=scenario.service,
            memory=scenario.memory,
            timing=scenario.timing,
            faults=scenario.faults,
        ),
    )


REFUSED_RATIO = 2
"""A max_failure_ratio that the swarm has no sense for: above 1 it refuses the spec."""


def _of_head(scenario: Scenario, setup: UpgradeSetup) -> tuple[Overlay, ...]:
    """Return the overlays of head alone: another number of replicas, or what the swarm refuses."""
    deploy: dict[str, object] = {}
    if scenario.head_replicas is not None:
        deploy["replicas"] = scenario.head_replicas
    if scenario.refused:
        deploy["update_config"] = {"max_failure_ratio": REFUSED_RATIO}
    if not deploy:
        return ()
    services = {scenario.service: {"deploy": deploy}}
    return (Overlay(name="compose.head.yml", services=services, only_at=setup.head),)


def _apply_earlier_updates(scenario: Scenario, world: World, setup: UpgradeSetup) -> None:
    """Have the service's earlier updates done, each until the swarm says that it is over."""
    for operation in scenario.earlier:
        world.schedule(setup.app.service, (Act(after_s=0.0, what=operation),))
        until_s, was_done = world.now_s() + scenario.timeout_s, False
        while (record := world.next(until_s)) is not None:
            match record.what:
                case OperatorActed():
                    was_done = True
                case ServiceSeen(name=name, service=Service() as service):
                    status = service.update_status
                    is_over = status is not None and status.is_over
                    if was_done and name == setup.app.service and is_over:
                        break
                case _:
                    continue


def _squeeze(scenario: Scenario, world: World, setup: UpgradeSetup) -> None:
    """Apply the pressure plan, now that OLD is healthy."""
    usage_bytes = world.usage_bytes()
    limit_bytes = scenario.pressure.limit_bytes(usage_bytes, scenario.memory)
    world.set_limit(
        limit_bytes, memory_pressure.describe(limit_bytes, usage_bytes, scenario.memory)
    )
    acts = (*scenario.pressure.acts(usage_bytes, scenario.memory), *scenario.acts)
    world.schedule(setup.app.service, acts)


def _plant(scenario: Scenario, world: World, tree: Tree, setup: UpgradeSetup) -> None:
    """Make the deployer lie in the upgrade, if the scenario has it so."""
    if setup.wrong_stamp is None:
        return
    tree.override_stamp(setup.wrong_stamp)
    world.record(Note(text=f"planted stamp: {scenario.wrong_stamp}: {setup.wrong_stamp}"))
