"""The search, on plays whose broken region is known: what it finds, how small, and what it is not.

Nothing is played here: a schedule's trial is made up at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from stamplab.lab.errors import LabError
from stamplab.lab.faults.memory_pressure import Ample
from stamplab.lab.virtual.conditions import Conditions, EveryCommit, NodeOptions
from stamplab.search.explorable import REFERENCE
from stamplab.search.laws import Law
from stamplab.search.schedule import Schedule
from stamplab.search.search import QUICK, SLOW, BrokenLaw, Search, Stopped, outcome
from stamplab.search.strategies import schedules
from stamplab.search.trial import Trial
from tests.builders import BASE, HEAD, Story, seen, service
from tests.unit.stamplab.search.trials import (
    acted,
    but,
    converged,
    plain,
    rolled_back,
    trial,
    upgrading,
)

Asks = Callable[[Trial], str | None]


def law(check: Asks, name: str = "no-false-green") -> Law:
    return Law(name=name, says="something", check=check)


def if_(is_broken: Callable[[Schedule], bool]) -> Asks:
    return lambda made: "broken" if is_broken(made.schedule) else None


class Plays:
    """Plays schedules, and remembers them."""

    def __init__(self, made: Callable[[Schedule], Trial] | None = None) -> None:
        self.played: list[Schedule] = []
        self.outcomes_seen: list[str] = []
        self._made = made or (lambda schedule: trial(schedule=schedule))

    def play(self, schedule: Schedule) -> Trial:
        self.played.append(schedule)
        return self._made(schedule)

    def search(self, *asked: Law, robust: bool = False) -> Search:
        return Search(asked, self.play, self.outcomes_seen.append, robust=robust)


def found_by(search: Search, examples: int = 1000, seed: int = 0) -> BrokenLaw:
    broken_law = search.run(plain(), examples, seed)
    assert broken_law is not None
    return broken_law


# What it finds.


def test_it_finds_what_is_broken_and_shrinks_it_to_the_least_of_it() -> None:
    asked = law(
        if_(lambda schedule: schedule.memory.boot_s >= 3.7 and schedule.hc1_pause_s >= 12.3)
    )
    broken_law = found_by(Plays().search(asked))
    assert broken_law.schedule == but(
        REFERENCE,
        memory=but(REFERENCE.memory, boot_s=3.7),
        hc1_pause_s=12.3,
        conditions=Conditions(node=NodeOptions(prepare_s=0.0)),
    )
    assert (broken_law.law, broken_law.broken, broken_law.repeatable) == (
        "no-false-green",
        "broken",
        True,
    )


def test_of_all_that_a_real_search_draws_the_simplest_is_the_incidents_own() -> None:
    broken_law = Plays().search(law(lambda _: "broken")).run(schedules("stamp"), 50, 0)
    assert broken_law is not None
    smallest = broken_law.schedule
    assert (smallest.policy.order, smallest.policy.failure_action) == ("start-first", "rollback")
    assert (smallest.policy.delay_s, smallest.policy.parallelism) == (0, 1)
    assert (smallest.policy.max_failure_ratio, smallest.policy.replicas) == (0, 1)
    assert (smallest.memory.boot_s, smallest.memory.hold_s, smallest.memory.ready_s) == (0.1, 0, 0)
    assert (smallest.operations, smallest.fault, smallest.wrong_stamp) == ((), None, None)
    assert (smallest.pressure, smallest.conditions.visibility) == (Ample(), EveryCommit())


def test_where_nothing_is_broken_nothing_is_found_and_all_is_drawn() -> None:
    plays = Plays()
    search = plays.search(law(lambda _: None))
    assert search.run(plain(), 40, 0) is None
    assert len(plays.played) == len(plays.outcomes_seen) == 40


def test_a_seed_finds_the_same_again() -> None:
    asked = law(if_(lambda schedule: schedule.hc1_pause_s >= 50))
    first, second, other = (found_by(Plays().search(asked), seed=seed) for seed in (5, 5, 6))
    assert first == second
    assert other.schedule == first.schedule


def test_it_says_after_how_many_it_was_found_and_by_how_many_shrunk() -> None:
    plays = Plays()
    broken_law = found_by(plays.search(law(if_(lambda schedule: schedule.hc1_pause_s >= 50))))
    first = next(
        n for n, schedule in enumerate(plays.played, start=1) if schedule.hc1_pause_s >= 50
    )
    assert broken_law.after_examples == first
    assert broken_law.shrunk_by == len(plays.played) - first
    assert len(plays.outcomes_seen) == first


def test_it_says_what_the_law_says_of_the_smallest() -> None:
    asked = law(
        lambda made: f"at {made.schedule.hc1_pause_s}" if made.schedule.hc1_pause_s >= 5 else None
    )
    assert found_by(Plays().search(asked)).broken == "at 5.0"


def test_shrinking_keeps_to_the_law_that_was_broken() -> None:
    late = law(if_(lambda schedule: schedule.hc1_pause_s >= 40), "no-false-green")
    early = law(
        if_(lambda schedule: schedule.hc1_pause_s < 0.5 and schedule.memory.boot_s > 20), "fix"
    )
    for seed in range(6):
        broken_law = found_by(Plays().search(late, early), seed=seed)
        smallest = broken_law.schedule
        if broken_law.law == "no-false-green":
            assert (smallest.hc1_pause_s, smallest.memory.boot_s) == (40, 0.1)
        else:
            assert (smallest.hc1_pause_s, smallest.memory.boot_s) == (0, 20.1)


def test_of_two_laws_that_are_broken_at_once_the_first_is_named() -> None:
    asked = [law(lambda _: "broken", name) for name in ("true-reason", "no-false-red")]
    assert found_by(Plays().search(*asked)).law == "true-reason"


# What counts as a find where it must hold on any node.


def test_who_asks_for_what_holds_anywhere_is_not_given_what_one_node_breaks() -> None:
    lucky = law(if_(lambda schedule: schedule.conditions.node.prepare_s < 0.5))
    assert Plays().search(lucky, robust=True).run(plain(), 100, 0) is None
    assert found_by(Plays().search(lucky)).schedule.conditions.node.prepare_s == 0


@pytest.mark.parametrize("missing", [QUICK, SLOW])
def test_both_the_quick_and_the_slow_have_to_break_it(missing: Conditions) -> None:
    asked = law(if_(lambda schedule: schedule.conditions != missing))
    assert Plays().search(asked, robust=True).run(plain(), 50, 0) is None


def test_nor_is_what_only_the_other_nodes_break() -> None:
    asked = law(if_(lambda schedule: schedule.conditions in (QUICK, SLOW)))
    assert Plays().search(asked, robust=True).run(plain(), 50, 0) is None


def test_what_breaks_it_anywhere_is_found_and_shrunk() -> None:
    asked = law(if_(lambda schedule: schedule.hc1_pause_s >= 12.3))
    plays = Plays()
    broken_law = found_by(plays.search(asked, robust=True))
    assert broken_law.schedule.hc1_pause_s == 12.3
    tried = {schedule.conditions for schedule in plays.played if schedule.hc1_pause_s == 12.3}
    assert {QUICK, SLOW} < tried
    assert broken_law.schedule.conditions not in (QUICK, SLOW)


# What does not come again.


def test_what_does_not_break_it_again_is_told_apart() -> None:
    broken: list[Schedule] = []

    def once(made: Trial) -> str | None:
        if made.schedule.hc1_pause_s < 5 or broken:
            return None
        broken.append(made.schedule)
        return "broken"

    broken_law = found_by(Plays().search(law(once)))
    assert not broken_law.repeatable
    assert broken_law.schedule == broken[0]


# What is known.


def test_of_what_is_known_the_first_that_breaks_a_law_is_found() -> None:
    row = [but(REFERENCE, hc1_pause_s=float(pause_s)) for pause_s in (1, 7, 8)]
    plays = Plays()
    broken_law = plays.search(law(if_(lambda schedule: schedule.hc1_pause_s >= 5))).known(row)
    assert broken_law == BrokenLaw(
        law="no-false-green", broken="broken", schedule=row[1], after_examples=0
    )
    assert plays.played == row[:2]
    assert plays.outcomes_seen == []


@pytest.mark.parametrize("row", [[], [REFERENCE]])
def test_what_is_known_may_hold_by_now(row: Sequence[Schedule]) -> None:
    assert Plays().search(law(lambda _: None)).known(row) is None


def test_what_is_known_has_to_break_it_on_any_node_too() -> None:
    lucky = law(if_(lambda schedule: schedule.conditions == REFERENCE.conditions))
    assert Plays().search(lucky, robust=True).known([REFERENCE]) is None


# What is not a find.


class Failing(Plays):
    """The apparatus fails at one of the plays, and at it alone."""

    def __init__(self, at: int, error: BaseException) -> None:
        super().__init__()
        self._at = at
        self._error = error

    def play(self, schedule: Schedule) -> Trial:
        made = super().play(schedule)
        if len(self.played) == self._at:
            raise self._error
        return made


@pytest.mark.parametrize("at", [1, 7])
@pytest.mark.parametrize("error", [LabError("swarmsim ended"), RuntimeError("a bug of ours")])
def test_an_apparatus_that_fails_ends_the_search_at_once(at: int, error: Exception) -> None:
    """It neither holds what it has not seen, nor looks for the smallest schedule to fail at."""
    plays = Failing(at, error)
    with pytest.raises(type(error), match=str(error)):
        plays.search(law(lambda _: None)).run(plain(), 50, 0)
    assert len(plays.played) == at


def test_an_apparatus_that_fails_while_a_find_is_shrunk_is_told_as_well() -> None:
    plays = Failing(3, LabError("swarmsim ended"))
    with pytest.raises(LabError, match="swarmsim ended"):
        plays.search(law(lambda _: "broken")).run(plain(), 500, 0)


def test_a_law_that_itself_fails_is_a_bug_and_no_find() -> None:
    def fails(made: Trial) -> str | None:
        raise ZeroDivisionError(made.schedule.id)

    with pytest.raises(ZeroDivisionError):
        Plays().search(law(fails)).run(plain(), 50, 0)


@pytest.mark.parametrize("error", [Stopped(), KeyboardInterrupt()])
def test_who_is_stopped_stops(error: BaseException) -> None:
    plays = Failing(5, error)
    with pytest.raises(type(error)):
        plays.search(law(lambda _: None)).run(plain(), 50, 0)
    assert len(plays.played) == 5


# What became of it.


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (trial(), "converged"),
        (trial(rolled_back(), "fail"), "rolled back"),
        (trial(upgrading(), "skipped"), "not installed"),
        (trial(converged().at(15, acted()), "fail"), "superseded"),
        (trial(rolled_back().at(15, acted()), "fail"), "superseded"),
        (trial(upgrading().at(15, seen(service(HEAD, BASE, "paused"))), "fail"), "paused"),
        (trial(upgrading(), "fail"), "broken otherwise"),
        (trial(Story(), "fail"), "broken otherwise"),
    ],
)
def test_what_became_of_an_upgrade_is_a_word_or_two(made: Trial, text: str) -> None:
    assert outcome(made) == text


def test_outcomes_are_told_and_counted_as_they_are() -> None:
    plays = Plays(
        lambda schedule: (
            trial(schedule=schedule)
            if schedule.hc1_pause_s < 30
            else trial(rolled_back(), "fail", schedule=schedule)
        )
    )
    search = plays.search(law(lambda _: None))
    search.run(plain(), 60, 0)
    assert set(plays.outcomes_seen) == {"converged", "rolled back"}
    assert len(plays.outcomes_seen) == 60
