"""Each clause of the guard, taken away, is missed by a law: none of them is dead, or untested.

The clauses are found in the guard's own source (`tests.property.mutants`). What no schedule of the
virtual world can reach is named here, with the reason, and with the test that misses it instead.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path

import msgspec
import pytest

from stamplab.search.explorable import SchedulePlayer
from stamplab.search.laws import LAWS
from stamplab.search.schedule import Schedule
from stamplab.search.strategies import schedules
from tests.property.drawing import drawn_by
from tests.property.mutants import Mutant, mutants, without

pytestmark = [pytest.mark.deep, pytest.mark.timeout(3600)]
SCHEDULES = 1500
_MOST_STEPS = 20_000

CAUGHT = Path(__file__).parent / "caught"
"""Schedules that miss a clause which few of those drawn miss; they are tried first."""


_SEEN_WHOLE = "services are seen at every moment, so that nothing has to be inferred later"
_ONE_NODE = "the one node is never lost or drained"
_NAMED = "a rollback takes its time: that it is over in the moment of its start was seen live alone"
_REPLICATED = "the search's service is a replicated one, and no job"
_THERE = "every service is there before its upgrade"
_LATER = "to be a little later than needed breaks no law"
_WORDS = "it is about a task's own words, and the laws do not read them"
UNREACHED: Mapping[str, str] = {
    "rules.rule_finished": "the search's service is none that finishes",
    "view.View.spec_is_reverted: and 2, operand 1": "every deploy of the search brings a new spec",
    "view.View._note_service: if 1": "what has not changed is not seen again",
    "view.View._other_update_by_status: if 3": _SEEN_WHOLE,
    "view.View._other_update_by_spec: if 2": _SEEN_WHOLE,
    "view.View._other_update_by_spec: if 3": _SEEN_WHOLE,
    "view.View._other_update_by_spec: if 5": _SEEN_WHOLE,
    "view.View._note_failed": "no schedule has had a deploy of its head before",
    "view.serving_tasks: and 1, operand 2": _ONE_NODE,
    "view.serving_tasks: and 1, operand 3": (
        "once the swarm says that it is done, no task of the old spec is meant to run"
    ),
    "view.wanted_count": _REPLICATED,
    "view.serving_tasks: if 1": _REPLICATED,
    "view.done_tasks": _REPLICATED,
    "view._is_of_present_spec": _REPLICATED,
    "rules._other_update: if 1": "no schedule has a deploy that fails after its service is gone",
    "rules.is_settled: if 2": _REPLICATED,
    "rules.hold_ends_s: if 1": _REPLICATED,
    "rules.hold_ends_s: or 1, operand 2": _REPLICATED,
    "view.View._note_running: and 1, operand 3": _ONE_NODE,
    "view.View._note_running: or 1, operand 1": (
        "the swarm leaves no task of an old spec pending that it has started itself (moby#36699)"
    ),
    "rules.rule_removed: or 1, operand 2": _THERE,
    "rules.rule_rolled_back: and 1, operand 2": _NAMED,
    "rules.rule_rolled_back: or 2, operand 2": _NAMED,
    "rules.rule_rolled_back: or 2, operand 1": _LATER,
    "rules.rule_rolled_back: and 2, operand 2": "a schedule's patience outlasts its rollback",
    "rules.rule_paused: or 1, operand 1": _WORDS,
    "rules.rule_paused: if 2": _WORDS,
    "rules.rule_paused: and 1, operand 1": _WORDS,
    "rules.rule_paused: and 1, operand 2": _WORDS,
    "rules.rule_converged: or 1, operand 3": _NAMED,
    "rules.rule_converged: and 2, operand 1": _LATER,
}
"""Why the search cannot miss a clause, or a function's: the guard's own tests do."""
GUARDS_TESTS = sorted(
    (Path(__file__).parents[1] / "unit" / "harness" / "guard").glob("test_guard_*.py")
)


@pytest.fixture(scope="module")
def drawn(player: SchedulePlayer) -> list[Schedule]:
    """Those that have caught a mutant come first for the next one."""
    known = [msgspec.json.decode(p.read_bytes(), type=Schedule) for p in sorted(CAUGHT.iterdir())]
    return known + drawn_by(schedules(player.stamp_label), SCHEDULES)


class Stuck(Exception):
    """The guard never ends."""


@pytest.fixture(autouse=True)
def bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that has lost its deadline waits for ever: that is seen, too."""
    from stamplab.lab.virtual.world import VirtualWorld

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
    mutant: Mutant, player: SchedulePlayer, drawn: list[Schedule]
) -> None:
    if mutant.where in UNREACHED or mutant.function_key in UNREACHED:
        with without(mutant):
            assert _fails_the_guards_tests(), "neither a schedule nor a test has missed it"
        return
    with without(mutant):
        caught = _first_caught(player, drawn)
    assert caught is not None, "no schedule has missed it"
    drawn.insert(0, drawn.pop(caught))


def test_what_is_out_of_reach_is_a_clause() -> None:
    clauses = mutants()
    keys = {mutant.where for mutant in clauses}
    assert len(keys) == len(clauses), "two clauses have one key"
    assert UNREACHED.keys() <= keys | {mutant.function_key for mutant in clauses}


def _fails_the_guards_tests() -> bool:
    """Whether they fail in this very process, where a clause is missing."""
    with redirect_stdout(io.StringIO()):
        plain = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
        ended = pytest.main([*plain, *map(str, GUARDS_TESTS)])
    return ended is pytest.ExitCode.TESTS_FAILED


def test_the_guard_itself_is_missed_by_none(player: SchedulePlayer, drawn: list[Schedule]) -> None:
    assert _first_caught(player, drawn[:200]) is None


def _first_caught(player: SchedulePlayer, drawn: Sequence[Schedule]) -> int | None:
    """The first schedule under which a law is broken, or the guard itself breaks."""
    for number, schedule in enumerate(drawn):
        try:
            trial = player.play(schedule, guard=True)
        except (Stuck, AttributeError, TypeError, AssertionError):
            return number
        if any(law.check(trial) for law in LAWS.values()):
            return number
    return None
