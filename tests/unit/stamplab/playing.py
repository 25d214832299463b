"""Scenarios played on the fake world, and plays whose evidence was tampered with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from stamplab.harness.ci.results import Results, StageResult
from stamplab.lab.model.history import History, Observation, Record, StageEnd
from stamplab.runner.play import play, prepare_setup, tree_of
from stamplab.runner.play_record import PlayRecord
from stamplab.scenarios.scenario import Scenario
from tests.unit.harness.fake_world import FakeWorld, as_memory_allows


def play_fake(scenario: Scenario, folder: Path, world: FakeWorld | None = None) -> PlayRecord:
    """Play a scenario in virtual seconds; an upgrade comes to what memory allows."""
    stage = FakeWorld(as_memory_allows) if world is None else world
    setup = prepare_setup(scenario, folder)
    results = play(scenario, stage, setup, tree_of(scenario, stage, setup, folder))
    return PlayRecord(setup.app, results, stage.history, folder, scenario.shape)


Change = Callable[[Observation], Observation | None]


def tampered(play: PlayRecord, change: Change) -> PlayRecord:
    """The same play with records changed, or (None) taken away."""
    history: list[Record] = []
    for record in play.history:
        what = change(record.what)
        if what is not None:
            history.append(msgspec.structs.replace(record, what=what))
    return with_parts(play, history=history)


def with_parts(
    play: PlayRecord, *, history: History | None = None, results: Results | None = None
) -> PlayRecord:
    """The same play with another history or other results."""
    return PlayRecord(
        play.app,
        play.results if results is None else results,
        play.history if history is None else history,
        play.folder,
        play.declared_shape,
    )


def with_upgrade(
    play: PlayRecord, end: StageEnd, reason: str = "", failed_step: str = ""
) -> PlayRecord:
    """The same play whose upgrade stage ended otherwise."""
    upgrade = StageResult(stage="upgrade", end=end, reason=reason, failed_step=failed_step)
    stages = (*(s for s in play.results.stages if s.stage != "upgrade"), upgrade)
    return with_parts(play, results=msgspec.structs.replace(play.results, stages=stages))


def without(*kinds: type[Observation]) -> Change:
    """Take all observations of some kinds away."""
    return lambda what: None if isinstance(what, kinds) else what
