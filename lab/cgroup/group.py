"""The interface of both versions of the kernel's memory control groups."""

from __future__ import annotations

from typing import Protocol


# No library serves v2 (ADR 0053).
class MemoryGroup(Protocol):
    """One lab's memory control group: all of its containers live in it, the daemon does not.

    Every method raises LabError when the kernel refuses, with the file and the kernel's reason.
    """

    @property
    def path(self) -> str:
        """The group's path from the hierarchy's root, e.g. ``/stamplab-1a2b3c4d``."""

    @property
    def engine_parent(self) -> str:
        """The engine's ``cgroup-parent``: the same group's path, as the daemon sees it."""

    @property
    def entry(self) -> tuple[str, ...]:
        """Command line that runs the one of the daemon's namespaces; empty where none is needed.

        It moves them to where this group can be made beside them, by the lab's own tools.
        """

    def create(self) -> None:
        """Make the groups that the daemon needs for its start."""

    def settle(self) -> None:
        """Make the remaining groups, once the daemon's first process is in its own.

        From then on the group can be measured; it is empty and has no limit.
        """

    def usage_bytes(self) -> int:
        """Return the memory charged to the group and all below it."""

    def limit_bytes(self) -> int | None:
        """Return the limit, or None."""

    def set_limit(self, limit_bytes: int | None) -> None:
        """Set or lift the limit.

        The group gets no swap, so that pressure ends in the OOM killer.
        """

    def peak_bytes(self) -> int | None:
        """Return the most that was ever charged; None where this kernel does not count it."""

    def oom_kills(self) -> int | None:
        """Return the number of OOM kills in the group and below; None where uncounted.

        Kills in containers that are gone are counted.
        """

    def stalled_s(self) -> float | None:
        """Return seconds for which all tasks at once waited for memory (PSI ``full``), or None."""

    def containers(self) -> dict[str, int]:
        """Return the usage in bytes of each container in the group, by container id."""

    def remove(self) -> None:
        """Remove the group and all below it, in every hierarchy. Its processes must be gone."""
