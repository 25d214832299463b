"""The ground truth of the incident's upgrade: whether head was there, ran, and stayed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stamplab.harness.checks.ground_truth import ServiceObserver, ServiceSighting
from stamplab.lab.model.history import History, ServiceSeen, StageBegan, TasksSeen
from stamplab.lab.model.swarm import RUNNING, Service, ServiceSpec, Task
from stamplab.lab.virtual.mirror import Mirror

_ROUNDED_S = 1e-3
"""Records have rounded times, and a look may come a little later than what it sees."""
_DONE = (None, "completed")


class UpgradeObserver(ServiceObserver):
    """An observer that knows which spec is the head's: the first other one after the beginning."""

    def __init__(self, service: str) -> None:
        super().__init__(service)
        self._is_upgrading = False
        self._base: ServiceSpec | None = None
        self.head: ServiceSpec | None = None
        """As the swarm first had it."""
        self.applied_s: float | None = None
        self.rolled_back_s: float | None = None
        """When the swarm itself, and nobody by hand, began to go back."""
        self.updates: list[tuple[float, ServiceSpec]] = []
        """Every other spec that the service had after head, with when it began."""
        self.failed: set[str] = set()
        """Tasks of head that have ever failed."""

    def upgrade_begins(self) -> None:
        """Take the next other spec for the head's."""
        self._is_upgrading = True

    def on_commit(self, at_s: float, mirror: Mirror) -> None:
        """Look at a virtual swarm after a commit."""
        named = mirror.named(self.name)
        self.see(at_s, named[0] if named else None, mirror.tasks_of(self.name) or ())

    def see(self, at_s: float, service: Service | None, tasks: Iterable[Task]) -> None:
        """Take in the service and its tasks as they are at a moment."""
        listed = tuple(tasks)
        super().see(at_s, service, listed)
        if service is not None:
            self._follow(at_s, service)
        if self.head is not None:
            digest = self.head.task_digest
            self.failed |= {t.id for t in listed if t.has_failed and t.spec_digest == digest}

    def _follow(self, at_s: float, service: Service) -> None:
        if not self._is_upgrading:
            self._base = service.spec
            return
        if self.head is None:
            if self._base is None or service.spec.digest != self._base.digest:
                self.head, self.applied_s = service.spec, at_s
            return
        # A rollback by hand swaps the two specs (SwarmKit service.go:893), the swarm's own leaves
        # no previous one (updater.go:607); the message tells them apart only until it has ended.
        by_itself = service.previous_spec is None
        is_back = (service.update_state or "").startswith("rollback") and by_itself
        if self.rolled_back_s is None and is_back:
            self.rolled_back_s = at_s
        before = self.updates[-1][1] if self.updates else self.head
        if service.spec.digest != before.digest:
            self.updates.append((at_s, service.spec))

    @property
    def was_applied(self) -> bool:
        """Whether the swarm ever had the head spec."""
        return self.head is not None

    def at(self, at_s: float) -> ServiceSighting | None:
        """Return the service as it was at a moment, after all of that moment's commits."""
        return next((seen for seen in reversed(self.sightings) if seen.at_s <= at_s), None)

    def between(self, from_s: float, until_s: float) -> Iterator[ServiceSighting]:
        """Return the service as it was at ``from_s``, and each change from there to ``until_s``."""
        first = self.at(from_s)
        if first is not None:
            yield first
        yield from (seen for seen in self.sightings if from_s < seen.at_s <= until_s)

    @property
    def wanted(self) -> int:
        """How many tasks head asks for; a global service has one on its one node."""
        return 1 if self.head is None or self.head.replicas is None else self.head.replicas

    def running_head(self, seen: ServiceSighting) -> frozenset[str]:
        """Return the running tasks of the head spec."""
        return seen.running_of(self.head.task_digest if self.head else None)

    def is_at_head(self, seen: ServiceSighting) -> bool:
        """Whether spec, update state and the wanted tasks, which all run, are head's."""
        if seen.service is None or self.head is None:
            return False
        return (
            seen.service.spec.digest == self.head.digest
            and seen.update_state in _DONE
            and seen.slots_of(self.running_head(seen)) >= self.wanted
            and not self.is_coming(seen)
        )

    def is_coming(self, seen: ServiceSighting) -> bool:
        """Whether a task of head, or another wanted one, is on its way and does not run yet."""
        head = self.head.task_digest if self.head else None
        return any(
            not task.is_terminal
            and task.state != RUNNING
            and (task.spec_digest == head or task.desired_state in ("ready", "running"))
            for task in seen.tasks
        )

    def ran_throughout(self, from_s: float, until_s: float) -> bool:
        """Whether as many tasks of head as are wanted ran all that time, since head was there.

        One more that ran for a while is no harm: where OLD dies under pressure, its slot gets a
        further task besides the updater's, and the swarm stops one of them when it is done.
        """
        since_s = max(from_s, self.applied_s or 0.0) + _ROUNDED_S
        seen = list(self.between(since_s, until_s))
        if not seen:
            return self.wanted == 0
        throughout = frozenset.intersection(*map(self.running_head, seen))
        return seen[-1].slots_of(throughout) >= self.wanted

    def held_head(self, from_s: float, until_s: float) -> bool:
        """Whether the service was at head at ``from_s`` and at each change up to ``until_s``."""
        return self.at(from_s) is not None and all(
            self.is_at_head(seen) for seen in self.between(from_s, until_s)
        )


def upgrade_observed(history: History, service: str) -> UpgradeObserver:
    """Return an observer that was shown a recorded run: as good as its recorders were."""
    observer = UpgradeObserver(service)
    for record in history:
        match record.what:
            case StageBegan(stage="upgrade"):
                observer.upgrade_begins()
            case ServiceSeen() | TasksSeen():
                observer.feed(record.seen_s, record.what)
    return observer
