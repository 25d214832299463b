"""The app on trial: its names, its overlays, and what identifies it on the swarm."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from stamplab.harness.ci.policy import Policy
from stamplab.lab.abra.label_names import label, stack_name
from stamplab.lab.model.swarm import Service


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Identity of what is deployed, by the labels and the image of the service's present spec."""

    stamp: str | None
    version: str | None
    image: str


class App(msgspec.Struct, frozen=True, kw_only=True):
    """App of a recipe, with the names that abra gives to its stack, service and labels."""

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
        """Read the identity from a service's present spec."""
        labels = service.spec.labels
        return Identity(
            stamp=labels.get(self.stamp_label),
            version=labels.get(self.version_label),
            image=service.spec.image,
        )


class Overlay(msgspec.Struct, frozen=True, kw_only=True):
    """Compose file of the harness, laid over the recipe's own."""

    name: str
    services: Mapping[str, Mapping[str, object]]
    only_at: str | None = None
    """The one commit that the overlay changes; None: every commit."""

    def at(self, sha: str) -> Mapping[str, Mapping[str, object]]:
        """Return what is laid over this commit; nothing where the overlay is another commit's."""
        return self.services if self.only_at in (None, sha) else {}


CI_OVERLAY_NAME = "compose.ccci.yml"


def ci_overlays(service: str, policy: Policy) -> tuple[Overlay, ...]:
    """Make the harness's overlay of a policy; none where the policy leaves all to the recipe."""
    deploy = policy.deploy()
    if not deploy:
        return ()
    return (Overlay(name=CI_OVERLAY_NAME, services={service: {"deploy": deploy}}),)
