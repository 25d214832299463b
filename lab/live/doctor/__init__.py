"""Checks of this machine: what a live lab needs, what is here, and what each lack means.

The checks change nothing and need no right: an ordinary user hears of all that is lacking. Whether
a sandbox really starts is found out by `lab.live.doctor.sandbox_trial`, as root.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from lab.cache import cache_folder
from lab.live.doctor import disk, labs, machine, programs
from lab.live.doctor.check import Check, CheckState, guarded
from lab.live.doctor.sandbox_trial import try_sandbox
from lab.live.inventory import IN_GO
from lab.live.lease import labs_root

__all__ = ["Check", "CheckState", "examine", "try_sandbox"]


def examine(engine_folder: Path | None = None, runs: Path = Path("runs")) -> tuple[Check, ...]:
    """Check all that `lab.live.lab.prepare` demands, and whether there is room for a run.

    Raises nothing: a check that crashes says so in its own row.
    """
    asked: dict[str, Callable[[], Check]] = {
        "root": machine.root,
        "engine": partial(programs.engine, engine_folder),
        "git": programs.git_program,
        "workload": partial(programs.workload, cache_folder()),
        **{one.name: partial(programs.in_go, one, cache_folder()) for one in IN_GO},
        "cgroups": machine.cgroups,
        "kernel log": machine.kernel_log,
        "memory": machine.memory,
        "labs": labs.labs,
        "disk: labs": partial(disk.labs, labs_root()),
        "disk: cache": partial(disk.cache, cache_folder()),
        "disk: runs": partial(disk.runs, runs),
    }
    return tuple(guarded(name, ask) for name, ask in asked.items())
