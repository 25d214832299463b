"""Scenarios played on the fake world, and plays whose evidence was tampered with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from stamplab.harness.ci.results import Results, StageEnd, StageResult
from stamplab.lab.model.history import History, Observation, Record
from stamplab.runner.play import play, prepare_setup, tree_of
from stamplab.runner.play_record import PlayRecord
from stamplab.scenarios.scenario import Scenario
from tests.unit.harness.fake_world import FakeWorld, as_memory_allows


def play_fake(scenario: Scenario, folder: Path, world: FakeWorld | None = None) -> PlayRecord:
    """Play a scenario in virtual seconds; an upgrade comes to what memory allows."""
    stage = FakeWorld(as_memory_allows) if world is None else world
    setup = prepare_setup(scenario, folder)
    results = play(scenario, stage, setup, tree_of(scenario, stage, setup, folder))
    return PlayRecord(scenario, setup.app, results, stage.history, folder)


Change = Callable[[Observation], Observation | None]


def tampered(parts: PlayRecord, change: Change) -> PlayRecord:
    """The same play with records changed, or (None) taken away."""
    history: list[Record] = []
    for record in parts.history:
        what = change(record.what)
        if what is not None:
            history.append(msgspec.structs.replace(record, what=what))
    return with_parts(parts, history=history)


def with_parts(
    parts: PlayRecord, *, history: History | None = None, results: Results | None = None
) -> PlayRecord:
    """The same play with another history or other results."""
    return PlayRecord(
        parts.scenario,
        parts.app,
        parts.results if results is None else results,
        parts.history if history is None else history,
        parts.folder,
    )


def with_upgrade(parts: PlayRecord, end: StageEnd, reason: str = "") -> PlayRecord:
    """The same play whose upgrade stage ended otherwise."""
    upgrade = StageResult(stage="upgrade", end=end, reason=reason)
    stages = (*(s for s in parts.results.stages if s.stage != "upgrade"), upgrade)
    return with_parts(parts, results=msgspec.structs.replace(parts.results, stages=stages))


def without(*kinds: type[Observation]) -> Change:
    """Take all observations of some kinds away."""
    return lambda what: None if isinstance(what, kinds) else what
