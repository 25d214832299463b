"""Processes by their identity: alive, killed, reused, and whatever they call themselves."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

import msgspec
import psutil
import pytest

from stamplab.lab.support.processes import ProcessId, boot_id, pid_namespace


def own() -> ProcessId:
    identity = ProcessId.of(os.getpid())
    assert identity is not None
    return identity


def test_we_are_alive_and_identified() -> None:
    assert own().is_alive()
    assert own() == own()


def test_a_pid_that_was_reused_is_another_process() -> None:
    later = msgspec.structs.replace(own(), started_ticks=own().started_ticks + 1)
    assert not later.is_alive()
    assert later.kill(timeout_s=0)
    assert own().is_alive()


def test_a_pid_of_an_earlier_boot_is_another_process() -> None:
    earlier = msgspec.structs.replace(own(), boot_id="not-" + boot_id())
    assert not earlier.is_alive()


def test_a_process_is_killed_and_then_gone() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        identity = ProcessId.of(process.pid)
        assert identity is not None
        assert identity.kill(timeout_s=20)
        process.wait(20)
    assert not identity.is_alive()
    assert ProcessId.of(process.pid) != identity


def test_a_zombie_is_dead() -> None:
    with subprocess.Popen(["true"]) as process:
        identity = ProcessId.of(process.pid)
        deadline_s = time.monotonic() + 20
        while identity is not None and identity.is_alive():
            assert time.monotonic() < deadline_s
            time.sleep(0.01)


def test_a_command_may_have_brackets_and_blanks_in_its_name(tmp_path: Path) -> None:
    odd = tmp_path / "a) S (b 1 2"
    odd.symlink_to(sys.executable)
    with subprocess.Popen([odd, "-I", "-c", "import time; time.sleep(60)"]) as process:
        identity = ProcessId.of(process.pid)
        assert identity is not None
        assert identity.is_alive()
        process.kill()


def test_a_name_that_is_no_text_does_not_hide_a_process() -> None:
    """Any process may call itself what it likes (prctl(2), PR_SET_NAME)."""
    code = (
        "import ctypes, sys; ctypes.CDLL(None).prctl(15, b'\\xff\\xfe) Z 1', 0, 0, 0);"
        "print('named', flush=True); sys.stdin.read()"
    )
    if not hasattr(ctypes.CDLL(None), "prctl"):
        pytest.skip("a name is set by prctl(2)")
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"named\n"
        identity = ProcessId.of(process.pid)
        assert identity is not None
        assert identity.is_alive()
        assert identity.kill(timeout_s=20)


def test_there_is_no_process_where_there_is_no_pid() -> None:
    assert ProcessId.of(2**22 + 1) is None
    never = ProcessId(pid=2**22 + 1, started_ticks=0, boot_id=boot_id(), namespace=pid_namespace())
    assert not never.is_alive()
    assert never.kill(timeout_s=0)


def test_a_process_that_outlives_its_kill_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(_: psutil.Process, timeout: float | None = None) -> NoReturn:
        raise psutil.TimeoutExpired(timeout or 0)

    monkeypatch.setattr(psutil.Process, "kill", lambda _: None)
    monkeypatch.setattr(psutil.Process, "wait", wait)
    assert not own().kill(timeout_s=0)
