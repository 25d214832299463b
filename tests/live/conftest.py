from __future__ import annotations

from pathlib import Path

import pytest

from harness.evidence import EvidenceFolder
from lab.live.lab import Apparatus
from scenarios.staging import Stage
from scenarios.worlds import Live


@pytest.fixture
def stage(apparatus: Apparatus) -> Stage:
    return Stage(means=Live(apparatus), argv=("stamplab", "test"), tell=print)


@pytest.fixture
def evidence(tmp_path: Path) -> EvidenceFolder:
    return EvidenceFolder.create(tmp_path, "live")
