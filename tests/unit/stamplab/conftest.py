from __future__ import annotations

import pytest

from stamplab.lab.faults.memory_pressure import Ample
from stamplab.runner.play_record import PlayRecord
from stamplab.runner.worlds import Virtual
from stamplab.scenarios.discourse import plays
from tests.unit.harness.conftest import repositories
from tests.unit.stamplab.playing import play_virtual

__all__ = ["repositories"]
SETTINGS = plays.Settings()


@pytest.fixture(scope="session")
def played(virtual: Virtual, tmp_path_factory: pytest.TempPathFactory) -> dict[str, PlayRecord]:
    """The four plays of the incident."""
    of = {"a": plays.ample, "b": plays.misattributed, "c": plays.honest, "d": plays.fixed}
    return {
        which: play_virtual(scenario(SETTINGS), virtual, tmp_path_factory.mktemp(which))
        for which, scenario in of.items()
    }


@pytest.fixture(scope="session")
def unpressed(virtual: Virtual, tmp_path_factory: pytest.TempPathFactory) -> dict[str, PlayRecord]:
    """The same plays without any pressure: a control in which nothing is reproduced."""
    settings = plays.Settings(pressure=Ample())
    return {
        which: play_virtual(scenario(settings), virtual, tmp_path_factory.mktemp(which))
        for which, scenario in {"b": plays.misattributed, "c": plays.honest}.items()
    }
