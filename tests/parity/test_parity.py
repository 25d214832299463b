"""Every scenario that declares a shape has it in both worlds: one test, two means.

The live plays of `stamplab repro` are held to their shapes by tests/cli/test_repro.py as well, in
the quick suite.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from stamplab.harness.verdict import Verdict
from stamplab.lab.live.lab import Apparatus
from stamplab.parity.table import ParityCell, play_cells, scenarios_with_shape
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.staging import Stage
from stamplab.runner.worlds import Live, Means, Virtual
from stamplab.scenarios.discourse.plays import Settings

SCENARIOS = scenarios_with_shape(Settings(fast=True))


def played(name: str, means: Means, folder: Path) -> ParityCell:
    """One cell of the parity table."""
    stage = Stage(means=means, argv=("stamplab", "test"), on_progress=print)
    evidence = EvidenceFolder.create(folder, "parity")
    (cell,) = play_cells([SCENARIOS[name]], [stage], evidence, lambda _: None)
    return cell


@pytest.mark.parametrize("name", SCENARIOS)
def test_in_virtual_time(name: str, virtual: Virtual, tmp_path: Path) -> None:
    cell = played(name, virtual, tmp_path)
    assert (cell.verdict, cell.differences) == (Verdict.PASS, ())


@pytest.mark.live
@pytest.mark.deep
@pytest.mark.parametrize("name", SCENARIOS)
def test_on_a_real_engine(name: str, apparatus: Apparatus, tmp_path: Path) -> None:
    cell = played(name, Live(apparatus), tmp_path)
    assert (cell.verdict, cell.differences) == (Verdict.PASS, ())


def test_the_slower_plays_declare_the_same() -> None:
    slow = scenarios_with_shape(Settings())
    assert {name: cell.shape for name, cell in slow.items()} == {
        name: cell.shape for name, cell in SCENARIOS.items()
    }
