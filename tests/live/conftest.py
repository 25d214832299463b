from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest

from stamplab.lab.live.lab import Apparatus
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.staging import Stage
from stamplab.runner.worlds import Live


@pytest.fixture
def stage(apparatus: Apparatus) -> Stage:
    return Stage(means=Live(apparatus), argv=("stamplab", "test"), on_progress=print)


@pytest.fixture
def evidence(tmp_path: Path) -> EvidenceFolder:
    return EvidenceFolder.create(tmp_path, "live")


@pytest.fixture(scope="module")
def reaping_alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whoever reaps takes every lab without an owner: that of another test's ``kill -9`` as well.

    Files of tests run side by side.
    """
    shared = tmp_path_factory.getbasetemp().parent
    with (shared / "reaping.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
