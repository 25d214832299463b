"""Which programs a lab would run here, and in which versions: asked, not assumed."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from stamplab.lab.errors import LabError
from stamplab.lab.live.engine import OPTIONAL, REQUIRED, find_engine, tools_in
from stamplab.lab.recipe.resolver import STACKSPEC
from stamplab.lab.support import programs
from stamplab.lab.support.cache import cache_folder
from stamplab.lab.support.go_build import GoProgram, existing
from stamplab.lab.virtual.swarmsim import SWARMSIM
from stamplab.lab.workload.build import find_build, ready_made

_ASKED_BY: Mapping[str, tuple[str, ...]] = {
    "busybox": (),
    "containerd-shim-runc-v2": ("-v",),
    "ip": ("-Version",),
}
"""How a program is asked for its version, where that is not ``--version``."""
_BESIDES = ("git", "abra", "cp", "ln", "printf", "true")
"""What is run besides the engine's tools."""
IN_GO = (STACKSPEC, SWARMSIM)
"""The virtual world's."""
_TIMEOUT_S = 30.0
_VERSION = re.compile(r"\d+\.\d[\w.+~-]*|\b[0-9a-f]{12}\b")
"""A number with a dot in it, or the workload's digest of its sources."""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One program."""

    name: str
    path: Path | None
    """None where there is none."""
    version: str | None
    """None where it does not run, or says none."""


def inventory(engine: Path | None = None) -> tuple[Item, ...]:
    """All programs of both worlds, found as they find them; ``engine`` is a folder with one."""
    try:
        found = find_engine(engine)
        tools, environment = found.tools, found.environment
    except LabError:
        tools, environment = tools_in(engine)[0], {}
    items = [_item(name, tools.get(name), environment) for name in (*REQUIRED, *OPTIONAL)]
    items += [_item(name, programs.find(name)) for name in _BESIDES]
    items.append(_item("stampload", _workload()))
    items += [_item(one.name, _in_go(one)) for one in IN_GO]
    return (_python(), *items)


def _python() -> Item:
    return Item(name="python", path=Path(sys.executable), version=platform.python_version())


def _workload() -> Path | None:
    try:
        program = ready_made() or find_build(cache_folder()).program
    except LabError:  # doctor says why there is none
        return None
    return program if program.exists() else None


def _in_go(wanted: GoProgram) -> Path | None:
    try:
        return existing(wanted, cache_folder())
    except LabError:  # doctor says why there is none
        return None


def _item(name: str, path: Path | None, environment: Mapping[str, str] | None = None) -> Item:
    if path is None:
        return Item(name=name, path=None, version=None)
    asked_by = _ASKED_BY.get(name, ("--version",))
    version = _version(name, path, asked_by, environment or {})
    return Item(name=name, path=programs.origin(path), version=version)


def _version(
    name: str, path: Path, asked_by: tuple[str, ...], environment: Mapping[str, str]
) -> str | None:
    try:
        done = subprocess.run(
            [name, *asked_by],
            executable=path,  # one file may be several programs, by the name it is called by
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(done.stdout) if done.returncode == 0 else None
    return found[0] if found else None
