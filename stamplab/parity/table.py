"""The parity table: each scenario's history, in each world and on each engine, beside its shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from stamplab.claims.plan import Choice, plan_of_choice
from stamplab.harness.verdict import Verdict, merge
from stamplab.lab.errors import LabError
from stamplab.parity.differences import DIFFERENCES
from stamplab.parity.shape_reader import compare_shapes
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.staging import Stage, play_staged
from stamplab.scenarios.discourse import concurrent_operator
from stamplab.scenarios.discourse.plays import Settings
from stamplab.scenarios.scenario import Scenario


class ParityCell(msgspec.Struct, frozen=True, kw_only=True):
    """Result of one scenario in one world."""

    scenario: str
    world: str
    engine: str
    verdict: Verdict
    differences: tuple[str, ...] = ()
    """Clauses: in which fields the history's shape differs from the declared one."""
    cause: str = ""
    """Why they differ, where that is known."""
    evidence: str = ""


class ParityTable(msgspec.Struct, frozen=True, kw_only=True):
    """All cells, and their verdict; verdict.json holds them."""

    verdict: Verdict
    cells: tuple[ParityCell, ...]
    not_played: tuple[str, ...] = ()
    """Worlds that this machine cannot run, and why."""


def scenarios_with_shape(settings: Settings) -> Mapping[str, Scenario]:
    """Return every scenario that declares a shape, by its name."""
    plays = [entry.scenario for entry in plan_of_choice(Choice(settings=settings))]
    scenarios = [*plays, *concurrent_operator.scenarios(settings)]
    return {scenario.name: scenario for scenario in scenarios if scenario.shape is not None}


def play_cells(
    scenarios: Sequence[Scenario],
    stages: Sequence[Stage],
    folder: EvidenceFolder,
    on_cell: Callable[[ParityCell], None],
) -> tuple[ParityCell, ...]:
    """Play every scenario on every stage; ``on_cell`` gets each result as soon as it is there."""
    cells = []
    for scenario in scenarios:
        for stage in stages:
            cell = _cell(scenario, stage, folder)
            on_cell(cell)
            cells.append(cell)
    return tuple(cells)


def _cell(scenario: Scenario, stage: Stage, folder: EvidenceFolder) -> ParityCell:
    engine = stage.means.engine
    part = folder.part(f"{scenario.name}-{engine.world}-{engine.version}".replace(" ", "-"))
    watch_s = concurrent_operator.WATCH_S if scenario.acts else 0.0
    verdict, differences = _play_and_compare(scenario, stage, part, watch_s)
    cause = DIFFERENCES.get((scenario.name, engine.world), "") if differences else ""
    return ParityCell(
        scenario=scenario.name,
        world=engine.world,
        engine=engine.version,
        verdict=Verdict.PASS if cause else verdict,
        differences=differences,
        cause=cause,
        evidence=str(part.path),
    )


def _play_and_compare(
    scenario: Scenario, stage: Stage, part: EvidenceFolder, watch_s: float
) -> tuple[Verdict, tuple[str, ...]]:
    """Play a scenario and compare its shape; what cannot be played or read is unknown."""
    try:
        comparison = compare_shapes(play_staged(scenario, stage, part, watch_s=watch_s))
    except LabError as error:
        return Verdict.UNKNOWN, (f"not played: {error}",)
    if comparison.observed is None:
        return Verdict.UNKNOWN, comparison.differences
    return Verdict.of(not comparison.differences), comparison.differences


def parity_table(cells: tuple[ParityCell, ...], not_played: tuple[str, ...]) -> ParityTable:
    """Join cells to a table; it passes when each is as declared or differs for a known cause."""
    verdict = merge(cell.verdict for cell in cells)
    return ParityTable(verdict=verdict, cells=cells, not_played=not_played)
