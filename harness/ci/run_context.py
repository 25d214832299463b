"""What the steps of one CI run have in common."""

from __future__ import annotations

import msgspec

from stamplab.harness.ci.app import App
from stamplab.harness.ci.tree import Tree
from stamplab.lab.world import World


class RunContext(msgspec.Struct, frozen=True, kw_only=True):
    """World, app and recipe tree of one CI run."""

    world: World
    app: App
    tree: Tree
