"""CI runs of the recipe: real git repositories, and the real SwarmKit in virtual time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from stamplab.harness.ci import stages
from stamplab.harness.ci.app import App, Overlay, ci_overlays
from stamplab.harness.ci.naming import app_domain
from stamplab.harness.ci.policy import Policy
from stamplab.harness.ci.run_context import RunContext
from stamplab.harness.ci.tree import GitTree
from stamplab.lab.abra.folder import AbraFolder
from stamplab.lab.faults.memory_pressure import Squeeze
from stamplab.lab.faults.operator import Act, Deed
from stamplab.lab.model.history import Finding, Note
from stamplab.lab.recipe import git
from stamplab.lab.recipe.repository import build_repository
from stamplab.lab.recipe.resolver import ResolvedStack
from stamplab.lab.recipe.workload_overlay import Fault, Timing, WorkloadOverlay
from stamplab.lab.virtual.conditions import Conditions
from stamplab.lab.virtual.journal import MemoryJournal, VirtualClock
from stamplab.lab.virtual.swarmsim import SwarmSim
from stamplab.lab.virtual.world import VirtualWorld
from stamplab.lab.workload.shape import MemoryShape
from stamplab.lab.world import Stack
from stamplab.runner.worlds import Virtual
from stamplab.scenarios.discourse.recipe import BASE_TAG, RECIPE
from tests.builders import MIB

SHAPE = MemoryShape(steady_bytes=100 * MIB, peak_bytes=300 * MIB, boot_s=1.0)
NOWHERE = {"placement": {"constraints": ["node.hostname == nowhere"]}}
"""What no node has: the swarm waits for ever."""
REFUSED = {"update_config": {"max_failure_ratio": 2}}
"""What the swarm does not take."""
START_FIRST = Policy(order="start-first")


class Repositories(msgspec.Struct, frozen=True):
    """The recipe's upstream and mirror, and its commits, oldest first."""

    origin: Path
    mirror: Path
    shas: tuple[str, ...]

    @property
    def head(self) -> str:
        """The pull request's head."""
        return self.shas[-1]

    @property
    def base(self) -> str:
        """The commit of the base's tag."""
        return self.shas[1]


def build_repositories(folder: Path) -> Repositories:
    """Build them as a play does."""
    origin, mirror = folder / "upstream", folder / "mirror"
    shas = build_repository(RECIPE, origin)
    git.clone(origin, mirror)
    return Repositories(origin, mirror, shas)


class CIRun:
    """One run, in an empty folder and on an empty swarm."""

    def __init__(self, context: RunContext, journal: MemoryJournal, stacks: list[Stack]) -> None:
        self.context = context
        self.world = context.world
        self.app = context.app
        self.history = journal.records
        self.stacks = stacks
        """What was deployed, in order."""

    @property
    def checkout(self) -> Path:
        """The checkout that the run works in."""
        assert isinstance(self.context.tree, GitTree)
        return self.context.tree.checkout

    @property
    def notes(self) -> list[str]:
        """What it says on the console."""
        return [record.what.text for record in self.history if isinstance(record.what, Note)]

    def findings(self, step: str) -> list[Finding]:
        """What a step has found, in order."""
        findings = [record.what for record in self.history if isinstance(record.what, Finding)]
        return [finding for finding in findings if finding.step == step]

    def squeeze(self) -> None:
        """Have head's task OOM-killed beside the base's: the swarm will roll back."""
        limit_bytes = Squeeze(short_by=0.5).limit_bytes(self.world.usage_bytes(), SHAPE)
        self.world.set_limit(limit_bytes, "for a test")

    def later(self, after_s: float, what: Deed) -> None:
        """Have somebody do something to the service."""
        self.world.schedule(self.app.service, (Act(after_s=after_s, what=what),))


class CIRuns:
    """Makes runs; one at a time is at work."""

    def __init__(
        self, repositories: Repositories, means: Virtual, sim: SwarmSim, folder: Path
    ) -> None:
        self.repositories = repositories
        self._means = means
        self._sim = sim
        self._folder = folder

    def new(
        self,
        policy: Policy = START_FIRST,
        *,
        head: Mapping[str, object] | None = None,
        every: Mapping[str, object] | None = None,
        faults: Mapping[str, Fault] | None = None,
        deploy_s: float = 0.0,
    ) -> CIRun:
        """Set a run up; ``head`` and ``every`` are what an overlay adds to a service's deploy."""
        folder = AbraFolder(self._folder / "abra")
        folder.create()
        shas = self.repositories
        app = App(recipe="discourse", domain=app_domain("discourse", "2", shas.head))
        added = (("compose.head.yml", head, shas.head), ("compose.every.yml", every, None))
        overlays = tuple(
            Overlay(name=name, services={"app": {"deploy": deploy}}, only_at=sha)
            for name, deploy, sha in added
            if deploy is not None
        )
        stacks: list[Stack] = []

        def resolve(stack: Stack) -> ResolvedStack:
            stacks.append(stack)
            return self._means.resolver.resolve(stack)

        conditions = Conditions(deploy_after_s=deploy_s)
        clock = VirtualClock()
        journal = MemoryJournal(clock)
        world = VirtualWorld(self._sim, clock, journal, "app", conditions, resolve)
        tree = GitTree(
            world=world,
            folder=folder,
            app=app,
            mirror=shas.mirror,
            upstream=shas.origin,
            overlays=(*ci_overlays("app", policy), *overlays),
            standin=WorkloadOverlay(
                heavy="app", memory=SHAPE, timing=Timing(), faults=dict(faults or {})
            ),
        )
        return CIRun(RunContext(world=world, app=app, tree=tree), journal, stacks)

    def installed(self, policy: Policy = START_FIRST, **how: Any) -> CIRun:
        """Set a run up, and install its base."""
        run = self.new(policy, **how)
        assert stages.install(run.context, BASE_TAG, self.repositories.head, 60).end == "pass"
        return run
