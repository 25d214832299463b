"""Facts of this machine that often stop a sandbox, for whoever must explain a start that failed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_CAP_SYS_ADMIN = 1 << 21
"""capabilities(7); the bit's number is of the kernel's include/uapi/linux/capability.h."""
_NAMESPACES = ("mnt", "net", "pid")


def obstacles(proc: Path = Path("/proc")) -> Iterator[str]:
    """Yield a sentence for each fact that may have stopped a sandbox: what it is, what to do."""
    status = dict(_fields(proc / "self/status"))
    if not int(status.get("CapEff", "0"), 16) & _CAP_SYS_ADMIN:
        yield (
            "This root lacks CAP_SYS_ADMIN, so it is probably a container's: run on the machine "
            "itself, or give the container --privileged."
        )
    if absent := [kind for kind in _NAMESPACES if not (proc / "self/ns" / kind).is_symlink()]:
        yield f"This kernel was built without namespaces of {', '.join(absent)}: use another."
    limits = [proc / f"sys/user/max_{kind}_namespaces" for kind in _NAMESPACES]
    if exhausted := [path.name for path in limits if _text(path) == "0"]:
        yield f"The machine allows none: user.{', user.'.join(exhausted)} = 0; raise that."
    if status.get("Seccomp") == "2":
        yield (
            "A seccomp filter is on: run on the machine itself, or give the container "
            "--security-opt seccomp=unconfined."
        )
    profile = _text(proc / "self/attr/current").strip("\0")
    if profile not in {"", "unconfined"}:
        yield f"The AppArmor profile {profile} confines this process: run it unconfined."
    if _text(proc / "sys/kernel/modules_disabled") == "1":
        yield (
            "This kernel loads no module any more (kernel.modules_disabled = 1): load overlay, "
            "bridge, veth and vxlan before it is locked."
        )


def loaded_modules(proc: Path = Path("/proc")) -> frozenset[str]:
    """Return the names of the kernel's modules; none where the kernel has no modules."""
    return frozenset(line.split()[0] for line in _text(proc / "modules").splitlines())


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""  # this kernel has no such file, or (of AppArmor) no such attribute


def _fields(status: Path) -> Iterator[tuple[str, str]]:
    for line in status.read_text().splitlines():
        name, _, value = line.partition(":")
        yield name, value.strip()
