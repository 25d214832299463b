"""What a stack takes for granted on its swarm: somebody else has made it before."""

from __future__ import annotations

import re

import msgspec

from stamplab.lab.recipe.compose import Compose, parse, read_texts
from stamplab.lab.recipe.env_file import Setting
from stamplab.lab.recipe.secrets import secrets_of
from stamplab.lab.recipe.workload_overlay import IMAGES
from stamplab.lab.world import Stack

_OF_THE_ENGINE = frozenset({"host", "bridge", "none", "ingress"})
_NODE_LABEL = re.compile(r"\s*node\.labels\.([^\s=!]+)\s*==\s*(\S+)\s*")


# The world provides these after the recipe was judged (ADR 0020).
class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """Names of what has to be there."""

    networks: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    """Of the stand-in, by the names that it goes by."""
    node_labels: tuple[tuple[str, str], ...] = ()
    """Which placement constraints ask for."""
    host_paths: tuple[str, ...] = ()
    """Whatever is mounted from there has to be there; the engine makes nothing for a service."""


def granted_to(stack: Stack) -> Granted:
    """Read what a stack takes for granted. Raises LabError, RecipeRefused."""
    files = tuple(str(file.relative_to(stack.directory)) for file in stack.compose_files)
    texts = read_texts(stack.directory, files)
    settings = [Setting(name=name, value=value) for name, value in stack.environment.items()]
    secrets = tuple(one.remote_name for one in secrets_of(texts, settings, stack.name))
    return _granted(parse(texts, stack.environment), secrets)


def _granted(compose: Compose, secrets: tuple[str, ...]) -> Granted:
    services = compose.services.values()
    constraints = [text for one in services for text in one.constraints]
    found = filter(None, map(_NODE_LABEL.fullmatch, constraints))
    return Granted(
        networks=tuple(n for n in compose.external_networks if n not in _OF_THE_ENGINE),
        secrets=secrets,
        images=tuple(one.image for one in services if one.image.startswith(IMAGES)),
        node_labels=tuple((match[1], match[2]) for match in found),
        host_paths=tuple(path for one in services for path in one.bind_sources),
    )
