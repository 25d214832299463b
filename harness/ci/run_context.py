"""Where one CI run works."""

from __future__ import annotations

import msgspec

from harness.app import App
from harness.tree import Tree
from lab.world import World


class Bench(msgspec.Struct, frozen=True, kw_only=True):
    """Its world, its app, and its recipe's tree."""

    world: World
    app: App
    tree: Tree
