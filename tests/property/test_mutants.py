"""Each clause of the guard, taken away, is missed by a law: none of them is dead, or untested.

The clauses are found in the guard's own source (`tests.property.mutants`). What no schedule of the
virtual world can reach is named here, with the reason, and with the test that misses it instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec
import pytest

from scenarios.exploring.ground import EXPLORABLE, Ground, ground_of
from scenarios.exploring.laws import LAWS
from scenarios.exploring.schedule import Schedule
from scenarios.exploring.strategies import schedules
from scenarios.worlds import Virtual
from tests.builders import HEAD, task
from tests.property.drawing import drawn_by
from tests.property.mutants import Mutant, mutants, without
from tests.unit.harness import test_guard_converged as converged
from tests.unit.harness import test_guard_other_ends as other_ends
from tests.unit.harness import test_guard_rolled_back as rolled_back
from tests.unit.harness import test_guard_superseded as superseded

pytestmark = [pytest.mark.deep, pytest.mark.timeout(3600)]
SCHEDULES = 1500
_MOST_STEPS = 20_000

CAUGHT = Path(__file__).parent / "caught"
"""Schedules that miss a clause which few of those drawn miss; they are tried first."""


class Unreached(msgspec.Struct, frozen=True):
    """Why no schedule of the virtual world can miss a clause, and the test that misses it."""

    because: str
    held_by: Callable[[], None]


def _superseded(foreign: str) -> Callable[[], None]:
    return partial(superseded.test_superseded_by, foreign)


_SEEN_WHOLE = "services are seen at every moment, so that nothing has to be inferred later"
STOPPING = task("new", HEAD, "running", desired="shutdown")
_ONE_NODE = "the one node is never lost or drained"
OUT_OF_REACH: Mapping[str, Unreached] = {
    "view.is_reverted: was_applied": Unreached(
        "every deploy of the search brings a new spec",
        converged.test_an_unchanged_deploy_in_the_middle_of_an_update_to_the_same_is_no_rollback,
    ),
    "view._see_service: if self.own_state != had_state": Unreached(
        "what has not changed is not seen again",
        partial(
            rolled_back.test_a_rollback_that_ended_before_anyone_looked_names_the_task_that_is_listed_as_failed,
            8.0,
        ),
    ),
    "view._foreign_status: if self.update_started not in (None, status.started_at)": Unreached(
        _SEEN_WHOLE, _superseded("another start")
    ),
    "view._foreign_spec: if now.spec.digest != self.applied.digest": Unreached(
        _SEEN_WHOLE, _superseded("a third spec whose PreviousSpec went unseen")
    ),
    "view._foreign_spec: if not self.spec_is_baseline": Unreached(
        _SEEN_WHOLE, _superseded("a third spec whose PreviousSpec went unseen")
    ),
    "view._foreign_spec: if now.update_status is None and self.update_started is not None": (
        Unreached(_SEEN_WHOLE, _superseded("the status cleared"))
    ),
    "view._count_running: task.desired_state == RUNNING": Unreached(
        _ONE_NODE,
        partial(
            converged.test_completed_is_not_success_without_the_new_task,
            [STOPPING],
            "0 of 1 tasks of the new spec run",
        ),
    ),
    "view._count_running: task.desired_state in WANTED_STATES or task.spec_digest == wanted": (
        Unreached(_ONE_NODE, converged.test_an_old_task_on_a_node_that_is_lost_is_not_waited_for)
    ),
    "view._count_running: task.desired_state in WANTED_STATES": Unreached(
        "the swarm leaves no task of an old spec pending that it has started itself (moby#36699)",
        partial(
            converged.test_a_further_task_on_its_way_may_kill_the_one_that_runs,
            "wanted, of the old spec",
        ),
    ),
    "rules.removed: not view.looked_since_deploy": Unreached(
        "every service of the search is there before its upgrade",
        other_ends.test_a_service_that_is_not_there_yet_is_waited_for,
    ),
    "rules.converged: wanted": Unreached(
        "to be a little later than needed breaks no law",
        partial(
            converged.test_scaled_to_zero_converges_at_once_whatever_else_changed, "base", None
        ),
    ),
}


@pytest.fixture(scope="module")
def ground(virtual: Virtual) -> Iterator[Ground]:
    with ground_of(EXPLORABLE["discourse"], virtual) as found:
        yield found


@pytest.fixture(scope="module")
def drawn(ground: Ground) -> list[Schedule]:
    """Those that have caught a mutant come first for the next one."""
    known = [msgspec.json.decode(p.read_bytes(), type=Schedule) for p in sorted(CAUGHT.iterdir())]
    return known + drawn_by(schedules(ground.stamp_label), SCHEDULES)


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
    unreached = OUT_OF_REACH.get(mutant.where)
    if unreached is not None:
        unreached.held_by()
        with without(mutant), pytest.raises(AssertionError):
            unreached.held_by()
        return
    with without(mutant):
        caught = _first_caught(ground, drawn)
    assert caught is not None, "no schedule has missed it"
    drawn.insert(0, drawn.pop(caught))


def test_what_is_out_of_reach_is_a_clause() -> None:
    assert OUT_OF_REACH.keys() <= {mutant.where for mutant in mutants()}


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
