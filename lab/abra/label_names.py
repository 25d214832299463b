"""The names of abra's service labels, and the format of a stamp."""

from __future__ import annotations

SMALL_SHA_DIGITS = 8
DIRTY_MARK = "+U"


def stack_name(domain: str) -> str:
    """Return an app's stack: the domain with underscores, cut at 45 characters (unverified)."""
    return domain.replace(".", "_")[:45]


def label(stack: str, name: str) -> str:
    """Return the full name of a service label of abra."""
    return f"coop-cloud.{stack}.{name}"
