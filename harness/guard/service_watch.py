"""One service that a deploy is about, from its baseline to its guard's ruling. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from stamplab.harness.guard import Baseline, Expectation, Guard
from stamplab.lab.model.history import Record, ServiceSeen
from stamplab.lab.model.swarm import Service


class Watched:
    """One service: its baseline, what was seen of it, and its guard once the deploy has ended."""

    def __init__(self, baseline: Baseline) -> None:
        self.baseline = baseline
        self.now: Service | None = baseline.service
        self.guard: Guard | None = None
        self.was_there = baseline.service is not None
        self._seen: list[tuple[Record, ...]] = []

    def feed(self, records: Iterable[Record]) -> None:
        """Take in what one look has shown of it."""
        look = tuple(records)
        for record in look:
            if isinstance(record.what, ServiceSeen):
                self.now = record.what.service
                self.was_there |= self.now is not None
        if self.guard is None:
            self._seen.append(look)
        elif look:
            self.guard.feed_all(look)

    def judge(self, expectation: Expectation) -> None:
        """Begin to judge, from what was seen until now on."""
        self.guard = Guard(self.baseline, expectation)
        for look in self._seen:
            self.guard.feed_all(look)
        self._seen.clear()
