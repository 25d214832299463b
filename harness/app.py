"""The app on trial.

What a CI run needs to know of it, and what of it can be identified on the swarm.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from lab.abra.folder import AbraFolder
from lab.abra.stamp import label, stack_name
from lab.swarm import Service
from lab.world import World


class App(msgspec.Struct, frozen=True, kw_only=True):
    """One app of one recipe, by the names that abra gives to its parts."""

    recipe: str
    domain: str
    service_name: str = "app"

    @property
    def stack(self) -> str:
        """The stack's name."""
        return stack_name(self.domain)

    @property
    def service(self) -> str:
        """The heavy service's name on the swarm."""
        return f"{self.stack}_{self.service_name}"

    @property
    def stamp_label(self) -> str:
        """The label that carries the deployed commit."""
        return label(self.stack, "chaos-version")

    @property
    def version_label(self) -> str:
        """The label that carries the recipe's version."""
        return label(self.stack, "version")

    def identity_of(self, service: Service) -> Identity:
        """Read what a service's present spec says that it is."""
        labels = service.spec.labels
        return Identity(
            stamp=labels.get(self.stamp_label),
            version=labels.get(self.version_label),
            image=service.spec.image,
        )


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What the swarm says is deployed."""

    stamp: str | None
    version: str | None
    image: str


class Bench(msgspec.Struct, frozen=True, kw_only=True):
    """Where one CI run works.

    Its world, its scratch ABRA_DIR, its app, and its recipe's sources.
    """

    world: World
    folder: AbraFolder
    app: App
    mirror: Path
    upstream: Path
    overlays: tuple[Overlay, ...]
    """Copied into the checkout before each deploy."""

    @property
    def checkout(self) -> Path:
        """The run's own checkout of the recipe."""
        return self.folder.recipe(self.app.recipe)


class Overlay(msgspec.Struct, frozen=True, kw_only=True):
    """A compose file of the harness, laid over the recipe's own."""

    name: str
    text: str
