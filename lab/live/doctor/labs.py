"""Labs that are on this machine: at work, kept, dead, or unclear whose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from stamplab.lab.live.doctor.check import Check, note, ok
from stamplab.lab.live.reaper import Found, Standing, survey


def labs(found: Sequence[Found] | None = None) -> Check:
    """What labs there are, and what dead ones left."""
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
