"""Where a world is known to differ from what a scenario declares, and why.

The real engine settles each: what stands here is beyond the virtual world, or an engine's own.
docs/virtual-world.md has what is not modelled at all.
"""

from __future__ import annotations

from collections.abc import Mapping

DIFFERENCES: Mapping[tuple[str, str], str] = {}
"""The cause, by the scenario's name and the world."""
