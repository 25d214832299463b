"""Doctor's row on the labs of this machine."""

from __future__ import annotations

import pytest

from stamplab.lab.live.doctor.check import CheckState
from stamplab.lab.live.doctor.labs import check_labs
from stamplab.lab.live.reaper import LabStatus, Standing


def statuses(*standings: Standing) -> list[LabStatus]:
    return [LabStatus(name=f"lab{n}", standing=s, what="so") for n, s in enumerate(standings)]


@pytest.mark.parametrize(
    ("standings", "state", "facts"),
    [
        ((), CheckState.OK, "none"),
        ((Standing.AT_WORK, Standing.KEPT, Standing.AT_WORK), CheckState.OK, "2 at work, 1 kept"),
        ((Standing.KEPT, Standing.DEAD), CheckState.NOTE, "1 kept, 1 dead"),
        ((Standing.UNCLEAR,), CheckState.NOTE, "1 unclear: lab0 (so)"),
        ((Standing.DEAD, Standing.UNCLEAR), CheckState.NOTE, "1 dead, 1 unclear: lab1 (so)"),
    ],
)
def test_labs(standings: tuple[Standing, ...], state: CheckState, facts: str) -> None:
    check = check_labs(statuses(*standings))
    assert (check.state, check.facts) == (state, facts)
    assert ("--reap" in check.means) == (Standing.DEAD in standings)
