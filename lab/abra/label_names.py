"""What abra marks a deployed service with: the labels' names, and how a stamp is written."""

from __future__ import annotations

SMALL_SHA_DIGITS = 8
DIRTY_MARK = "+U"


def stack_name(domain: str) -> str:
    """The stack of an app.

    Its domain with underscores, cut at 45 characters (unverified for abra).
    """
    return domain.replace(".", "_")[:45]


def label(stack: str, name: str) -> str:
    """The full name of one of abra's service labels."""
    return f"coop-cloud.{stack}.{name}"
