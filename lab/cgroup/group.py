"""The interface that every version of the kernel's control groups is put behind."""

from __future__ import annotations

from typing import Protocol


class MemoryGroup(Protocol):
    """One lab's memory control group: all of its containers live in it, the daemon does not.

    Every method raises LabError when the kernel refuses, with the file and the kernel's reason.
    """

    @property
    def path(self) -> str:
        """The group's path from the hierarchy's root, e.g. ``/stamplab-1a2b3c4d``."""
        ...

    def create(self) -> None:
        """Make the group, empty and without a limit."""
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

    def containers(self) -> dict[str, int]:
        """Usage in bytes of each container in the group, by container id."""
        ...

    def remove(self) -> None:
        """Remove the group and all below it, in every hierarchy. Its processes must be gone."""
        ...
