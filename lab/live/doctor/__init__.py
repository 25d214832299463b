"""Explains this machine: what a live lab needs, what is here, and what each lack means.

It changes nothing, and needs no right of its own: for an ordinary user all checks run, and say what
root would be needed for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from stamplab.lab.live.doctor import disk, groups, isolation, kernel, labs, programs
from stamplab.lab.live.doctor.check import Check, State, guarded
from stamplab.lab.live.engine import tools_in
from stamplab.lab.live.inventory import IN_GO
from stamplab.lab.live.lease import labs_root
from stamplab.lab.support.cache import cache_folder

__all__ = ["Check", "State", "examine"]


def examine(engine_folder: Path | None = None, runs: Path = Path("runs")) -> tuple[Check, ...]:
    """Look at all that `stamplab.lab.live.lab.live_lab` needs, with the engine that it would take.

    Raises nothing: a check that crashes says so in its own row.
    """
    asked: dict[str, Callable[[], Check]] = {
        "root": isolation.root,
        "engine": partial(programs.engine, engine_folder),
        "git": programs.git_program,
        "workload": partial(programs.workload, cache_folder()),
        **{one.name: partial(programs.in_go, one, cache_folder()) for one in IN_GO},
        "cgroups": groups.cgroups,
        "swap": groups.swap,
        "memory": kernel.memory,
        "kernel log": kernel.kernel_log,
        "kernel modules": kernel.modules,
        "apparmor": kernel.apparmor,
        "namespaces": lambda: isolation.namespaces(_unshare(engine_folder)),
        "ports": lambda: isolation.ports(_unshare(engine_folder)),
        "host's docker": isolation.hosts_docker,
        "labs": labs.labs,
        "disk: labs": partial(disk.labs, labs_root()),
        "disk: cache": partial(disk.cache, cache_folder()),
        "disk: runs": partial(disk.runs, runs),
    }
    return tuple(guarded(name, ask) for name, ask in asked.items())


def _unshare(engine_folder: Path | None) -> Path | None:
    return tools_in(engine_folder)[0].get("unshare")
