"""Labs beside each other, and beside other work: no shared names, ports or files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from stamplab.lab.live.lab import Apparatus
from tests.cli.reproduction import assert_ten_of_ten, run, start
from tests.live import traces

pytestmark = pytest.mark.live

THE_INCIDENT_AND_ITS_FIX = ("--claim=C4", "--claim=C7")


def test_two_runs_at_once_both_pass(
    apparatus: Apparatus, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """In one folder, so that they share the runs folder too; with --deep, every claim of theirs."""
    before = traces.everything()
    asked = () if request.config.getoption("--deep") else THE_INCIDENT_AND_ITS_FIX
    processes = [start(tmp_path, *asked) for _ in range(2)]
    for process in processes:
        stdout, stderr = process.communicate(timeout=280)
        assert process.returncode == 0, stdout + stderr
    assert traces.left_since(before) == {}
    runs = [path for path in (tmp_path / "runs" / "repro-discourse").iterdir() if path.is_dir()]
    assert len({path.resolve() for path in runs}) == 2


@pytest.mark.deep
@pytest.mark.timeout(1800)
def test_ten_of_ten_beside_work_that_takes_both_cores(
    apparatus: Apparatus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trials = ["--trials=10", "--quiet", "--claim=C3", "--claim=C4", "--claim=C7"]
    with busy(os.cpu_count() or 1):
        done = run(*trials, folder=tmp_path, timeout_s=1700)
    with capsys.disabled():
        print("\nbusy:")
        assert_ten_of_ten(done)


@contextmanager
def busy(cores: int) -> Iterator[None]:
    """Keep this many cores at work."""
    with ExitStack() as stack:
        for _ in range(cores):
            worker = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            stack.callback(worker.wait, 20)
            stack.callback(worker.kill)
        yield
