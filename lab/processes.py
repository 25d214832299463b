"""Processes by identity: a pid alone is reused, a pid with its start time and boot is not."""

from __future__ import annotations

from pathlib import Path

import msgspec
import psutil


class ProcessId(msgspec.Struct, frozen=True, kw_only=True):
    """One process of one boot, never to be mistaken for a later one with the same pid."""

    pid: int
    started_ticks: int
    """Start time in clock ticks since boot.

    Exact, and untouched by clock steps (proc(5), stat 22).
    """
    boot_id: str

    @staticmethod
    def of(pid: int) -> ProcessId | None:
        """Identify a running process; None when there is none."""
        started = _started_ticks(pid)
        if started is None:
            return None
        return ProcessId(pid=pid, started_ticks=started, boot_id=boot_id())

    def is_alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        if self.boot_id != boot_id() or _started_ticks(self.pid) != self.started_ticks:
            return False
        try:
            return psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def kill(self, timeout_s: float) -> bool:
        """Kill this very process and wait for its end; True when it is gone."""
        if not self.is_alive():
            return True
        try:
            process = psutil.Process(self.pid)
            process.kill()
            process.wait(timeout_s)
        except psutil.NoSuchProcess:
            return True
        except psutil.TimeoutExpired:
            return not self.is_alive()
        return True


def boot_id() -> str:
    """The kernel's identifier of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _started_ticks(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # The command's name, in brackets, may itself hold brackets and spaces.
    return int(stat.rpartition(")")[2].split()[19])
