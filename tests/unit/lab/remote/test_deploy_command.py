"""A deploy command: its end, its exit code, and the end of all that it started."""

from __future__ import annotations

import os
import queue
import sys
import time
from pathlib import Path

import pytest

from stamplab.lab.remote import deploy_command
from stamplab.lab.remote.deploy_command import DeployCommand

Ends = queue.SimpleQueue[DeployCommand]


def run(*argv: str, timeout_s: float = 60.0, **more: bool) -> tuple[DeployCommand, Ends]:
    ends: Ends = queue.SimpleQueue()
    return DeployCommand(argv, os.environ, timeout_s, ends.put, **more), ends


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -KILL $$", 137), ("kill $$", 143)]
)
def test_its_exit_code_is_a_shells(script: str, code: int) -> None:
    command, ends = run("sh", "-c", script)
    assert ends.get(timeout=20) is command
    assert (command.exit_code, command.problem) == (code, "")
    assert command.took_s >= 0
    assert ends.empty()


def test_one_that_cannot_be_run_says_why() -> None:
    command, ends = run("no-such-program")
    ends.get(timeout=1)
    assert command.exit_code == 127
    assert command.problem == "no-such-program cannot be run: No such file or directory"
    command.kill()


def test_one_that_hangs_is_killed_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy_command, "_END_TIMEOUT_S", 0.3)
    pids = tmp_path / "pids"
    script = (
        f"trap '' TERM; sleep 1000 & echo $! >>{pids}; echo $$ >>{pids}; wait; wait; sleep 1000"
    )
    command, ends = run("sh", "-c", script, timeout_s=0.5)
    ends.get(timeout=30)
    assert command.exit_code == 137
    assert command.problem == "it did not return within 0.5 s and was killed"
    for pid in pids.read_text().split():
        wait_for_the_end(int(pid))


def wait_for_the_end(pid: int) -> None:
    deadline_s = time.monotonic() + 20
    while Path(f"/proc/{pid}/stat").exists():
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return
        assert time.monotonic() < deadline_s, f"{pid} lives on"
        time.sleep(0.01)


def test_whoever_kills_it_need_not_know_whether_it_has_ended() -> None:
    command, ends = run("true")
    ends.get(timeout=20)
    command.kill()
    command.kill()
    assert command.exit_code == 0


def test_killing_it_is_its_end() -> None:
    command, ends = run("sleep", "1000")
    command.kill()
    ends.get(timeout=20)
    assert command.exit_code == 143


def test_its_output_passes_through(capfd: pytest.CaptureFixture[str]) -> None:
    words = (sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr)")
    _, ends = run(*words)
    ends.get(timeout=20)
    assert capfd.readouterr() == ("out\n", "err\n")


def test_it_may_read_what_is_piped_to_us(tmp_path: Path) -> None:
    """A compose file, say: docker stack deploy --compose-file - NAME."""
    script = (
        "import os, queue\n"
        "from stamplab.lab.remote.deploy_command import DeployCommand\n"
        "ends = queue.SimpleQueue()\n"
        "DeployCommand(['cat'], os.environ, 60, ends.put)\n"
        "print(ends.get(timeout=20).exit_code)\n"
    )
    import subprocess

    done = subprocess.run(
        [sys.executable, "-c", script],
        input="services:\n",
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[4],
    )
    assert done.stdout == "services:\n0\n", done.stderr
