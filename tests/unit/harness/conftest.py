from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from stamplab.lab.virtual.swarmsim import SwarmSim
from stamplab.runner.worlds import Virtual
from tests.unit.harness.ci_runs import CIRuns, Repositories, build_repositories


@pytest.fixture(scope="session")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> Repositories:
    return build_repositories(tmp_path_factory.mktemp("recipe"))


@pytest.fixture(scope="session")
def sim(virtual: Virtual) -> Iterator[SwarmSim]:
    with closing(SwarmSim(virtual.swarmsim)) as running:
        yield running


@pytest.fixture
def ci(repositories: Repositories, virtual: Virtual, sim: SwarmSim, tmp_path: Path) -> CIRuns:
    return CIRuns(repositories, virtual, sim, tmp_path)
