"""The programs that a lab would run here, with the version that each of them prints."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from stamplab.lab.abra.go_git import GOGIT
from stamplab.lab.errors import LabError
from stamplab.lab.live.engine import OPTIONAL, REQUIRED, find_engine, tools_in
from stamplab.lab.recipe.resolver import STACKSPEC
from stamplab.lab.support import programs
from stamplab.lab.support.cache import cache_folder
from stamplab.lab.support.go_build import GoProgram, available_program
from stamplab.lab.virtual.swarmsim import SWARMSIM
from stamplab.lab.workload.build import find_build, provided_program

_VERSION_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "busybox": (),
    "containerd-shim-runc-v2": ("-v",),
    "ip": ("-Version",),
}
"""Arguments that make a program print its version, where they are not ``--version``."""
_OTHER_PROGRAMS = ("git", "abra", "cp", "ln", "printf", "true")
"""Programs that are run besides the engine's tools."""
GO_PROGRAMS = (GOGIT, STACKSPEC, SWARMSIM)
"""What reads recipes as abra does, and the programs of the virtual world."""
_TIMEOUT_S = 30.0
_VERSION = re.compile(r"\d+\.\d[\w.+~-]*|\b[0-9a-f]{12}\b")
"""A number with a dot in it, or the workload's digest of its sources."""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One program of the inventory."""

    name: str
    path: Path | None
    """None where the program is not found."""
    version: str | None
    """None where the program does not run, or prints no version."""


def inventory(engine: Path | None = None) -> tuple[Item, ...]:
    """Return all programs of both worlds, found as the worlds find them.

    ``engine`` is a folder with an engine.
    """
    try:
        installed = find_engine(engine)
        tools, environment = installed.tools, installed.environment
    except LabError:
        tools, environment = tools_in(engine)[0], {}
    items = [_item(name, tools.get(name), environment) for name in (*REQUIRED, *OPTIONAL)]
    items += [_item(name, programs.find(name)) for name in _OTHER_PROGRAMS]
    items.append(_item("stampload", _workload()))
    items += [_item(program.name, _in_go(program)) for program in GO_PROGRAMS]
    python = Item(name="python", path=Path(sys.executable), version=platform.python_version())
    return (python, *items)


def _workload() -> Path | None:
    try:
        program = provided_program() or find_build(cache_folder()).program
    except LabError:  # doctor says why there is none
        return None
    return program if program.exists() else None


def _in_go(wanted: GoProgram) -> Path | None:
    try:
        return available_program(wanted, cache_folder())
    except LabError:  # doctor says why there is none
        return None


def _item(name: str, path: Path | None, environment: Mapping[str, str] | None = None) -> Item:
    if path is None:
        return Item(name=name, path=None, version=None)
    arguments = _VERSION_ARGUMENTS.get(name, ("--version",))
    version = _version(name, path, arguments, environment or {})
    return Item(name=name, path=programs.link_target(path), version=version)


def _version(
    name: str, path: Path, arguments: tuple[str, ...], environment: Mapping[str, str]
) -> str | None:
    # One file may be several programs, by the name that it is called by.
    whole = {**os.environ, **environment}
    done = programs.run([name, *arguments], _TIMEOUT_S, whole, program=path)
    version = _VERSION.search(done.stdout + done.stderr) if done.returncode == 0 else None
    return version[0] if version else None
