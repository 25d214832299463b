"""One service from its creation to the end of a play, as an observer has seen it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import msgspec

from stamplab.harness.checks.ground_truth import ServiceObserver
from stamplab.lab.model.swarm import Service, Task


class ServiceTimeline(msgspec.Struct, frozen=True, kw_only=True):
    """What one service went through."""

    end: Service | None
    states: tuple[str | None, ...]
    """Its update states, in order; None is nil."""
    stamps: tuple[str | None, ...]
    digests: dict[str | None, str]
    """Of the tasks' template, by the stamp that it had."""
    first: frozenset[str]
    """The tasks that ran before the first update."""
    running: frozenset[str]
    """Tasks that run in the end, of whatever spec."""
    tasks: tuple[Task, ...]
    """All that were ever listed, as listed last; the first first."""
    was_running: frozenset[str]
    overlapped: bool
    """Whether tasks of two specs ever ran at once."""

    @property
    def state(self) -> str | None:
        """The last update state."""
        return self.states[-1] if self.states else None

    @property
    def stamp(self) -> str | None:
        """The last stamp."""
        return self.stamps[-1] if self.stamps else None

    @property
    def kept_first(self) -> bool:
        """Whether all tasks that ran before the first update run in the end."""
        return bool(self.first) and self.first <= self.running

    def new_tasks(self, stamp: str) -> list[Task]:
        """Tasks that were made of a stamp's template after the first update, the first first."""
        digest = self.digests.get(stamp)
        return [t for t in self.tasks if t.spec_digest == digest and t.id not in self.first]


def timeline_of(observer: ServiceObserver, first: Iterable[str]) -> ServiceTimeline:
    """Return a service's timeline, from all that was seen of it; ``first`` are tasks' ids."""
    seen = [(each.service, each.asked[0]) for each in observer.sightings if each.service]
    end = observer.last
    return ServiceTimeline(
        end=end.service if end else None,
        states=tuple(state for state, _ in groupby(service.update_state for service, _ in seen)),
        stamps=tuple(stamp for stamp, _ in groupby(stamp for _, stamp in seen)),
        digests={stamp: service.spec.task_digest for service, stamp in seen},
        first=frozenset(first),
        running=frozenset(t.id for t in end.tasks if t.state == "running") if end else frozenset(),
        tasks=tuple(observer.seen_tasks.values()),
        was_running=frozenset(observer.was_running),
        overlapped=observer.overlapped,
    )
