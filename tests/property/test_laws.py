"""The laws of an upgrade's verdict, searched over its timing on the real SwarmKit in virtual time.

The same strategies serve the guard, which must survive them, and the pre-fix harness, of which both
faces must be found from scratch.
"""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from stamplab.cli.explore import shares
from stamplab.lab.model.history import OomKill
from stamplab.runner.worlds import Virtual
from stamplab.search.explorable import EXPLORABLE, SchedulePlayer
from stamplab.search.laws import LAWS
from stamplab.search.parallel import SearchRequest, search
from stamplab.search.schedule import Schedule, read_kept
from stamplab.search.strategies import schedules
from stamplab.search.trial import Trial
from tests.property.drawing import drawn_by

pytestmark = pytest.mark.timeout(3000)
QUICK, DEEP = 500, 20_000
AT_LEAST = 0.2
"""The share of schedules that converge, and of those that are rolled back."""


@pytest.fixture(scope="module")
def trials(player: SchedulePlayer, pytestconfig: pytest.Config) -> list[tuple[Schedule, Trial]]:
    """Schedules as they are drawn, each played once with the guard."""
    count = 5000 if pytestconfig.getoption("--deep") else 60
    drawn = drawn_by(schedules(player.stamp_label), count)
    return [(schedule, player.play(schedule, guard=True)) for schedule in drawn]


def quiet(outcomes: Counter[str], took_s: float) -> None:
    """Nobody looks on."""
    del outcomes, took_s


def test_the_guard_survives(virtual: Virtual, pytestconfig: pytest.Config) -> None:
    del virtual  # each job finds it by itself
    deep = pytestconfig.getoption("--deep")
    request = SearchRequest(
        scenario="discourse",
        laws=tuple(LAWS),
        guard=True,
        examples=DEEP if deep else QUICK,
        jobs=2,
        seed=0,
    )
    result = search(request, quiet)
    assert not result.broken, "".join(
        f"\n{schedule.law}: {schedule.broken}\n{msgspec.json.encode(schedule.schedule).decode()}"
        for schedule in result.broken
    )
    print(f"\n{result.examples} schedules: {shares(result.outcomes)}")
    share = {name: count / result.examples for name, count in result.outcomes.items()}
    assert share["converged"] >= AT_LEAST
    assert share["rolled back"] >= AT_LEAST
    assert share["superseded"] > 0
    assert share["paused"] > 0


def test_both_faces_of_the_old_harness_are_found_from_scratch(virtual: Virtual) -> None:
    del virtual
    request = SearchRequest(
        scenario="discourse",
        laws=("true-reason", "no-false-green"),
        guard=False,
        examples=1000,
        from_scratch=True,
    )
    result = search(request, quiet)
    by_law = {broken_law.law: broken_law for broken_law in result.broken}
    assert set(by_law) == {"true-reason", "no-false-green"}
    assert all(broken_law.after_examples <= 1000 for broken_law in result.broken)
    assert "re-checkout failed" in by_law["true-reason"].broken
    assert "(HC1)" in by_law["true-reason"].broken
    assert "the upgrade passed" in by_law["no-false-green"].broken


def test_what_is_known_to_break_a_law_breaks_it_still(player: SchedulePlayer) -> None:
    explorable = EXPLORABLE["discourse"]
    known = [read_kept(path) for law in LAWS for path in explorable.known_for(law)]
    assert {kept.law for kept in known} >= {"no-false-green", "true-reason"}
    for kept in known:
        if not kept.guard:  # what was found of the guard is mended
            assert LAWS[kept.law].check(player.play(kept.schedule, guard=False)), kept.in_words
        held = [law.check(player.play(kept.schedule, guard=True)) for law in LAWS.values()]
        assert held == [None] * len(LAWS), kept.in_words


def test_a_seed_gives_the_identical_history_byte_for_byte(
    player: SchedulePlayer, trials: list[tuple[Schedule, Trial]]
) -> None:
    for schedule, guarded in trials:
        assert guarded.as_jsonl() == player.play(schedule, guard=True).as_jsonl(), schedule
        first, second = (player.play(schedule, guard=False) for _ in range(2))
        assert first.as_jsonl() == second.as_jsonl(), schedule


def test_races_end_in_several_ways_and_the_laws_hold_for_each(player: SchedulePlayer) -> None:
    """SwarmKit ranges over a map of slots, and its parts race: what a schedule comes to is a set.

    The seed chooses one member, so one schedule is played under several.
    """
    several = [s for s in drawn_by(schedules(player.stamp_label), 120) if _has_several(s)][:12]
    assert len(several) == 12
    histories = 0
    for schedule in several:
        broken_law = set()
        for seed in range(5):
            conditions = msgspec.structs.replace(schedule.conditions, seed=seed)
            seeded = msgspec.structs.replace(schedule, conditions=conditions)
            trial = player.play(seeded, guard=True)
            assert broken(trial) == [], seeded
            broken_law.add(_in_outline(trial))
        histories = max(histories, len(broken_law))
    assert histories > 1, "no race ended in two ways"


def _has_several(schedule: Schedule) -> bool:
    return (schedule.policy.replicas or 0) > 1


def _in_outline(trial: Trial) -> str:
    """A history without what a seed alone decides: ids."""
    truth = trial.truth
    outline: list[tuple[float, str | None, int]] = []
    for seen in truth.sightings:
        now = (seen.at_s, seen.update_state, len(truth.running_head(seen)))
        if not outline or outline[-1][1:] != now[1:]:
            outline.append(now)
    return repr(outline)


def broken(trial: Trial) -> list[str]:
    """All laws that a trial breaks, in words."""
    return [text for law in LAWS.values() if (text := law.check(trial)) is not None]


def test_pressure_is_what_the_strategies_are_about(trials: list[tuple[Schedule, Trial]]) -> None:
    """No `assume`, no filter on outcomes: but a good part of what is drawn kills somebody."""
    assert sum(has_oom(trial) for _, trial in trials) >= len(trials) / 10


def has_oom(trial: Trial) -> bool:
    return any(isinstance(record.what, OomKill) for record in trial.history)
