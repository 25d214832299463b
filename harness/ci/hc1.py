"""HC1: after an upgrade, the deployed commit is the intended head. Unweakened, and pure."""

from __future__ import annotations

from stamplab.lab.abra.label_names import DIRTY_MARK, SMALL_SHA_DIGITS

_SHOWN_HEAD_DIGITS = 12


def check(stamp: str | None, head: str, *, is_dirty: bool) -> str | None:
    """Compare the deployed stamp with the intended head; None when they agree, else HC1's message.

    The stamp of ``head`` is its first 8 digits, marked ``+U`` exactly when the deployed tree was
    dirty.
    """
    wanted = head[:SMALL_SHA_DIGITS] + (DIRTY_MARK if is_dirty else "")
    if stamp == wanted:
        return None
    return f"chaos commit {stamp!r}, not the intended PR-head {head[:_SHOWN_HEAD_DIGITS]!r} (HC1)"
