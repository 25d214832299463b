"""Where a virtual world's records go: to a file as live, or, for a search, into memory only."""

from __future__ import annotations

from typing import Protocol

from stamplab.lab.model.history import Observation, Record, placed


class VirtualClock:
    """The virtual time, which the world advances."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def now_s(self) -> float:
        """Return the seconds since the world began."""
        return self._now_s

    def move_to(self, now_s: float) -> None:
        """Advance to a time; an earlier one changes nothing."""
        self._now_s = max(self._now_s, now_s)


class Journal(Protocol):
    """Takes observations and returns each record once, as a `HistoryWriter` does."""

    def append(self, source: str, what: Observation, happened_s: float | None = None) -> None:
        """Record one observation, seen now."""

    def take(self, timeout_s: float) -> Record | None:
        """Return the oldest record not yet taken, or None. Raises LabError."""


class MemoryJournal:
    """A history in memory: nothing is written to disk."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.records: list[Record] = []
        self._taken = 0

    def append(self, source: str, what: Observation, happened_s: float | None = None) -> None:
        """Record one observation, seen now."""
        seen_s = self._clock.now_s()
        self.records.append(placed(len(self.records), source, what, seen_s, happened_s))

    def take(self, timeout_s: float) -> Record | None:
        """Return the oldest record not yet taken, or None at once: no thread adds any."""
        del timeout_s
        if self._taken == len(self.records):
            return None
        self._taken += 1
        return self.records[self._taken - 1]
