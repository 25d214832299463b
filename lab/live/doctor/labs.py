"""The check of labs on this machine: at work, kept, dead, or unclear whose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lab.live.doctor.check import Check, note, ok
from lab.live.reaper import Found, Standing, survey


def check_labs(found: Sequence[Found] | None = None) -> Check:
    """Check for what dead labs have left; ``found`` replaces the survey of this machine."""
    seen = survey() if found is None else found
    if not seen:
        return ok("labs", "none")
    counts = Counter(one.standing for one in seen)
    facts = ", ".join(f"{counts[standing]} {standing}" for standing in Standing if counts[standing])
    unclear = [f"{one.name} ({one.what})" for one in seen if one.standing is Standing.UNCLEAR]
    if unclear:
        facts += f": {'; '.join(unclear)}"
    if counts[Standing.DEAD]:
        return note("labs", facts, "What the dead ones left is removed by stamplab doctor --reap.")
    if unclear:
        return note(
            "labs", facts, "What no lease of a dead lab names is left alone: see whose it is."
        )
    return ok("labs", facts)
