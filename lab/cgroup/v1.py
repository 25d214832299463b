"""Control groups version 1: one hierarchy for each controller."""

from __future__ import annotations

from pathlib import Path

from stamplab.lab.cgroup import files

_NO_LIMIT_FROM = 1 << 60
"""The kernel shows "no limit" as the largest multiple of a page in 63 bits."""


class MemoryGroupV1:
    """A group of the memory hierarchy, and its namesakes in the other hierarchies.

    The parent's ``memory.oom_control`` does not count kills in its children (seen on 6.18): the
    evidence of a kill is the kernel log's, see `stamplab.lab.cgroup.kernel_log`.
    """

    entry: tuple[str, ...] = ()
    """Empty: the daemon stays in its caller's group, for version 1 takes groups anywhere."""

    def __init__(self, memory_root: Path, other_roots: tuple[Path, ...], path: str) -> None:
        self.path = path
        self.engine_parent = path
        self._roots = {memory_root, *other_roots}
        self._group = memory_root / path.lstrip("/")

    def create(self) -> None:
        """Make the group; the engine makes its namesakes in the other hierarchies."""
        files.make_group(self._group)
        hierarchical = self._group / "memory.use_hierarchy"
        if hierarchical.exists() and files.read(hierarchical) == "0":
            files.write(hierarchical, "1")
        swappiness = self._group / "memory.swappiness"
        if swappiness.exists():
            files.write(swappiness, "0")

    def settle(self) -> None:
        """Make nothing more."""

    def usage_bytes(self) -> int:
        """Return the memory charged to the group and all below it."""
        return int(files.read(self._group / "memory.usage_in_bytes"))

    def limit_bytes(self) -> int | None:
        """Return the limit, or None."""
        limit = int(files.read(self._group / "memory.limit_in_bytes"))
        return None if limit >= _NO_LIMIT_FROM else limit

    def set_limit(self, limit_bytes: int | None) -> None:
        """Set or lift the limit of memory, and the same of memory plus swap.

        The kernel wants ``memsw >= memory`` at every moment, so the order depends on the direction.
        """
        value = "-1" if limit_bytes is None else str(limit_bytes)
        memory = self._group / "memory.limit_in_bytes"
        with_swap = self._group / "memory.memsw.limit_in_bytes"
        before = self.limit_bytes()
        is_raised = limit_bytes is None or (before is not None and limit_bytes > before)
        for file in (with_swap, memory) if is_raised else (memory, with_swap):
            if file.exists():
                files.write(file, value)

    def peak_bytes(self) -> int | None:
        """Return the most that was ever charged."""
        return int(files.read(self._group / "memory.max_usage_in_bytes"))

    def oom_kills(self) -> int | None:
        """Return None: each group counts its own kills alone, and the count goes with the group."""
        return None

    def stalled_s(self) -> float | None:
        """Return None: the kernel keeps PSI for groups of version 2 only."""
        return None

    def containers(self) -> dict[str, int]:
        """Return the usage in bytes of each container in the group, by container id."""
        return files.usage_by_child(self._group, "memory.usage_in_bytes")

    def remove(self) -> None:
        """Remove the group and all below it, in every hierarchy."""
        for root in self._roots:
            files.remove_tree(root / self.path.lstrip("/"))
