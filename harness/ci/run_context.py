"""Where one CI run works."""

from __future__ import annotations

import msgspec

from stamplab.harness.ci.app import App
from stamplab.harness.ci.tree import Tree
from stamplab.lab.world import World


class Bench(msgspec.Struct, frozen=True, kw_only=True):
    """Its world, its app, and its recipe's tree."""

    world: World
    app: App
    tree: Tree
