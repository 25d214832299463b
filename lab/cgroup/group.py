"""The interface that every version of the kernel's control groups is put behind."""

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
        ...

    @property
    def engine_parent(self) -> str:
        """What the engine is told as ``cgroup-parent``: the same group, as the daemon sees it."""
        ...

    @property
    def entry(self) -> tuple[str, ...]:
        """What stands before the command line of the daemon's namespaces, if anything.

        It puts them where this group can be made beside them. Its programs are the lab's own tools.
        """
        ...

    def create(self) -> None:
        """Make what must be there before the daemon starts."""
        ...

    def settle(self) -> None:
        """Make the rest, once the daemon's first process is in its place: empty, without a limit.

        From then on it can be measured.
        """
        ...

    def usage_bytes(self) -> int:
        """Memory charged to the group and all below it."""
        ...

    def limit_bytes(self) -> int | None:
        """The limit, or None."""
        ...

    def set_limit(self, limit_bytes: int | None) -> None:
        """Set or lift the limit.

        Swap is kept out of it, so that pressure ends in the OOM killer.
        """
        ...

    def peak_bytes(self) -> int | None:
        """The most that was ever charged; None where this kernel does not say."""
        ...

    def oom_kills(self) -> int | None:
        """Processes that the OOM killer killed in the group and below; None where uncounted.

        The count outlives the containers that it happened in.
        """
        ...

    def stalled_s(self) -> float | None:
        """Seconds in which all tasks at once waited for memory (PSI ``full``); None without."""
        ...

    def containers(self) -> dict[str, int]:
        """Usage in bytes of each container in the group, by container id."""
        ...

    def remove(self) -> None:
        """Remove the group and all below it, in every hierarchy. Its processes must be gone."""
        ...
