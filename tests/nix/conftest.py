"""The nix that the README's commands are run by: `--nix PROGRAM`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 2400

Nix = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def nix(pytestconfig: pytest.Config) -> Nix:
    """Run a command of nix's in the checkout, with its own standard output and error."""
    program = pytestconfig.getoption("--nix")
    if program is None:
        pytest.skip("the flake is built and run only by --nix PROGRAM (nix itself, or .ci/nix)")
    path = Path(program).absolute() if os.sep in program else program

    def run(*words: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(path), *words],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, f"nix {' '.join(words)}:\n{done.stdout}{done.stderr}"
        return done

    return run
