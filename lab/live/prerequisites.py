"""Makes a stack's prerequisites on a private swarm: images, networks, secrets, labels, paths."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import docker
import docker.errors
import requests

from stamplab.lab.errors import LabError
from stamplab.lab.recipe.prerequisites import Prerequisites

_SECRET_BYTES = 16
_ERRORS = (requests.RequestException, docker.errors.DockerException)


def provide(api: docker.APIClient, granted: Prerequisites, image: str) -> tuple[str, ...]:
    """Make the prerequisites that are missing; return a clause for each, without secrets' values.

    ``image`` is the workload's. Raises LabError.
    """
    try:
        return tuple(_provide_each(api, granted, image))
    except _ERRORS as error:
        raise LabError(f"the stack's prerequisites could not be made: {error}") from error


def _provide_each(api: docker.APIClient, granted: Prerequisites, image: str) -> Iterator[str]:
    tags = {tag for listed in api.images() for tag in listed["RepoTags"] or ()}
    for name in dict.fromkeys(granted.images):
        if name not in tags:
            repository, _, tag = name.rpartition(":")
            api.tag(image, repository, tag)
            yield f"image {name}, which is {image}"
    networks = {network["Name"] for network in api.networks()}
    for name in dict.fromkeys(granted.networks):
        if name not in networks:
            api.create_network(name, driver="overlay", scope="swarm", attachable=True)
            yield f"network {name}"
    present = {secret["Spec"]["Name"] for secret in api.secrets()}
    for name in dict.fromkeys(granted.secrets):
        if name not in present:
            api.create_secret(name, secrets.token_hex(_SECRET_BYTES).encode())
            yield f"secret {name}"
    labels = dict(granted.node_labels)
    if labels and _label_node(api, labels):
        yield f"node labels {', '.join(f'{name}={value}' for name, value in labels.items())}"
    for path in dict.fromkeys(granted.host_paths):
        if _made_path(api, path, image):
            yield f"path {path}, where it was missing"


def _label_node(api: docker.APIClient, labels: dict[str, str]) -> bool:
    """Label the swarm's one node; return whether labels were missing."""
    (node,) = api.nodes()
    present = node["Spec"].get("Labels") or {}
    if labels.items() <= present.items():
        return False
    spec = {**node["Spec"], "Labels": {**present, **labels}}
    api.update_node(node["ID"], node["Version"]["Index"], spec)
    return True


def _made_path(api: docker.APIClient, path: str, image: str) -> bool:
    """Have the engine make a path, as it does for a container but not for a service.

    Return whether the path was made. Where the sandbox's root file system is read-only (see
    init.sh) it is not, and the engine will reject the task with its own words.
    """
    binds = api.create_host_config(binds=[f"{path}:/mnt:ro"], network_mode="none")
    container = api.create_container(image, ["/bin/stampload", "--version"], host_config=binds)
    try:
        api.start(container["Id"])
    except docker.errors.APIError:
        return False
    finally:
        api.remove_container(container["Id"], force=True)
    return True
