"""The objects that must be on a swarm before a stack is deployed."""

from __future__ import annotations

import re

import msgspec

from stamplab.lab.recipe.compose import parse_compose, read_texts
from stamplab.lab.recipe.env_file import Setting
from stamplab.lab.recipe.secrets import secrets_of
from stamplab.lab.recipe.workload_overlay import IMAGE_PREFIX
from stamplab.lab.world import Stack

_ENGINE_NETWORKS = frozenset({"host", "bridge", "none", "ingress"})
_NODE_LABEL = re.compile(r"\s*node\.labels\.([^\s=!]+)\s*==\s*(\S+)\s*")


# The world provides these after the recipe was judged (ADR 0020).
class Prerequisites(msgspec.Struct, frozen=True, kw_only=True):
    """The names of a stack's prerequisites."""

    networks: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    """The workload's image, under each name that stands for an image of the recipe."""
    node_labels: tuple[tuple[str, str], ...] = ()
    """Names and values that placement constraints ask for."""
    host_paths: tuple[str, ...] = ()
    """Sources of bind mounts; the engine does not create them for a service."""


def prerequisites_of(stack: Stack) -> Prerequisites:
    """Read a stack's prerequisites. Raises LabError, RecipeRefused."""
    files = tuple(str(file.relative_to(stack.directory)) for file in stack.compose_files)
    texts = read_texts(stack.directory, files)
    settings = [Setting(name=name, value=value) for name, value in stack.environment.items()]
    secrets = secrets_of(texts, settings, stack.name)
    compose = parse_compose(texts, stack.environment)
    services = compose.services.values()
    constraints = [text for service in services for text in service.constraints]
    matches = filter(None, map(_NODE_LABEL.fullmatch, constraints))
    images = (service.image for service in services)
    return Prerequisites(
        networks=tuple(n for n in compose.external_networks if n not in _ENGINE_NETWORKS),
        secrets=tuple(secret.remote_name for secret in secrets),
        images=tuple(image for image in images if image.startswith(IMAGE_PREFIX)),
        node_labels=tuple((match[1], match[2]) for match in matches),
        host_paths=tuple(path for service in services for path in service.bind_sources),
    )
