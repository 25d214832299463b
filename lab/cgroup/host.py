"""The control groups of this machine, read from the mount table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

from stamplab.lab.cgroup import files
from stamplab.lab.cgroup.group import MemoryGroup
from stamplab.lab.cgroup.v1 import MemoryGroupV1
from stamplab.lab.cgroup.v2 import MemoryGroupV2
from stamplab.lab.errors import NotPossibleHere, UsageError, os_errors_as
from stamplab.lab.support import programs

Driver = Literal["cgroupfs", "systemd"]

DRIVER_VARIABLE = "STAMPLAB_CGROUP_DRIVER"
_SYSTEMD_IS_MANAGER = Path("/run/systemd/system")
"""A folder exactly where systemd is the machine's manager (sd_booted(3))."""
_SCOPE = ".scope"
_SLICE_OF_SCOPES = "/system.slice"


class CgroupHost(msgspec.Struct, frozen=True, kw_only=True):
    """The mounted hierarchies: v1 ones by their options, and the unified one where there is one."""

    v1: dict[str, Path]
    """Mount point by controller, or by ``name=…`` for a hierarchy without one."""
    unified: Path | None
    driver: Driver = "cgroupfs"
    """The maker of a lab's group on version 2; see `stamplab.lab.cgroup.v2`."""

    @property
    def memory_version(self) -> int | None:
        """The version (1 or 2) that has the memory controller, or None.

        Raises LabError where the unified hierarchy cannot be read.
        """
        if "memory" in self.v1:
            return 1
        if self.unified is None:
            return None
        controllers = files.read(self.unified / "cgroup.controllers")
        return 2 if "memory" in controllers.split() else None

    def group_path(self, name: str) -> str:
        """Return the path of the group of a lab of that name."""
        if self.memory_version == 2 and self.driver == "systemd":
            return f"{_SLICE_OF_SCOPES}/{name}{_SCOPE}"
        return f"/{name}"

    def memory_group(self, path: str) -> MemoryGroup:
        """Return the group of that path (see `group_path`), which may not exist yet.

        Raises NotPossibleHere without a memory controller.
        """
        version = self.memory_version
        if version == 1:
            others = {*self.v1.values()} | ({self.unified} if self.unified else set())
            return MemoryGroupV1(self.v1["memory"], tuple(others), path)
        if version == 2 and self.unified is not None:
            if path.endswith(_SCOPE):
                return MemoryGroupV2(self.unified, path, scope=_scope(Path(path).name))
            return MemoryGroupV2(self.unified, path)
        raise NotPossibleHere(
            "this machine has no memory control group (neither v1 nor v2): without one there is no "
            "memory pressure to apply; boot with cgroup_enable=memory, or use another machine"
        )

    def require_memory(self) -> None:
        """Raise NotPossibleHere where a lab's group could not limit memory.

        On version 2 a group has the controllers that its parent hands down. A lab never changes
        another program's group, so the root must hand memory down, or systemd makes the group.
        """
        self.memory_group("/probe-only")
        if self.memory_version != 2 or self.driver == "systemd" or self.unified is None:
            return
        handed_down = self.unified / "cgroup.subtree_control"
        if "memory" not in files.read(handed_down).split():
            raise NotPossibleHere(
                f"{handed_down} does not hand the memory controller down, so no group of the lab's "
                "own could limit memory: let it do so (echo +memory), or, in a container, use the "
                "machine itself"
            )


def _scope(unit: str) -> tuple[str, ...]:
    """Return the command line that starts a command in a scope delegated by systemd."""
    options = ("--scope", "--quiet", "--collect", f"--unit={unit}", "--property=Delegate=yes")
    return ("systemd-run", *options, "--")


def read_cgroup_host(mounts: Path = Path("/proc/self/mounts")) -> CgroupHost:
    """Read the mount table. Raises NotPossibleHere where it cannot be read."""
    with os_errors_as(f"{mounts} cannot be read", NotPossibleHere):
        lines = mounts.read_text().splitlines()
    v1: dict[str, Path] = {}
    unified: Path | None = None
    for line in lines:
        _, mount_point, kind, options, *_ = line.split()
        where = Path(mount_point)
        if kind == "cgroup2":
            unified = unified or where
        elif kind == "cgroup":
            for option in filter(_names_hierarchy, options.split(",")):
                v1.setdefault(option, where)
    return CgroupHost(v1=v1, unified=unified, driver=choose_driver())


def choose_driver(manager: Path = _SYSTEMD_IS_MANAGER) -> Driver:
    """Return the driver of ``$STAMPLAB_CGROUP_DRIVER``, else systemd where it is the manager.

    Raises UsageError for another name.
    """
    match os.environ.get(DRIVER_VARIABLE) or None:
        case "cgroupfs":
            return "cgroupfs"
        case "systemd":
            return "systemd"
        case None:
            is_managed = (
                manager.is_dir() and programs.find_systemd_client("systemd-run") is not None
            )
            return "systemd" if is_managed else "cgroupfs"
        case other:
            raise UsageError(f"{DRIVER_VARIABLE} must be cgroupfs or systemd, not {other!r}")


_MOUNT_OPTIONS = frozenset(
    {"rw", "ro", "nosuid", "nodev", "noexec", "relatime", "noatime", "xattr", "clone_children"}
)


def _names_hierarchy(option: str) -> bool:
    return option not in _MOUNT_OPTIONS and not option.startswith(("release_agent=", "seclabel"))
