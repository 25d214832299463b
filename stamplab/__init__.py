"""stamplab says whether an upgrade was really deployed, and if not, why.

The public interface is what this module exports:

    from stamplab import guarding

    with guarding("shop") as guard:
        deploy()
    guard.check()

Everything is imported when it is first used, so importing this package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stamplab.harness.guard.api import NotConverged, guarding

# stamplab is all that can be imported once it is installed (ADR 0054).
__all__ = ["NotConverged", "guarding"]

_HOME = {
    "NotConverged": "stamplab.harness.guard.api",
    "guarding": "stamplab.harness.guard.api",
}


def __getattr__(name: str) -> object:
    """Import a public name from its module when it is first used (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
