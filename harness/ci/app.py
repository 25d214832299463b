"""The app on trial.

What a CI run needs to know of it, and what of it can be identified on the swarm.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from stamplab.harness.ci.policy import Policy
from stamplab.lab.abra.stamp import label, stack_name
from stamplab.lab.model.swarm import Service


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What the swarm says is deployed."""

    stamp: str | None
    version: str | None
    image: str


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


class Overlay(msgspec.Struct, frozen=True, kw_only=True):
    """A compose file of the harness, laid over the recipe's own."""

    name: str
    services: Mapping[str, Mapping[str, object]]
    only_at: str | None = None
    """The one commit over which it says something; None: over all."""

    def at(self, sha: str) -> Mapping[str, Mapping[str, object]]:
        """What it says over a commit."""
        return self.services if self.only_at in (None, sha) else {}


CI_OVERLAY_NAME = "compose.ccci.yml"


def ci_overlays(service: str, policy: Policy) -> tuple[Overlay, ...]:
    """The harness's overlay for a recipe; none where it leaves the recipe's own policy."""
    deploy = policy.deploy()
    if not deploy:
        return ()
    return (Overlay(name=CI_OVERLAY_NAME, services={service: {"deploy": deploy}}),)
