"""Run contexts for the harness: real git repositories of the recipe, and a fake world."""

from __future__ import annotations

from pathlib import Path

import msgspec

from stamplab.harness.ci.app import App, ci_overlays
from stamplab.harness.ci.naming import app_domain
from stamplab.harness.ci.policy import Policy
from stamplab.harness.ci.run_context import RunContext
from stamplab.harness.ci.tree import GitTree
from stamplab.lab.abra.folder import AbraFolder
from stamplab.lab.recipe import git
from stamplab.lab.recipe.repository import build_repository
from stamplab.lab.recipe.workload_overlay import Timing, WorkloadOverlay
from stamplab.lab.workload.shape import MemoryShape
from stamplab.scenarios.discourse.recipe import RECIPE
from tests.unit.harness.fake_world import FakeWorld

SHAPE = MemoryShape(steady_bytes=100, peak_bytes=300, boot_s=1.0)


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


def make_context(
    world: FakeWorld, repositories: Repositories, scratch: Path, *, order: str = "start-first"
) -> RunContext:
    """Set up one CI run in an empty folder."""
    folder = AbraFolder(scratch / "abra")
    folder.create()
    app = App(recipe="discourse", domain=app_domain("discourse", "2", repositories.head))
    tree = GitTree(
        world=world,
        folder=folder,
        app=app,
        mirror=repositories.mirror,
        upstream=repositories.origin,
        overlays=ci_overlays("app", Policy(order=order)),
        standin=WorkloadOverlay(heavy="app", memory=SHAPE, timing=Timing()),
    )
    return RunContext(world=world, app=app, tree=tree)


def checkout_of(context: RunContext) -> Path:
    """The checkout that such a run works in."""
    assert isinstance(context.tree, GitTree)
    return context.tree.checkout
