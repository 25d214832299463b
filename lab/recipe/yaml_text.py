"""YAML texts, each parsed once: a run reads the same few compose files again and again.

What is returned is shared, so nobody may change it. Both functions raise what PyYAML raises.
"""

from __future__ import annotations

from functools import lru_cache

import yaml

_KEPT = 256
"""Texts whose result is kept; a stack has a handful of files."""


@lru_cache(_KEPT)
def yaml_value(text: str) -> object:
    """Return the value of a text; of an empty one None."""
    value: object = yaml.safe_load(text)
    return value


@lru_cache(_KEPT)
def yaml_graph(text: str) -> yaml.Node | None:
    """Return the nodes of a text, with their places in it; of an empty one None."""
    return yaml.compose(text, Loader=yaml.SafeLoader)
