"""Checks of the machine: root, control groups, memory, and the kernel's log."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import psutil

from stamplab.lab.cgroup.host import read_cgroup_host
from stamplab.lab.errors import LabError
from stamplab.lab.live import sandbox
from stamplab.lab.live.doctor.check import Check, format_size, lack, note, ok, sentence
from stamplab.lab.live.recorders.kernel import open_kernel_log

_RUN_NEEDS_BYTES = 10**9
"""Both versions of the workload at scale 1 (0.4 GB), the engine and what it keeps in memory."""


def check_root() -> Check:
    """Check that the user is root."""
    facts = f"user {os.geteuid()}"
    try:
        sandbox.require_root()
    except LabError as error:
        return lack("root", facts, f"{sentence(error)} Run the lab with sudo.")
    return ok("root", facts)


def check_cgroups(mounts: Path = Path("/proc/self/mounts")) -> Check:
    """Check that there is a memory controller that a lab's group can use."""
    facts = "none"
    try:
        host = read_cgroup_host(mounts)
        if host.memory_version is not None:
            facts = f"memory controller of version {host.memory_version}"
        if host.memory_version == 2:
            facts += f"; a lab's group is made by the driver {host.driver}"
        host.require_memory()
    except LabError as error:
        return lack("cgroups", facts, sentence(error))
    return ok("cgroups", facts)


def check_memory() -> Check:
    """Check that the machine has memory enough that only the squeezed group runs out of it."""
    available = psutil.virtual_memory().available
    facts = f"{format_size(available)} available"
    if available < _RUN_NEEDS_BYTES:
        return note(
            "memory",
            facts,
            f"A run needs about {format_size(_RUN_NEEDS_BYTES)}, and with less the whole machine "
            "may run out of memory, which proves nothing: free some, or use a --memory-scale "
            "below 1.",
        )
    return ok("memory", facts)


def check_kernel_log(open_log: Callable[[], int] = open_kernel_log) -> Check:
    """Check that the kernel's log, which proves an OOM kill, can be read.

    Its rate is fixed in the kernel (mm/oom_kill.c, oom_kill_process: DEFAULT_RATELIMIT_BURST).
    """
    try:
        os.close(open_log())
    except LabError as error:
        return lack("kernel log", "unreadable", sentence(error))
    return ok(
        "kernel log",
        "readable",
        "The kernel prints at most 10 OOM reports in 5 s, of the whole machine: a storm of kills "
        "elsewhere may hide the lab's.",
    )
