"""The check of labs on this machine: at work, kept, dead, or unclear whose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from stamplab.lab.live.doctor.check import Check, note, ok
from stamplab.lab.live.reaper import LabStatus, Standing, survey


def check_labs(labs: Sequence[LabStatus] | None = None) -> Check:
    """Check for what dead labs have left; ``labs`` replaces the survey of this machine."""
    surveyed = survey() if labs is None else labs
    if not surveyed:
        return ok("labs", "none")
    counts = Counter(lab.standing for lab in surveyed)
    facts = ", ".join(f"{counts[standing]} {standing}" for standing in Standing if counts[standing])
    unclear = [f"{lab.name} ({lab.what})" for lab in surveyed if lab.standing is Standing.UNCLEAR]
    if unclear:
        facts += f": {'; '.join(unclear)}"
    if counts[Standing.DEAD]:
        return note("labs", facts, "What the dead ones left is removed by stamplab doctor --reap.")
    if unclear:
        return note(
            "labs", facts, "What no lease of a dead lab names is left alone: see whose it is."
        )
    return ok("labs", facts)
