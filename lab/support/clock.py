"""The time of a watched real swarm: seconds since the watching began, by CLOCK_MONOTONIC."""

from __future__ import annotations

import time


class WorldClock:
    """Maps the machine's clocks (monotonic, wall, kernel log) to seconds since its creation."""

    def __init__(self) -> None:
        self._monotonic_s = time.monotonic()
        self.began_unix_s = time.time()

    def now_s(self) -> float:
        """Return seconds since the clock's creation."""
        return time.monotonic() - self._monotonic_s

    def of_unix(self, unix_s: float) -> float:
        """Convert a wall-clock timestamp; steps of the wall clock since the creation are errors."""
        return unix_s - self.began_unix_s

    def of_boot(self, since_boot_s: float) -> float:
        """Convert a kernel log timestamp.

        The kernel uses local_clock(), which follows CLOCK_MONOTONIC within milliseconds.
        """
        return since_boot_s - self._monotonic_s
