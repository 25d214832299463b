"""What control groups this machine has, read from the mount table."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lab.cgroup import files
from lab.cgroup.group import MemoryGroup
from lab.cgroup.v1 import MemoryGroupV1
from lab.errors import NotPossibleHere


class CgroupHost(msgspec.Struct, frozen=True, kw_only=True):
    """The mounted hierarchies: v1 ones by their options, and the unified one where there is one."""

    v1: dict[str, Path]
    """Mount point by controller, or by ``name=…`` for a hierarchy without one."""
    unified: Path | None

    @property
    def memory_version(self) -> int | None:
        """1 or 2.

        The version that the memory controller is on here; None where it is on neither. Raises
        LabError where the unified hierarchy cannot be read.
        """
        if "memory" in self.v1:
            return 1
        if self.unified is None:
            return None
        controllers = files.read(self.unified / "cgroup.controllers")
        return 2 if "memory" in controllers.split() else None

    def memory_group(self, path: str) -> MemoryGroup:
        """Give the group of that path, not yet made.

        Raises NotPossibleHere without a controller.
        """
        version = self.memory_version
        if version == 1:
            others = {*self.v1.values()} | ({self.unified} if self.unified else set())
            return MemoryGroupV1(self.v1["memory"], tuple(others), path)
        if version == 2:
            raise NotPossibleHere(
                "this machine's memory controller is on cgroup v2, which the lab does not drive yet"
            )
        raise NotPossibleHere(
            "this machine has no memory control group (neither v1 nor v2): without one there is no "
            "memory pressure to apply; boot with cgroup_enable=memory, or use another machine"
        )


def read_cgroup_host(mounts: Path = Path("/proc/self/mounts")) -> CgroupHost:
    """Read the mount table. Raises NotPossibleHere where it cannot be read."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError as error:
        raise NotPossibleHere(f"{mounts} cannot be read: {error.strerror}") from error
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
    return CgroupHost(v1=v1, unified=unified)


_MOUNT_OPTIONS = frozenset(
    {"rw", "ro", "nosuid", "nodev", "noexec", "relatime", "noatime", "xattr", "clone_children"}
)


def _names_hierarchy(option: str) -> bool:
    return option not in _MOUNT_OPTIONS and not option.startswith(("release_agent=", "seclabel"))
