"""The parity table: each scenario's history, in each world and on each engine, beside its shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from stamplab.claims.plan import Choice, plan_of_choice
from stamplab.harness.verdict import Verdict, merge
from stamplab.lab.errors import LabError
from stamplab.parity.differences import DIFFERENCES
from stamplab.parity.shape_reader import compared
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.staging import Stage, play_staged
from stamplab.scenarios.discourse import concurrent_operator
from stamplab.scenarios.discourse.plays import Settings
from stamplab.scenarios.scenario import Scenario


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario in one world."""

    scenario: str
    world: str
    engine: str
    verdict: Verdict
    differences: tuple[str, ...] = ()
    """In what the history differs from the scenario's shape."""
    cause: str = ""
    """Why it does, where that is known."""
    evidence: str = ""


class Parity(msgspec.Struct, frozen=True, kw_only=True):
    """The whole table; verdict.json holds it."""

    verdict: Verdict
    cells: tuple[Cell, ...]
    not_played: tuple[str, ...] = ()
    """Worlds that this machine has not, and why."""


def declared(settings: Settings) -> Mapping[str, Scenario]:
    """Every scenario that declares a shape, by its name."""
    plays = [entry.scenario for entry in plan_of_choice(Choice(settings=settings))]
    scenarios = [*plays, *concurrent_operator.scenarios(settings)]
    return {scenario.name: scenario for scenario in scenarios if scenario.shape is not None}


def compare(
    scenarios: Sequence[Scenario],
    stages: Sequence[Stage],
    folder: EvidenceFolder,
    on_cell: Callable[[Cell], None],
) -> tuple[Cell, ...]:
    """Play every scenario on every stage."""
    cells = []
    for scenario in scenarios:
        for stage in stages:
            cell = _cell(scenario, stage, folder)
            on_cell(cell)
            cells.append(cell)
    return tuple(cells)


def _cell(scenario: Scenario, stage: Stage, folder: EvidenceFolder) -> Cell:
    engine = stage.means.engine
    part = folder.part(f"{scenario.name}-{engine.world}-{engine.version}".replace(" ", "-"))
    watch_s = concurrent_operator.WATCH_S if scenario.acts else 0.0
    verdict, differences = _compared(scenario, stage, part, watch_s)
    cause = DIFFERENCES.get((scenario.name, engine.world), "") if differences else ""
    return Cell(
        scenario=scenario.name,
        world=engine.world,
        engine=engine.version,
        verdict=Verdict.PASS if cause else verdict,
        differences=differences,
        cause=cause,
        evidence=str(part.path),
    )


def _compared(
    scenario: Scenario, stage: Stage, part: EvidenceFolder, watch_s: float
) -> tuple[Verdict, tuple[str, ...]]:
    """Play it; what cannot be played or read is unknown."""
    try:
        comparison = compared(play_staged(scenario, stage, part, watch_s=watch_s))
    except LabError as error:
        return Verdict.UNKNOWN, (f"not played: {error}",)
    if comparison.observed is None:
        return Verdict.UNKNOWN, comparison.differences
    return Verdict.of(not comparison.differences), comparison.differences


def parity_of(cells: tuple[Cell, ...], not_played: tuple[str, ...]) -> Parity:
    """Return the table's verdict: every cell as declared, or its difference's cause known."""
    return Parity(verdict=merge(cell.verdict for cell in cells), cells=cells, not_played=not_played)
