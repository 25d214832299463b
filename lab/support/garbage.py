"""How often Python looks for garbage in reference cycles."""

from __future__ import annotations

import gc

_COLLECT_EVERY = 50_000
"""Objects; Python's own 700 are a tenth of a command's time."""


def collect_rarely() -> None:
    """Collect less often than Python does by itself: what our processes make mostly stays."""
    gc.set_threshold(_COLLECT_EVERY)
