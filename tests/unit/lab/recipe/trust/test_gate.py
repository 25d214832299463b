"""The gate before a world: what passes, what is said of it, and that it is said once."""

from __future__ import annotations

from pathlib import Path

import pytest

from stamplab.lab.errors import RecipeRefused
from stamplab.lab.model.history import Finding, Note, Observation
from stamplab.lab.recipe.trust import Grant, TrustGate
from stamplab.lab.world import Stack
from tests.unit.lab.judging import in_service, write

HOST_PATH = in_service("volumes: ['/etc:/x', '/var:/y']")
MOUNTED = in_service("volumes: ['${WHERE}:/x']")
ALL = frozenset(Grant)


def stack(folder: Path, compose: str) -> Stack:
    files = write(folder, compose=compose)
    return Stack(name="shop", directory=folder, compose_files=files, environment={})


class RecordedGate:
    """A gate and what it puts into the history."""

    def __init__(self, trust: frozenset[Grant]) -> None:
        self.recorded: list[Observation] = []
        self.gate = TrustGate(trust, self.recorded.append)

    @property
    def notes(self) -> list[str]:
        return [entry.text for entry in self.recorded if isinstance(entry, Note)]


def test_an_ordinary_recipe_passes_and_nothing_is_said(tmp_path: Path) -> None:
    recorded_gate = RecordedGate(ALL)
    recorded_gate.gate.admit(stack(tmp_path, in_service("volumes: ['data:/x']")), {})
    assert recorded_gate.recorded == []


def test_a_refusal_is_raised_and_stands_in_the_history(tmp_path: Path) -> None:
    recorded_gate = RecordedGate(frozenset())
    with pytest.raises(RecipeRefused) as refusal:
        recorded_gate.gate.admit(stack(tmp_path, HOST_PATH), {})
    assert "--trust host-paths would allow that" in str(refusal.value)
    (finding,) = recorded_gate.recorded
    assert finding == Finding(step="require_trusted", passed=False, text=str(refusal.value))


def test_a_refusal_is_said_each_time(tmp_path: Path) -> None:
    recorded_gate = RecordedGate(frozenset())
    for _ in range(2):
        with pytest.raises(RecipeRefused):
            recorded_gate.gate.admit(stack(tmp_path, HOST_PATH), {})
    assert len(recorded_gate.recorded) == 2


def test_what_is_trusted_is_said_once_demand_by_demand(tmp_path: Path) -> None:
    recorded_gate = RecordedGate(frozenset({Grant.HOST_PATHS}))
    for _ in range(3):
        recorded_gate.gate.admit(stack(tmp_path, HOST_PATH), {})
    assert len(recorded_gate.notes) == len(recorded_gate.recorded) == 2
    assert all(
        line.startswith("trusted (host-paths): compose.yml, ") for line in recorded_gate.notes
    )
    assert ["volumes[0]" in line for line in recorded_gate.notes] == [True, False]


def test_a_new_demand_is_said_when_it_comes(tmp_path: Path) -> None:
    recorded_gate = RecordedGate(ALL)
    mounting = stack(tmp_path, MOUNTED)
    recorded_gate.gate.admit(mounting, {"WHERE": "/etc"})
    recorded_gate.gate.admit(mounting, {"WHERE": "/etc"})
    recorded_gate.gate.admit(mounting, {"WHERE": "/var"})
    assert ["/etc" in line for line in recorded_gate.notes] == [True, False]


def test_another_grant_than_the_one_that_is_needed_does_not_help(tmp_path: Path) -> None:
    recorded_gate = RecordedGate(ALL - {Grant.HOST_PATHS})
    with pytest.raises(RecipeRefused):
        recorded_gate.gate.admit(stack(tmp_path, HOST_PATH), {})
    assert recorded_gate.notes == []


def test_it_judges_with_the_environment_that_the_stack_is_read_with(tmp_path: Path) -> None:
    recorded_gate = RecordedGate(frozenset())
    recorded_gate.gate.admit(stack(tmp_path, MOUNTED), {"WHERE": "data"})
    with pytest.raises(RecipeRefused):
        recorded_gate.gate.admit(stack(tmp_path, MOUNTED), {"WHERE": "/etc"})
