"""Doctor's row on the labs of this machine."""

from __future__ import annotations

import pytest

from stamplab.lab.live.doctor.check import State
from stamplab.lab.live.doctor.labs import labs
from stamplab.lab.live.reaper import Found, Standing


def found(*standings: Standing) -> list[Found]:
    return [Found(name=f"lab{n}", standing=s, what="so") for n, s in enumerate(standings)]


@pytest.mark.parametrize(
    ("standings", "state", "facts"),
    [
        ((), State.OK, "none"),
        ((Standing.AT_WORK, Standing.KEPT, Standing.AT_WORK), State.OK, "2 at work, 1 kept"),
        ((Standing.KEPT, Standing.DEAD), State.NOTE, "1 kept, 1 dead"),
        ((Standing.UNCLEAR,), State.NOTE, "1 unclear: lab0 (so)"),
        ((Standing.DEAD, Standing.UNCLEAR), State.NOTE, "1 dead, 1 unclear: lab1 (so)"),
    ],
)
def test_labs(standings: tuple[Standing, ...], state: State, facts: str) -> None:
    check = labs(found(*standings))
    assert (check.state, check.found) == (state, facts)
    assert ("--reap" in check.means) == (Standing.DEAD in standings)
