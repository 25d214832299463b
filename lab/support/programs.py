"""Where the programs are that the lab runs: on PATH, or where ``$STAMPLAB_TOOLS`` says.

A packaged lab brings its programs with it and names their folders there; what its caller has on
PATH is then never run by accident. One program is the machine's own all the same: systemd's client
has to fit the manager that runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import stamplab

VARIABLE = "STAMPLAB_TOOLS"
_OF_THE_SYSTEM = "/run/current-system/sw/bin:/usr/bin:/bin"


def are_given() -> bool:
    """Whether all programs come from folders that were named, and none from PATH."""
    return bool(os.environ.get(VARIABLE))


# A package brings its programs along; PATH is not asked then (ADR 0025).
def search_path() -> str:
    """The folders to look in; also the PATH of programs that run others by name."""
    return os.environ.get(VARIABLE) or os.environ.get("PATH") or os.defpath


def places() -> str:
    """The same for a person."""
    return f"in ${VARIABLE} ({search_path()})" if are_given() else "on PATH"


def origin(program: Path) -> Path:
    """What a program that was found is: a package's folder may be one of links to what it holds.

    Followed no further, for several programs may be one file.
    """
    return program.readlink() if are_given() and program.is_symlink() else program


def find_systemds(name: str) -> Path | None:
    """A client of the systemd that runs this machine; None where there is none."""
    return find(name, _OF_THE_SYSTEM if are_given() else None)


def find(name: str, path: str | None = None) -> Path | None:
    """The program of this name, by its absolute path; None where there is none."""
    found = shutil.which(name, path=path or search_path())
    # Not resolved: several programs are one file, and go by the name they are called by.
    return Path(found).absolute() if found else None


# Under nixpkgs' checks only PYTHONPATH finds packages (ADR 0026).
def python_path() -> str:
    """The PYTHONPATH of a program of ours: wherever we find our packages, who may be installed."""
    ours = str(Path(stamplab.__path__[0]).parent)
    return os.pathsep.join(dict.fromkeys((ours, *filter(None, sys.path))))


def run(
    command: Sequence[str],
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command without a shell; one that cannot start or end counts as failed (127)."""
    try:
        return subprocess.run(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))
