"""Each clause of the guard, taken away, is missed by a law: none of them is dead, or untested.

The clauses are found in the guard's own source (`tests.property.mutants`). What no schedule of the
virtual world can reach is named here, with the reason, and with the test that misses it instead.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path

import msgspec
import pytest

from stamplab.runner.worlds import Virtual
from stamplab.search.explorable import EXPLORABLE, SchedulePlayer, schedule_player
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
    "rules.finished": "the search's service is none that finishes",
    "view.is_reverted: was_applied": "every deploy of the search brings a new spec",
    "view._see_service: if self.own_state != had_state": "what has not changed is not seen again",
    "view._foreign_status: if self.update_started not in (None, status.started_at)": _SEEN_WHOLE,
    "view._foreign_spec: if now.spec.digest != self.applied.digest": _SEEN_WHOLE,
    "view._foreign_spec: if not self.spec_is_baseline": _SEEN_WHOLE,
    "view._foreign_spec: if now.update_status is None and self.update_started is not None": (
        _SEEN_WHOLE
    ),
    "view._see_failed": "no schedule has had a deploy of its head before",
    "modes.serving: task.desired_state == RUNNING": _ONE_NODE,
    "modes.serving: task.spec_digest == service.spec.task_digest": (
        "once the swarm says that it is done, no task of the old spec is meant to run"
    ),
    "modes.wanted": _REPLICATED,
    "modes.serving: if service.spec.is_job": _REPLICATED,
    "modes.done": _REPLICATED,
    "modes._is_of_present": _REPLICATED,
    "rules.terminal_state: if service.spec.is_job": _REPLICATED,
    "rules.hold_ends_s: if spec is None or spec.is_job": _REPLICATED,
    "rules.hold_ends_s: spec.is_job (one of several)": _REPLICATED,
    "view._count_running: task.desired_state in WANTED_STATES or task.spec_digest == wanted": (
        _ONE_NODE
    ),
    "view._count_running: task.desired_state in WANTED_STATES (one of several)": (
        "the swarm leaves no task of an old spec pending that it has started itself (moby#36699)"
    ),
    "rules.removed: not view.looked_since_deploy (one of several)": _THERE,
    "rules.rolled_back: view.failed_task or view.now_s >= last_words_s(view)": _NAMED,
    "rules.rolled_back: view.now_s >= last_words_s(view) (one of several)": _NAMED,
    "rules.rolled_back: view.failed_task (one of several)": _LATER,
    "rules.rolled_back: view.now_s < expectation.deadline_s": (
        "a schedule's patience outlasts its rollback"
    ),
    "rules.paused: view.failed_task in view.failed (one of several)": _WORDS,
    "rules.paused: "
    "if not is_told and view.now_s < min(last_words_s(view), expectation.deadline_s)": _WORDS,
    "rules.paused: not is_told": _WORDS,
    "rules.paused: view.now_s < min(last_words_s(view), expectation.deadline_s)": _WORDS,
    "rules.converged: view.is_reverted (one of several)": _NAMED,
    "rules.converged: wanted": _LATER,
}
"""Why the search cannot miss a clause, or a function's: the guard's own tests do."""
GUARDS_TESTS = sorted(
    (Path(__file__).parents[1] / "unit" / "harness" / "guard").glob("test_guard_*.py")
)


@pytest.fixture(scope="module")
def player(virtual: Virtual) -> Iterator[SchedulePlayer]:
    with schedule_player(EXPLORABLE["discourse"], virtual) as found:
        yield found


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
    if mutant.where in UNREACHED or mutant.where.partition(":")[0] in UNREACHED:
        with without(mutant):
            assert _fails_the_guards_tests(), "neither a schedule nor a test has missed it"
        return
    with without(mutant):
        caught = _first_caught(player, drawn)
    assert caught is not None, "no schedule has missed it"
    drawn.insert(0, drawn.pop(caught))


def test_what_is_out_of_reach_is_a_clause() -> None:
    found = {mutant.where for mutant in mutants()}
    assert UNREACHED.keys() <= found | {where.partition(":")[0] for where in found}


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
