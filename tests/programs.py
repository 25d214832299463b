"""Our programs as a test runs them: in a process of their own, or in the test's."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from stamplab.cli.main import main
from tests import PYTHON_PATH

Running = subprocess.Popen[str]


def python(
    *words: str,
    folder: Path | None = None,
    prefix: Sequence[str] = (),
    timeout_s: float = 280,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run a Python that finds our packages, to its end; ``prefix`` is what runs it, if anything."""
    return subprocess.run(
        [*prefix, sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": PYTHON_PATH, **environment},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def start_python(*words: str, folder: Path | None = None, **environment: str) -> Running:
    """Start a Python that finds our packages."""
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": PYTHON_PATH, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(reached: Callable[[], object], what: object, timeout_s: float = 120.0) -> None:
    """Wait until something is so; ``what`` says, at the end, what never came."""
    deadline_s = time.monotonic() + timeout_s
    while not reached():
        assert time.monotonic() < deadline_s, f"it never came: {what}"
        time.sleep(0.02)


class Ended(msgspec.Struct, frozen=True):
    """How a command ended in the test's own process."""

    code: object
    out: str
    err: str


class Command:
    """The command ``stamplab`` in the test's own process, where its parts can be replaced."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: object) -> Ended:
        """Run it to its end."""
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        return Ended(ended.value.code, *self._capsys.readouterr())
