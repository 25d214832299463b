"""``kill -9`` at any moment: what is left is reaped, all of it, and nothing of anybody else's."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from stamplab.cli.doctor import remove_what_is_left
from stamplab.lab.live.lab import Apparatus, live_lab
from stamplab.lab.live.world import LiveWorld
from tests import PYTHON_PATH
from tests.live import traces
from tests.programs import python, wait_until

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("reaping_alone")]

ROOT = Path(__file__).parents[2]
STAMPLAB = [sys.executable, "-P", "-m", "stamplab"]
COMMAND = [*STAMPLAB, "repro", "discourse", "--fast", "--guard", "off", "--claim", "C5", "--quiet"]
"""The shortest run that has it all: repositories, a lab, an install, an OOM kill, a rollback."""
STAMPING = [*STAMPLAB, "run", "stamp_mirror"]
"""What needs no daemon leaves something too: scratch ABRA_DIRs, a socket, commands that run."""
AT_ONCE = 3
SLOWER_AT_ONCE = 1.3
"""Runs wait more than they work, so three at once take hardly longer than one."""
SEED = 20260601


class Runs:
    """Runs of the command, each in a folder of its own, with their temporary files in one."""

    def __init__(self, folder: Path) -> None:
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self._folder = folder
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, command: Sequence[str] = COMMAND) -> subprocess.Popen[bytes]:
        folder = self._folder / name
        folder.mkdir()
        with (folder / "stderr").open("wb") as stderr:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=self.environment,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )
        self._started.append(process)
        return process

    def end(self) -> None:
        """End what a test has left running: one that ran out of time has."""
        for process in self._started:
            if process.poll() is None:
                process.terminate()
                process.wait(120)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": PYTHON_PATH, "TMPDIR": str(self.temporary)}


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    started = Runs(tmp_path)
    yield started
    started.end()


@pytest.fixture
def neighbour(apparatus: Apparatus, tmp_path: Path) -> Iterator[LiveWorld]:
    """A live lab of ours, which nobody may touch."""
    (tmp_path / "neighbour").mkdir()
    with live_lab(apparatus, tmp_path / "neighbour", "app", 8080) as world:
        yield world


@pytest.mark.timeout(1800)  # with --deep it takes some 3 s a kill
def test_a_killed_command_leaves_nothing_that_is_not_reaped(
    neighbour: LiveWorld,
    runs: Runs,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kills = 200 if request.config.getoption("--deep") else 15
    before = traces.everything()
    swarm = neighbour.daemon.api.info()["Swarm"]["Cluster"]["ID"]
    lease = neighbour.daemon.folder.read_lease()
    began_s = time.monotonic()
    assert runs.start("whole").wait(120) == 0
    moments_s = (time.monotonic() - began_s) * SLOWER_AT_ONCE
    draw = random.Random(SEED)  # noqa: S311 - moments, no secrets
    survived = 0
    for first in range(0, kills, AT_ONCE):
        moments = [draw.uniform(0, moments_s) for _ in range(first, min(first + AT_ONCE, kills))]
        survived += kill_at(runs, first, moments)
        reaped = remove_what_is_left()
        assert traces.left_since(before) == {}, f"after kills at {moments} s: {reaped}"
        assert list(runs.temporary.iterdir()) == []
        assert neighbour.daemon.folder.read_lease() == lease
        assert neighbour.daemon.api.info()["Swarm"]["Cluster"]["ID"] == swarm
    with capsys.disabled():
        print(f"\n{kills} kills at random moments (seed {SEED}), {survived} runs ended before")
    assert survived < kills / 2
    assert runs.start("next").wait(120) == 0


def test_a_killed_stamping_leaves_nothing_that_is_not_reaped(runs: Runs) -> None:
    before = traces.everything()
    began_s = time.monotonic()
    assert runs.start("whole", STAMPING).wait(60) == 0
    whole_s = time.monotonic() - began_s
    for part in range(1, 6):
        process = runs.start(f"run-{part}", STAMPING)
        time.sleep(whole_s * part / 6)
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        reaped = remove_what_is_left()
        assert traces.left_since(before) == {}, f"after a kill at {part}/6: {reaped}"
        assert list(runs.temporary.iterdir()) == []


def kill_at(runs: Runs, first: int, moments_s: list[float]) -> int:
    """Start some runs at once and kill each at its moment; return how many had ended before."""
    began_s = time.monotonic()
    started = [(runs.start(f"run-{first + n}"), at_s) for n, at_s in enumerate(moments_s)]
    survived = 0
    for process, at_s in sorted(started, key=lambda item: item[1]):
        time.sleep(max(0.0, began_s + at_s - time.monotonic()))
        survived += process.poll() is not None
        process.send_signal(signal.SIGKILL)
        process.wait(20)
    return survived


def test_a_killed_run_says_unknown_and_its_evidence_is_whole(runs: Runs, tmp_path: Path) -> None:
    process = runs.start("run")
    latest = tmp_path / "run" / "runs" / "repro-discourse" / "latest"
    history = latest / "b-guard-off" / "history.jsonl"
    wait_until(lambda: history.exists() and b'"limit_set"' in history.read_bytes(), "the squeeze")
    process.send_signal(signal.SIGKILL)
    process.wait(20)
    done = python(*STAMPLAB[1:], "doctor", "--reap", folder=tmp_path, timeout_s=120)
    assert done.returncode == 0, done.stdout + done.stderr
    _, *lines, _ = history.read_bytes().split(b"\n")  # the schema; the last line may be torn
    assert [msgspec.json.decode(line)["seq"] for line in lines] == [*range(len(lines))]
    verdict = msgspec.json.decode((latest / "verdict.json").read_bytes())
    assert verdict["verdict"] == "unknown"
