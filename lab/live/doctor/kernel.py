"""What the kernel offers: memory, its log, its modules, AppArmor."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from stamplab.lab.errors import LabError
from stamplab.lab.live.doctor.check import Check, lack, note, ok, sentence, size
from stamplab.lab.live.recorders.kernel import open_kernel_log

_PROC = Path("/proc")
_SYS = Path("/sys")
_RUN_NEEDS_BYTES = 10**9
"""Both versions of the workload at scale 1 (0.4 GB), the engine and what it keeps in memory."""

NEEDED = ("overlay", "bridge", "veth", "vxlan")
"""A lab's file systems and networks are made of these."""
USED = ("nf_tables", "ip_tables", "nf_conntrack", "nf_nat")
"""What an engine's iptables rules make the kernel load; which of them depends on the engine."""


def memory(proc: Path = _PROC) -> Check:
    """Whether the machine itself has memory enough that only the squeezed group runs out of it."""
    for line in (proc / "meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            available = int(line.split()[1]) * 1024
            break
    else:
        raise ValueError(f"no MemAvailable in {proc / 'meminfo'}")
    found = f"{size(available)} available"
    if available < _RUN_NEEDS_BYTES:
        return note(
            "memory",
            found,
            f"A run needs about {size(_RUN_NEEDS_BYTES)}, and with less the whole machine may run "
            "out of memory, which proves nothing: free some, or use --memory-scale below 1.",
        )
    return ok("memory", found)


def kernel_log(
    open_log: Callable[[], int] = open_kernel_log, sysctl: Path = _PROC / "sys/kernel"
) -> Check:
    """Whether the record that proves an OOM kill can be read.

    The rate is fixed in the kernel (mm/oom_kill.c, oom_kill_process: DEFAULT_RATELIMIT_BURST).
    """
    restricted = sysctl / "dmesg_restrict"
    facts = f"dmesg_restrict={restricted.read_text().strip() if restricted.exists() else '?'}"
    try:
        os.close(open_log())
    except LabError as error:
        return lack("kernel log", f"unreadable, {facts}", sentence(error))
    return ok(
        "kernel log",
        f"readable, {facts}",
        "The kernel prints at most 10 OOM reports in 5 s, of the whole machine: a storm of kills "
        "elsewhere may hide the lab's.",
    )


def modules(proc: Path = _PROC, sys: Path = _SYS, folders: tuple[Path, ...] | None = None) -> Check:
    """Which modules the kernel would load by itself when a lab first uses them.

    It does that outside of all namespaces (kernel: kernel/module/kmod.c), so nothing that a lab
    does can prevent it.
    """
    here = _folder_of(folders if folders is not None else _module_folders())
    loaded = {*_built_in(here), *_loaded(proc, sys)}
    unseen = [name for name in (*NEEDED, *USED) if name not in loaded]
    present = f"{os.uname().release}: {_listed(NEEDED, loaded)} in place"
    if not (proc / "modules").exists():
        return ok(
            "kernel modules",
            f"{present}; this kernel loads none",
            f"Not to be seen: {', '.join(unseen)}; they are built in or a lab's start will tell."
            if unseen
            else "",
        )
    loadable = {*_names(here, "modules.dep")}
    return _judge(present, unseen, loadable, proc, is_listed=here is not None)


def _judge(
    present: str, unseen: list[str], loadable: set[str], proc: Path, *, is_listed: bool
) -> Check:
    missing = [name for name in unseen if name in NEEDED and name not in loadable]
    to_load = [name for name in unseen if name in loadable]
    disabled = proc / "sys/kernel/modules_disabled"
    if disabled.exists() and disabled.read_text().strip() == "1":
        missing, to_load = [name for name in unseen if name in NEEDED], []
    if missing and is_listed:
        return lack(
            "kernel modules",
            f"{present}; without {', '.join(missing)}",
            "The engine's file systems and networks need them, and this kernel has or loads no "
            "such module: install the kernel's extra modules, or load them before it locks.",
        )
    if missing:
        return note(
            "kernel modules",
            f"{present}; {', '.join(missing)} not to be seen",
            "The folder of this kernel's modules is not here (a container's own /lib/modules?), so "
            "only a lab's start can tell whether it has them.",
        )
    if to_load:
        return note(
            "kernel modules",
            f"{present}; to be loaded: {', '.join(to_load)}",
            "The kernel loads those that a lab uses, and what they depend on, at the first use, "
            "and they stay until a reboot: namespaces cannot prevent that.",
        )
    return ok("kernel modules", present)


def _listed(names: tuple[str, ...], loaded: set[str]) -> str:
    return ", ".join(name for name in names if name in loaded) or "none of the lab's"


def _module_folders() -> tuple[Path, ...]:
    release = os.uname().release
    usual = (Path("/lib/modules"), Path("/run/booted-system/kernel-modules/lib/modules"))
    return tuple(folder / release for folder in usual)


def _folder_of(folders: tuple[Path, ...]) -> Path | None:
    return next((folder for folder in folders if (folder / "modules.dep").exists()), None)


def _built_in(folder: Path | None) -> Iterator[str]:
    yield from _names(folder, "modules.builtin")


def _names(folder: Path | None, listing: str) -> Iterator[str]:
    """Read ``kernel/net/bridge/bridge.ko.xz: …`` as ``bridge``; dashes are underscores there."""
    if folder is None or not (folder / listing).exists():
        return
    for line in (folder / listing).read_text().splitlines():
        yield Path(line.partition(":")[0]).name.partition(".ko")[0].replace("-", "_")


def _loaded(proc: Path, sys: Path) -> Iterator[str]:
    """Name what is in the kernel now; built-in parts without parameters do not show."""
    if (proc / "modules").exists():
        yield from (line.split()[0] for line in (proc / "modules").read_text().splitlines())
    yield from (path.name for path in (sys / "module").glob("*"))
    yield from (line.split()[-1] for line in (proc / "filesystems").read_text().splitlines())


def apparmor(sys: Path = _SYS, proc: Path = _PROC) -> Check:
    """Whether there is AppArmor, whose profiles are the whole machine's."""
    enabled = sys / "module/apparmor/parameters/enabled"
    if not enabled.exists() or enabled.read_text().strip() != "Y":
        return ok("apparmor", "off")
    own = proc / "self/attr/current"
    profile = own.read_text().strip().strip("\0") if own.exists() else "unconfined"
    if profile and profile != "unconfined":
        return note(
            "apparmor",
            f"on, and we are confined by {profile}",
            "The profile may forbid mounts and namespaces: if the namespaces are refused, run the "
            "lab unconfined.",
        )
    return ok(
        "apparmor",
        f"on{_profiles(sys)}",
        "The lab hides it from its engine, which therefore loads no profile into the kernel, and "
        "the lab's containers are unconfined.",
    )


def _profiles(sys: Path) -> str:
    try:
        lines = (sys / "kernel/security/apparmor/profiles").read_text().splitlines()
    except OSError:
        return ""  # only root may read it, and only where securityfs is mounted
    docker = any(line.startswith("docker-default ") for line in lines)
    return f", {len(lines)} profiles{', docker-default among them' if docker else ''}"
