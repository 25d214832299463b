"""Scenarios played in virtual time, and plays whose evidence was tampered with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from stamplab.harness.ci.results import Results, StageResult
from stamplab.lab.live.engine import DockerEngine
from stamplab.lab.live.lab import Apparatus
from stamplab.lab.model.history import History, Observation, Record, StageEnd
from stamplab.lab.recipe.trust import Grant
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.play_record import PlayRecord
from stamplab.runner.staging import Stage, play_staged
from stamplab.runner.worlds import Virtual
from stamplab.scenarios.scenario import Scenario

APPARATUS = Apparatus(
    engine=DockerEngine(tools={}, environment={}, version="20.10.24", source="a test"),
    rootfs=b"",
    image="stampload:1",
    cgroup_version=1,
)
"""An engine that nobody starts."""


def play_virtual(
    scenario: Scenario, means: Virtual, folder: Path, trust: frozenset[Grant] = frozenset()
) -> PlayRecord:
    """Play a scenario on the real SwarmKit; its evidence goes into a folder within ``folder``."""
    stage = Stage(means=means, argv=("stamplab", "test"), on_progress=lambda _: None, trust=trust)
    return play_staged(scenario, stage, EvidenceFolder.create(folder, scenario.name))


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
