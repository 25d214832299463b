"""Checks of this machine: what a live lab needs, what is here, and what each lack means.

The checks change nothing and need no right: an ordinary user hears of all that is lacking. Whether
a sandbox really starts is found out by `stamplab.lab.live.doctor.sandbox_trial`, as root.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from stamplab.lab.live.doctor import disk, labs, machine, programs
from stamplab.lab.live.doctor.check import Check, CheckState, run_check
from stamplab.lab.live.doctor.sandbox_trial import try_sandbox
from stamplab.lab.live.inventory import GO_PROGRAMS
from stamplab.lab.live.lease import labs_root
from stamplab.lab.support.cache import cache_folder

__all__ = ["Check", "CheckState", "examine", "try_sandbox"]


def examine(engine_folder: Path | None = None, runs: Path = Path("runs")) -> tuple[Check, ...]:
    """Check all that `stamplab.lab.live.lab.prepare` demands, and whether there is room for a run.

    Raises nothing: a check that crashes says so in its own row.
    """
    checks: dict[str, Callable[[], Check]] = {
        "root": machine.check_root,
        "engine": partial(programs.check_engine, engine_folder),
        "git": programs.check_git,
        "workload": partial(programs.check_workload, cache_folder()),
        **{
            program.name: partial(programs.check_go_program, program, cache_folder())
            for program in GO_PROGRAMS
        },
        "cgroups": machine.check_cgroups,
        "kernel log": machine.check_kernel_log,
        "memory": machine.check_memory,
        "labs": labs.check_labs,
        "disk: labs": partial(disk.check_labs_folder, labs_root()),
        "disk: cache": partial(disk.check_cache, cache_folder()),
        "disk: runs": partial(disk.check_runs, runs),
    }
    return tuple(run_check(name, check) for name, check in checks.items())
