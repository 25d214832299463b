"""Rules for a whole compose file: networks, configs, secrets, includes."""

from __future__ import annotations

from collections.abc import Iterator

from stamplab.lab.recipe.trust.demand import Demand, Grant
from stamplab.lab.recipe.trust.document import ComposeValue
from stamplab.lab.recipe.trust.folder import RecipeFolder
from stamplab.lab.recipe.trust.mounts import volumes_rule
from stamplab.lab.recipe.trust.rules import (
    Rule,
    apply_rule,
    by_key,
    demand_nothing,
    demands,
    demands_unless,
    each_value,
    external_object,
    file_reference,
    ordinary_keys,
)
from stamplab.lab.recipe.trust.services import services_rule

_HOST = "host"
_IS_HOST_NETWORK = "is the host's network"
_OWN_NETWORK_DRIVERS = ("", "overlay", "bridge", "null", "none")
_LINK_DRIVERS = ("host", "macvlan", "ipvlan")


def _network_name(node: ComposeValue, _: RecipeFolder) -> Iterator[Demand]:
    if node.text() == _HOST:
        yield node.demand(Grant.HOST_NETWORK, _IS_HOST_NETWORK)


def _network_driver(node: ComposeValue, _: RecipeFolder) -> Iterator[Demand]:
    driver = node.text()
    if driver in _LINK_DRIVERS:
        yield node.demand(Grant.HOST_NETWORK, "puts the network on the host's own links")
    elif driver not in _OWN_NETWORK_DRIVERS:
        yield node.demand(Grant.PLUGINS, "is a network driver that is not the engine's own")


_network = by_key(
    {
        "name": _network_name,
        "external": external_object(_network_name),
        "driver": _network_driver,
        "ipam": by_key(
            {
                "driver": demands_unless(
                    ("", "default"), Grant.PLUGINS, "is an address driver not the engine's own"
                ),
                **ordinary_keys("config options"),
            }
        ),
        **ordinary_keys("attachable driver_opts enable_ipv4 enable_ipv6 internal labels"),
    }
)


def networks_rule(node: ComposeValue, folder: RecipeFolder) -> Iterator[Demand]:
    """Judge networks; the key ``host`` may name the host's network in another file."""
    for key, value in node.fields():
        if key == _HOST:
            yield value.demand(Grant.HOST_NETWORK, _IS_HOST_NETWORK)
        yield from apply_rule(_network, value, folder)


file_objects_rule = each_value(
    by_key(
        {
            "file": file_reference,
            "driver": demands(Grant.PLUGINS, "is a driver that is not the engine's own"),
            "template_driver": demands_unless(
                ("", "golang"), Grant.PLUGINS, "is a template driver that is not the engine's own"
            ),
            **ordinary_keys("content driver_opts environment external labels name"),
        }
    )
)
"""For configs and for secrets."""


def _include(node: ComposeValue, folder: RecipeFolder) -> Iterator[Demand]:
    """Demand something for every included compose file, given by name or as a mapping."""
    for entry in node.children():
        if entry.is_mapping:
            rules: dict[str, Rule] = dict.fromkeys(("path", "env_file"), each_value(file_reference))
            yield from by_key({**rules, "project_directory": file_reference})(entry, folder)
        else:
            yield from apply_rule(file_reference, entry, folder)
    yield node.demand(None, "brings in files that are not judged: name them in COMPOSE_FILE")


compose_file_rule = by_key(
    {
        "services": services_rule,
        "volumes": volumes_rule,
        "networks": networks_rule,
        "configs": file_objects_rule,
        "secrets": file_objects_rule,
        "include": _include,
        "version": demand_nothing,
        "name": demand_nothing,
    }
)
