"""Finds and runs the lab's external programs: on PATH, or in the folders of ``$STAMPLAB_TOOLS``.

A packaged lab names the folders of its programs there, so that no program of the caller's PATH is
run by accident. Only systemd's client is the machine's own: it must fit the running manager.
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
_SYSTEM_PATH = "/run/current-system/sw/bin:/usr/bin:/bin"


def has_tools_folders() -> bool:
    """Tell whether ``$STAMPLAB_TOOLS`` names the programs' folders, and PATH is not used."""
    return bool(os.environ.get(VARIABLE))


# A package brings its programs along; PATH is not asked then (ADR 0025).
def search_path() -> str:
    """Return the folders of programs, in the format of PATH."""
    return os.environ.get(VARIABLE) or os.environ.get("PATH") or os.defpath


def places_text() -> str:
    """Describe where programs are searched, for an error message."""
    return f"in ${VARIABLE} ({search_path()})" if has_tools_folders() else "on PATH"


def link_target(program: Path) -> Path:
    """Return the target of a program that is a link in a package's folder, else the program.

    Only one link is followed: several programs may be one file under different names.
    """
    return program.readlink() if has_tools_folders() and program.is_symlink() else program


def find_systemd_client(name: str) -> Path | None:
    """Find a client program of this machine's systemd; None where there is none."""
    return find(name, _SYSTEM_PATH if has_tools_folders() else None)


def find(name: str, path: str | None = None) -> Path | None:
    """Return the absolute path of a program; None where there is none."""
    program = shutil.which(name, path=path or search_path())
    # Links are not resolved: some programs are one file that acts by the name it is called by.
    return Path(program).absolute() if program else None


# Under nixpkgs' checks only PYTHONPATH finds packages (ADR 0026).
def python_path() -> str:
    """Return a PYTHONPATH by which another Python finds this package and its dependencies."""
    folder = str(Path(stamplab.__path__[0]).parent)
    return os.pathsep.join(dict.fromkeys((folder, *filter(None, sys.path))))


def run(
    command: Sequence[str],
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    program: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command without a shell; exit code 127 if it cannot start or does not end in time.

    ``program`` is what ``command[0]`` stands for, where that is not its path.
    """
    try:
        return subprocess.run(
            command,
            executable=program,
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
