"""The recipe as a run deploys it: checked out, overlaid, stamped.

All of the harness that reaches git and files is behind `Tree`; what waits and judges is not. So a
search may rehearse an upgrade once and repeat its deploys thousands of times.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from stamplab.harness.ci.app import App, Overlay
from stamplab.harness.ci.app_settings import recipe_files, write_env
from stamplab.lab.abra.app import read_app
from stamplab.lab.abra.deploy import ChaosDeploy, chaos_deploy
from stamplab.lab.abra.driver import AbraProgram
from stamplab.lab.abra.folder import AbraFolder
from stamplab.lab.model.history import OverlayWritten
from stamplab.lab.recipe import checkout, workload_overlay
from stamplab.lab.recipe.compose import overlay_text
from stamplab.lab.recipe.workload_overlay import WorkloadOverlay
from stamplab.lab.world import DeployTarget


# World and Tree are the only ways out of the harness (ADR 0030).
class Tree(Protocol):
    """Checkout of the recipe that is one run's own, and the abra that deploys it."""

    def fetch(self, ref: str) -> None:
        """Clone the recipe from its mirror at ``ref``, with its upstream's tags.

        Raises LabError.
        """

    def check_out(self, ref: str) -> str:
        """Check a ref out and lay the run's overlays over it; return its SHA. Raises LabError."""

    def deploy(self) -> ChaosDeploy:
        """Deploy what is checked out, and stamp it. A refusal is in the answer. Raises LabError."""

    def override_stamp(self, stamp: str) -> None:
        """Have abra take this stamp from now on: an exhibit. Only the stand-in for abra can."""


class MisreportingTree(msgspec.Struct, frozen=True):
    """Tree whose abra reports another stamp than the one that it took: an exhibit."""

    tree: Tree
    reported_stamp: str

    def fetch(self, ref: str) -> None:
        """Do as the tree does."""
        self.tree.fetch(ref)

    def check_out(self, ref: str) -> str:
        """Do as the tree does."""
        return self.tree.check_out(ref)

    def deploy(self) -> ChaosDeploy:
        """Deploy, and report the other stamp."""
        return msgspec.structs.replace(self.tree.deploy(), stamp=self.reported_stamp)

    def override_stamp(self, stamp: str) -> None:
        """Do as the tree does."""
        self.tree.override_stamp(stamp)


class GitTree(msgspec.Struct, frozen=True, kw_only=True):
    """Tree of git repositories and a scratch ABRA_DIR, deployed by abra or its stand-in."""

    world: DeployTarget
    folder: AbraFolder
    app: App
    mirror: Path
    upstream: Path
    overlays: tuple[Overlay, ...]
    """The harness's own, copied into the checkout before each deploy; the last one wins."""
    standin: WorkloadOverlay
    abra: AbraProgram | None = None
    """A real abra that deploys; without one the stand-in does."""

    @property
    def checkout(self) -> Path:
        """The run's own checkout of the recipe."""
        return self.folder.recipe(self.app.recipe)

    def fetch(self, ref: str) -> None:
        """Clone the recipe; see `Tree`."""
        checkout.fetch(self.mirror, self.upstream, self.checkout, ref)

    def check_out(self, ref: str) -> str:
        """Check a ref out and lay the overlays over it: so the tree is dirty."""
        sha = checkout.check_out(self.checkout, ref)
        added = write_env(self.folder, self.app, self.checkout, self._overlay_names)
        if added is not None:
            self.world.record(added)
        for name, text in self._overlays(sha).items():
            checkout.write_uncommitted(self.checkout, {name: text})
            self.world.record(OverlayWritten(commit=sha, name=name, text=text))
        return sha

    def deploy(self) -> ChaosDeploy:
        """Deploy what is checked out, after what it takes for granted was made."""
        self.world.provide(read_app(self.folder, self.app.domain).recipe_stack())
        return chaos_deploy(self.world, self.folder, self.app.domain, self.abra)

    def override_stamp(self, stamp: str) -> None:
        """Have the stand-in take this stamp, whatever is checked out."""
        self.folder.override_stamp(stamp)

    def _overlays(self, sha: str) -> Mapping[str, str]:
        """All files that are laid over the recipe, by their names."""
        environment = read_app(self.folder, self.app.domain).environment()
        files = recipe_files(self.folder, self.app, self._overlay_names)
        compose = checkout.read_compose(self.checkout, files, environment)
        overlays = {
            overlay.name: overlay_text(compose.version, {"services": overlay.at(sha)})
            for overlay in self.overlays
        }
        overlays[workload_overlay.OVERLAY_NAME] = self.standin.overlay(compose)
        if workload_overlay.script_configs(compose):
            overlays[workload_overlay.CONFIG_SCRIPT_NAME] = workload_overlay.CONFIG_SCRIPT
        return overlays

    @property
    def _overlay_names(self) -> tuple[str, ...]:
        return (*(overlay.name for overlay in self.overlays), workload_overlay.OVERLAY_NAME)
