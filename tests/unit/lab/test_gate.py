"""The gate before a world: what passes, what is said of it, and that it is said once."""

from __future__ import annotations

from pathlib import Path

import pytest

from stamplab.lab.errors import RecipeRefused
from stamplab.lab.model.history import Finding, Note, Observation
from stamplab.lab.recipe.trust import Gate, Grant
from stamplab.lab.world import Stack
from tests.unit.lab.judging import in_service, write

HOST_PATH = in_service("volumes: ['/etc:/x', '/var:/y']")
MOUNTED = in_service("volumes: ['${WHERE}:/x']")
ALL = frozenset(Grant)


def stack(folder: Path, compose: str) -> Stack:
    files = write(folder, compose=compose)
    return Stack(name="shop", directory=folder, compose_files=files, environment={})


class Listening:
    """A gate and what it puts into the history."""

    def __init__(self, trust: frozenset[Grant]) -> None:
        self.recorded: list[Observation] = []
        self.gate = Gate(trust, self.recorded.append)

    @property
    def said(self) -> list[str]:
        return [one.text for one in self.recorded if isinstance(one, Note)]


def test_an_ordinary_recipe_passes_and_nothing_is_said(tmp_path: Path) -> None:
    listening = Listening(ALL)
    listening.gate.admit(stack(tmp_path, in_service("volumes: ['data:/x']")), {})
    assert listening.recorded == []


def test_a_refusal_is_raised_and_stands_in_the_history(tmp_path: Path) -> None:
    listening = Listening(frozenset())
    with pytest.raises(RecipeRefused) as refusal:
        listening.gate.admit(stack(tmp_path, HOST_PATH), {})
    assert "--trust host-paths would allow that" in str(refusal.value)
    (found,) = listening.recorded
    assert found == Finding(step="require_trusted", passed=False, text=str(refusal.value))


def test_a_refusal_is_said_each_time(tmp_path: Path) -> None:
    listening = Listening(frozenset())
    for _ in range(2):
        with pytest.raises(RecipeRefused):
            listening.gate.admit(stack(tmp_path, HOST_PATH), {})
    assert len(listening.recorded) == 2


def test_what_is_trusted_is_said_once_demand_by_demand(tmp_path: Path) -> None:
    listening = Listening(frozenset({Grant.HOST_PATHS}))
    for _ in range(3):
        listening.gate.admit(stack(tmp_path, HOST_PATH), {})
    assert len(listening.said) == len(listening.recorded) == 2
    assert all(line.startswith("trusted (host-paths): compose.yml, ") for line in listening.said)
    assert ["volumes[0]" in line for line in listening.said] == [True, False]


def test_a_new_demand_is_said_when_it_comes(tmp_path: Path) -> None:
    listening = Listening(ALL)
    asked = stack(tmp_path, MOUNTED)
    listening.gate.admit(asked, {"WHERE": "/etc"})
    listening.gate.admit(asked, {"WHERE": "/etc"})
    listening.gate.admit(asked, {"WHERE": "/var"})
    assert ["/etc" in line for line in listening.said] == [True, False]


def test_another_grant_than_the_one_that_is_needed_does_not_help(tmp_path: Path) -> None:
    listening = Listening(ALL - {Grant.HOST_PATHS})
    with pytest.raises(RecipeRefused):
        listening.gate.admit(stack(tmp_path, HOST_PATH), {})
    assert listening.said == []


def test_it_judges_with_the_environment_that_the_stack_is_read_with(tmp_path: Path) -> None:
    listening = Listening(frozenset())
    listening.gate.admit(stack(tmp_path, MOUNTED), {"WHERE": "data"})
    with pytest.raises(RecipeRefused):
        listening.gate.admit(stack(tmp_path, MOUNTED), {"WHERE": "/etc"})
