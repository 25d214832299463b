"""Control groups and swap: whether pressure can be applied, and whether it ends in an OOM kill."""

from __future__ import annotations

import os
from pathlib import Path

from stamplab.lab.cgroup import files
from stamplab.lab.cgroup.host import CgroupHost, read_cgroup_host
from stamplab.lab.errors import LabError
from stamplab.lab.live.doctor.check import Check, lack, note, ok, sentence

_PROC = Path("/proc")
_SYSTEMD = Path("/run/systemd/system")
_INITIAL_NAMESPACE = "cgroup:[4026531835]"
"""PROC_CGROUP_INIT_INO of the kernel's include/linux/proc_ns.h."""


def cgroups(proc: Path = _PROC, systemd: Path = _SYSTEMD) -> Check:
    """Which hierarchies and controllers are there, and whether the lab can drive the memory one."""
    try:
        host = read_cgroup_host(proc / "self/mounts")
    except LabError as error:
        return lack("cgroups", "no mount table", sentence(error))
    facts = "; ".join(_facts(host, proc, systemd))
    try:
        facts += _driver(host)
        root = _memory_root(host)
        host.require_memory()
    except LabError as error:
        return lack("cgroups", facts, sentence(error))
    if is_read_only(root):
        return lack(
            "cgroups",
            f"{facts}; {root} is read-only",
            "The lab makes a control group of its own there: in a container give it the host's "
            "control groups for writing, or run on the machine itself.",
        )
    if _is_inside_another(proc, root):
        return note(
            "cgroups",
            f"{facts}; not the whole tree is seen",
            "The kernel's log names control groups by their whole path, so an OOM kill would not "
            "be recognised as the lab's: run on the machine itself, not in a container.",
        )
    return ok("cgroups", facts)


def swap(proc: Path = _PROC) -> Check:
    """Whether there is swap, and whether it can be kept out of the lab's group."""
    devices = (proc / "swaps").read_text().splitlines()[1:]
    if not devices:
        return ok("swap", "off")
    found = f"on: {', '.join(line.split()[0] for line in devices)}"
    accounting = None
    try:
        accounting = has_swap_accounting(read_cgroup_host(proc / "self/mounts"))
    except LabError as error:
        found += f" ({error})"
    if accounting:
        return ok(
            "swap",
            found,
            "The lab keeps it out of its group (memory.memsw = the limit on v1, memory.swap.max = "
            "0 on v2), so that pressure ends in the OOM killer.",
        )
    known = "is off" if accounting is False else "cannot be seen before a group is made"
    return note(
        "swap",
        f"{found}; swap accounting {known}",
        "Without it a squeezed lab may swap instead of being OOM-killed, and nothing is "
        "reproduced: run swapoff --all, or boot with swapaccount=1.",
    )


def has_swap_accounting(host: CgroupHost) -> bool | None:
    """Whether a group's swap can be limited; None where that cannot be seen.

    The root group of v2 has no ``memory.swap.max`` (kernel: mm/memcontrol.c, CFTYPE_NOT_ON_ROOT),
    so there a group below it is asked.
    """
    if "memory" in host.v1:
        return (host.v1["memory"] / "memory.memsw.limit_in_bytes").exists()
    if host.unified is None:
        return None
    if any(host.unified.glob("*/memory.swap.max")):
        return True
    return False if any(host.unified.glob("*/memory.max")) else None


def is_read_only(folder: Path) -> bool:
    """Whether the file system there takes no writes, whoever asks."""
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def _facts(host: CgroupHost, proc: Path, systemd: Path) -> list[str]:
    v1 = sorted(name for name in host.v1 if "=" not in name)
    unified = _unified_controllers(host)
    if v1:
        layout = "hybrid, v1 with a unified tree beside it" if host.unified else "v1"
    else:
        layout = "v2" if host.unified else "no control groups"
    facts = [layout]
    if v1:
        facts.append(f"v1 controllers {', '.join(v1)}")
    if unified:
        facts.append(f"v2 controllers {', '.join(unified)}")
    accounting = has_swap_accounting(host)
    if accounting is not None:
        facts.append("swap accounting" if accounting else "no swap accounting")
    if not (proc / "self/ns/cgroup").is_symlink():
        facts.append("no cgroup namespaces")
    if systemd.is_dir():
        facts.append("systemd manages them")
    return facts


def _driver(host: CgroupHost) -> str:
    chosen = f"; a lab's group is made by the driver {host.driver}"
    return chosen if host.memory_version == 2 else ""


def _unified_controllers(host: CgroupHost) -> list[str]:
    if host.unified is None:
        return []
    try:
        return sorted(files.read(host.unified / "cgroup.controllers").split())
    except LabError:
        return []  # what it means is said where the memory controller is asked for


def _memory_root(host: CgroupHost) -> Path:
    return host.v1["memory"] if host.memory_version == 1 else host.unified or Path("/")


def _is_inside_another(proc: Path, root: Path) -> bool:
    """Whether our view of the tree begins below its root: a namespace's, or a bind mount's."""
    namespace = proc / "self/ns/cgroup"
    if namespace.is_symlink() and str(namespace.readlink()) != _INITIAL_NAMESPACE:
        return True
    lines = (proc / "self/mountinfo").read_text().splitlines()
    # "35 31 0:32 /its/root /where rw … - cgroup cgroup rw,memory" (proc(5))
    roots = [line.split()[3] for line in lines if line.split()[4] == str(root)]
    return bool(roots) and roots[-1] != "/"
