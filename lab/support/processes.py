"""Processes by identity: pids are reused, a pid with its start time and boot is unique."""

from __future__ import annotations

from pathlib import Path

import msgspec
import psutil


class ProcessId(msgspec.Struct, frozen=True, kw_only=True):
    """The identity of a process, different from that of a later process with the same pid."""

    pid: int
    started_ticks: int
    """Start time in clock ticks since boot.

    Exact, and untouched by clock steps (proc(5), stat 22).
    """
    boot_id: str
    namespace: str | None
    """The pid namespace that ``pid`` counts in, e.g. ``pid:[4026531836]``."""

    @staticmethod
    def of(pid: int) -> ProcessId | None:
        """Identify a running process; None when there is none."""
        started = _started_ticks(pid)
        if started is None:
            return None
        return ProcessId(
            pid=pid, started_ticks=started, boot_id=boot_id(), namespace=pid_namespace()
        )

    @property
    def token(self) -> str:
        """The identity as a part of a file's name; `from_token` parses it."""
        return f"{self.pid}.{self.started_ticks}.{self.boot_id}.{self.namespace}"

    @staticmethod
    def from_token(token: str) -> ProcessId | None:
        """Parse an identity from a file's name; None where the text is no identity."""
        pid, _, rest = token.partition(".")
        ticks, _, rest = rest.partition(".")
        boot, _, namespace = rest.partition(".")
        if not (pid.isdecimal() and ticks.isdecimal() and boot and namespace):
            return None
        return ProcessId(pid=int(pid), started_ticks=int(ticks), boot_id=boot, namespace=namespace)

    @property
    def in_other_pid_namespace(self) -> bool:
        """Whether the process belongs to another pid namespace of this boot, unseen from here."""
        return self.boot_id == boot_id() and self.namespace != pid_namespace()

    def is_alive(self) -> bool:
        """Tell whether this very process still runs; a zombie does not."""
        if self.boot_id != boot_id() or _started_ticks(self.pid) != self.started_ticks:
            return False
        try:
            return psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def kill(self, timeout_s: float) -> bool:
        """Kill this very process; tell whether it ended within ``timeout_s``."""
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


def processes_with_variable(variable: str, value: str) -> list[ProcessId]:
    """Find all processes that were started with a variable in their environment.

    Children inherit the variable, so orphans are found too; other users' processes are not.
    """
    entry = f"{variable}={value}".encode()
    identities = []
    for pid in psutil.pids():
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue  # the process has just ended, or is another user's
        identity = ProcessId.of(pid) if entry in environment else None
        if identity is not None:
            identities.append(identity)
    return identities


def pid_namespace(pid: int | str = "self") -> str | None:
    """Return the pid namespace of a process; None where the process has ended."""
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return None


def boot_id() -> str:
    """Return the kernel's identifier of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _started_ticks(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # The command's name, in brackets, may contain brackets and spaces.
    return int(stat.rpartition(")")[2].split()[19])
