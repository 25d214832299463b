"""Control groups version 2: one hierarchy for all controllers.

A lab has a home of its own in it::

    <home>            no process: only so may it hand controllers down (cgroup-v2.rst, "No Internal
    │                 Process Constraint")
    ├── daemon        dockerd and all that it starts besides containers; never limited
    └── tasks         the memory group: one group a container below it; the limit is set here

The daemon sees ``<home>`` as the root of the hierarchy, by a cgroup namespace: runc enables every
controller in each group from the root down to the container (runc 1.1.5, cgroups/fs2/create.go),
and must not do that in the host's.

Two drivers make the home. *cgroupfs*: a folder in the hierarchy's root. *systemd*: a transient
scope with ``Delegate=yes``, which is how systemd wants it on machines that it manages, and which it
removes with the last process. The daemon's own driver is cgroupfs in either case: under the systemd
driver runc names processes to systemd by their pid in its own pid namespace, so systemd would move
foreign processes of the same number.
"""

from __future__ import annotations

from pathlib import Path

from stamplab.lab.cgroup import files
from stamplab.lab.errors import LabError

# The groups of a lab's home (ADR 0009).
_DAEMON = "daemon"
_TASKS = "tasks"
_ENTER = Path(__file__).parent / "enter.sh"


class MemoryGroupV2:
    """The tasks' group of one lab's home.

    Evidence of a kill is ``oom_kill`` in its hierarchical ``memory.events`` (kernel cgroup-v2.rst;
    ``memory.events.local`` stays 0 for kills in children), besides the kernel log's line.
    """

    engine_parent = f"/{_TASKS}"

    def __init__(self, root: Path, home: str, *, scope: tuple[str, ...] = ()) -> None:
        self._home = root / home.lstrip("/")
        self._group = self._home / _TASKS
        self._scope = scope
        self.path = f"{home}/{_TASKS}"
        self.entry = (*scope, "sh", str(_ENTER), str(self._home), _DAEMON)
        """Command line that enters the home by a cgroup namespace, then its leaf; see enter.sh."""

    def create(self) -> None:
        """Make the home, unless systemd makes it."""
        if not self._scope:
            files.make_group(self._home)

    def settle(self) -> None:
        """Hand the memory controller down to the tasks' group, and make that group."""
        if "memory" not in files.read(self._home / "cgroup.controllers").split():
            raise LabError(f"the memory controller is not enabled for {self._home}")
        files.write(self._home / "cgroup.subtree_control", "+memory")
        files.make_group(self._group)
        swap = self._group / "memory.swap.max"
        if swap.exists():
            files.write(swap, "0")

    def usage_bytes(self) -> int:
        """Return the memory charged to the group and all below it."""
        return int(files.read(self._group / "memory.current"))

    def limit_bytes(self) -> int | None:
        """Return the limit, or None."""
        limit = files.read(self._group / "memory.max")
        return None if limit == "max" else int(limit)

    def set_limit(self, limit_bytes: int | None) -> None:
        """Set or lift the limit; the limit of swap stays 0."""
        files.write(self._group / "memory.max", "max" if limit_bytes is None else str(limit_bytes))

    def peak_bytes(self) -> int | None:
        """Return the most that was ever charged (kernel 5.19 and later)."""
        peak = self._group / "memory.peak"
        return int(files.read(peak)) if peak.exists() else None

    def oom_kills(self) -> int | None:
        """Return ``oom_kill`` of the group and below; ``oom`` beside it counts attempts."""
        return files.read_counters(self._group / "memory.events").get("oom_kill")

    def stalled_s(self) -> float | None:
        """Return PSI's ``full`` total of the group."""
        return files.read_stalled_s(self._group / "memory.pressure")

    def containers(self) -> dict[str, int]:
        """Return the usage in bytes of each container in the group, by container id."""
        return files.usage_by_child(self._group, "memory.current")

    def remove(self) -> None:
        """Remove the home and all below it that systemd has not removed."""
        files.remove_tree(self._home)
