"""Time where a real swarm is watched: seconds since that began, by a clock never stepped."""

from __future__ import annotations

import time


class WorldClock:
    """Maps the machine's three clocks (monotonic, wall, kernel log) onto the world's one."""

    def __init__(self) -> None:
        self._monotonic_s = time.monotonic()
        self.began_unix_s = time.time()

    def now_s(self) -> float:
        """Seconds since the world began."""
        return time.monotonic() - self._monotonic_s

    def of_unix(self, unix_s: float) -> float:
        """World time of a wall-clock timestamp; wrong by any step of that clock since we began."""
        return unix_s - self.began_unix_s

    def of_boot(self, since_boot_s: float) -> float:
        """World time of a kernel log timestamp.

        The kernel stamps its log by local_clock(), which keeps to CLOCK_MONOTONIC within
        milliseconds.
        """
        return since_boot_s - self._monotonic_s
