"""The kernel's own record of OOM kills, read from ``/dev/kmsg``.

The log is the only evidence that names the victim's control group on both cgroup versions. Two
lines matter:
``oom-kill:constraint=CONSTRAINT_MEMCG,…,oom_memcg=/lab,task_memcg=/lab/<container>,task=…,pid=…``
and ``Memory cgroup out of memory: Killed process …``. The pid in them is the initial namespace's,
so the victim is known by its control group, not by its pid. (kernel: mm/oom_kill.c,
dump_oom_summary and __oom_kill_process.)
"""

from __future__ import annotations

import re
from collections import deque

from stamplab.lab.model.history import OomKill

_SUMMARY = re.compile(
    r"oom-kill:constraint=CONSTRAINT_MEMCG,.*oom_memcg=(?P<limited>[^,]+),"
    r"task_memcg=(?P<victim>[^,]+),task=(?P<process>.*),pid=(?P<pid>\d+),uid=\d+"
)
_KILLED = re.compile(
    r"Memory cgroup out of memory: Killed process (?P<pid>\d+) .*anon-rss:(?P<rss>\d+)kB"
)
_USAGE = re.compile(r"memory: usage (?P<usage>\d+)kB, limit (?P<limit>\d+)kB")
_CONTAINER = re.compile(r"(?:^|/)(?:docker-)?(?P<id>[0-9a-f]{64})(?:\.scope)?$")
_MICROSECONDS = re.compile(rb"\d{1,20}")
"""The kernel's clock has 64 bits."""
_KIB = 1024
_REPORT_LINES = 200
"""One OOM report is longer than this only on a machine with hundreds of processes in the group."""


# Neither the engine's OOMKilled nor a counter names the victim (ADR 0005).
class OomReader:
    """Reads kernel log messages one by one, and returns each OOM kill in the lab's group."""

    def __init__(self, group: str) -> None:
        self._group = group.rstrip("/")
        self._summary: re.Match[str] | None = None
        self._usage: re.Match[str] | None = None
        self._recent: deque[str] = deque(maxlen=_REPORT_LINES)

    def feed(self, message: str) -> OomKill | None:
        """Read one message (without its kmsg prefix); return the kill that it completes."""
        if " invoked oom-killer: " in message:
            self._summary = self._usage = None
            self._recent.clear()
        self._recent.append(message)
        self._usage = _USAGE.search(message) or self._usage
        self._summary = _SUMMARY.search(message) or self._summary
        killed = _KILLED.search(message)
        if killed is None or self._summary is None or killed["pid"] != self._summary["pid"]:
            return None
        kill = self._kill(self._summary, killed)
        self._summary = None
        return kill

    def _kill(self, summary: re.Match[str], killed: re.Match[str]) -> OomKill | None:
        victim = summary["victim"]
        container = _CONTAINER.search(victim)
        if container is None or not f"{victim}/".startswith(f"{self._group}/"):
            return None
        usage = self._usage
        return OomKill(
            container_id=container["id"],
            cgroup=victim,
            limited_cgroup=summary["limited"],
            pid=int(killed["pid"]),
            process=summary["process"],
            anon_rss_bytes=int(killed["rss"]) * _KIB,
            usage_bytes=int(usage["usage"]) * _KIB if usage else None,
            limit_bytes=int(usage["limit"]) * _KIB if usage else None,
            lines=tuple(self._recent),
        )


def parse_kmsg(record: bytes) -> tuple[float, str] | None:
    """Split a record of ``/dev/kmsg``: seconds since boot, and message; None for other bytes.

    Format (Documentation/ABI/testing/dev-kmsg): ``prio,seq,usec,flags;message`` and continuation
    lines.
    """
    prefix, separator, rest = record.partition(b";")
    fields = prefix.split(b",")
    if not separator or len(fields) < 3 or not _MICROSECONDS.fullmatch(fields[2]):
        return None
    message = rest.split(b"\n", 1)[0].decode("utf-8", "replace")
    return int(fields[2]) / 1_000_000, message
