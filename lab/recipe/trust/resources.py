"""What a compose file defines beside services: networks, configs, secrets, other files."""

from __future__ import annotations

from collections.abc import Iterator

from stamplab.lab.recipe.trust.demand import Demand, Grant
from stamplab.lab.recipe.trust.document import Part
from stamplab.lab.recipe.trust.folder import Folder
from stamplab.lab.recipe.trust.mounts import volumes
from stamplab.lab.recipe.trust.rules import (
    Rule,
    a_file,
    by_key,
    each,
    external,
    harmless,
    harmless_keys,
    needs,
    needs_unless,
    understood,
)
from stamplab.lab.recipe.trust.services import services

_HOST = "host"
_IS_HOST_NETWORK = "is the host's network"
_OWN_NETWORK_DRIVERS = ("", "overlay", "bridge", "null", "none")
_LINK_DRIVERS = ("host", "macvlan", "ipvlan")


def _network_name(part: Part, _: Folder) -> Iterator[Demand]:
    if part.text() == _HOST:
        yield part.demand(Grant.HOST_NETWORK, _IS_HOST_NETWORK)


def _network_driver(part: Part, _: Folder) -> Iterator[Demand]:
    driver = part.text()
    if driver in _LINK_DRIVERS:
        yield part.demand(Grant.HOST_NETWORK, "puts the network on the host's own links")
    elif driver not in _OWN_NETWORK_DRIVERS:
        yield part.demand(Grant.PLUGINS, "is a network driver that is not the engine's own")


_network = by_key(
    {
        "name": _network_name,
        "external": external(_network_name),
        "driver": _network_driver,
        "ipam": by_key(
            {
                "driver": needs_unless(
                    ("", "default"), Grant.PLUGINS, "is an address driver not the engine's own"
                ),
                **harmless_keys("config options"),
            }
        ),
        **harmless_keys("attachable driver_opts enable_ipv4 enable_ipv6 internal labels"),
    }
)


def networks(part: Part, folder: Folder) -> Iterator[Demand]:
    """The networks; one keyed ``host`` may be the host's in another file, so it counts as such."""
    for key, value in part.fields():
        if key == _HOST:
            yield value.demand(Grant.HOST_NETWORK, _IS_HOST_NETWORK)
        yield from understood(_network, value, folder)


file_objects = each(
    by_key(
        {
            "file": a_file,
            "driver": needs(Grant.PLUGINS, "is a driver that is not the engine's own"),
            "template_driver": needs_unless(
                ("", "golang"), Grant.PLUGINS, "is a template driver that is not the engine's own"
            ),
            **harmless_keys("content driver_opts environment external labels name"),
        }
    )
)
"""Configs and secrets alike."""


def _include(part: Part, folder: Folder) -> Iterator[Demand]:
    """Other compose files, by name or as mappings: they bring in what nobody has judged."""
    for one in part.parts():
        if one.is_mapping:
            rules: dict[str, Rule] = dict.fromkeys(("path", "env_file"), each(a_file))
            yield from by_key({**rules, "project_directory": a_file})(one, folder)
        else:
            yield from understood(a_file, one, folder)
    yield part.demand(None, "brings in files that are not judged: name them in COMPOSE_FILE")


compose_file = by_key(
    {
        "services": services,
        "volumes": volumes,
        "networks": networks,
        "configs": file_objects,
        "secrets": file_objects,
        "include": _include,
        "version": harmless,
        "name": harmless,
    }
)
"""A whole compose file."""
