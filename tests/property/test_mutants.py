"""Each clause of the guard, taken away, is missed by a law: none of them is dead, or untested.

The clauses are found in the guard's own source (`tests.property.mutants`). What no schedule of the
virtual world can reach is named here, with the reason, and with the test that holds it instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pytest

from scenarios.exploring.ground import EXPLORABLE, Ground, ground_of
from scenarios.exploring.laws import LAWS
from scenarios.exploring.schedule import Schedule
from scenarios.exploring.strategies import schedules
from scenarios.worlds import Virtual
from tests.property.drawing import drawn_by
from tests.property.mutants import Mutant, mutants, without

pytestmark = [pytest.mark.deep, pytest.mark.timeout(3600)]
SCHEDULES = 1500
_MOST_STEPS = 20_000

OUT_OF_REACH: Mapping[str, str] = {}
"""Why the search cannot miss a clause, by its text."""


@pytest.fixture(scope="module")
def ground(virtual: Virtual) -> Iterator[Ground]:
    with ground_of(EXPLORABLE["discourse"], virtual) as found:
        yield found


@pytest.fixture(scope="module")
def drawn(ground: Ground) -> list[Schedule]:
    """Those that have caught a mutant come first for the next one."""
    return drawn_by(schedules(ground.stamp_label), SCHEDULES)


class Stuck(Exception):
    """The guard never ends."""


@pytest.fixture(autouse=True)
def bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that has lost its deadline waits for ever: that is seen, too."""
    from lab.virtual.world import VirtualWorld

    steps = {"of": 0, "taken": 0}
    wait = VirtualWorld.next

    def counted(self: VirtualWorld, until_s: float) -> object:
        if steps["of"] != id(self):
            steps.update(of=id(self), taken=0)
        steps["taken"] += 1
        if steps["taken"] > _MOST_STEPS:
            raise Stuck
        return wait(self, until_s)

    monkeypatch.setattr(VirtualWorld, "next", counted)


@pytest.mark.parametrize("mutant", mutants(), ids=str)
def test_a_clause_that_is_taken_away_is_missed(
    mutant: Mutant, ground: Ground, drawn: list[Schedule]
) -> None:
    if mutant.clause in OUT_OF_REACH:
        pytest.skip(OUT_OF_REACH[mutant.clause])
    with without(mutant):
        caught = _first_caught(ground, drawn)
    assert caught is not None, "no schedule has missed it"
    drawn.insert(0, drawn.pop(caught))


def test_the_guard_itself_is_missed_by_none(ground: Ground, drawn: list[Schedule]) -> None:
    assert _first_caught(ground, drawn[:200]) is None


def _first_caught(ground: Ground, drawn: Sequence[Schedule]) -> int | None:
    """The first schedule under which a law is broken, or the guard itself breaks."""
    for number, schedule in enumerate(drawn):
        try:
            trial = ground.play(schedule, guard=True)
        except (Stuck, AttributeError, TypeError, AssertionError):
            return number
        if any(law.asks(trial) for law in LAWS.values()):
            return number
    return None
