"""What really became of an upgrade, by somebody who does nothing but look at the swarm.

It shares no code with the guard: it is what the guard is held to. In virtual time it sees every
commit of the swarm's store, live all that the recorders saw. It knows which spec was deployed,
counts that spec's running tasks, and notes when the swarm went back.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from stamplab.lab.model.history import History, ServiceSeen, StageBegan, TasksSeen
from stamplab.lab.model.swarm import RUNNING, Service, ServiceSpec, Task
from stamplab.lab.virtual.mirror import Mirror

_ROUNDED_S = 1e-3
"""Records have rounded times, and a look may come a little later than what it sees."""
_DONE = (None, "completed")


class State(msgspec.Struct, frozen=True, kw_only=True):
    """The service after one commit."""

    at_s: float
    service: Service | None
    running_head: frozenset[str]
    """Running tasks of the head spec."""

    coming: bool = False
    """Whether a task of head, or another one that is wanted, is on its way and does not run yet."""

    @property
    def update_state(self) -> str | None:
        """The state of its last update, if there is such a service."""
        return self.service.update_state if self.service else None


class Truth:
    """The life of one service, through one upgrade."""

    def __init__(self, service: str) -> None:
        self._name = service
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
        self.states: list[State] = []

    def upgrade_begins(self) -> None:
        """From here on, the next other spec is the head's."""
        self._is_upgrading = True

    def on_commit(self, at_s: float, mirror: Mirror) -> None:
        """Look at a virtual swarm after a commit."""
        found = mirror.named(self._name)
        self.see(at_s, found[0] if found else None, mirror.tasks_of(self._name) or ())

    def see(self, at_s: float, service: Service | None, tasks: Iterable[Task]) -> None:
        """Look at the service and its tasks."""
        if service is not None:
            self._follow(at_s, service)
        listed = tuple(tasks)
        alive = [task for task in listed if not task.is_terminal]
        head = self.head.task_digest if self.head else None
        running = frozenset(
            task.id
            for task in alive
            if task.spec_digest == head and task.state == task.desired_state == RUNNING
        )
        self.failed |= {t.id for t in listed if t.spec_digest == head and t.has_failed}
        coming = any(
            task.state != RUNNING
            and (task.spec_digest == head or task.desired_state in ("ready", "running"))
            for task in alive
        )
        now = State(at_s=at_s, service=service, running_head=running, coming=coming)
        if not self.states or msgspec.structs.replace(self.states[-1], at_s=at_s) != now:
            self.states.append(now)

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

    def at(self, at_s: float) -> State | None:
        """The service as it was at a moment, after all of that moment's commits."""
        return next((state for state in reversed(self.states) if state.at_s <= at_s), None)

    @property
    def wanted(self) -> int:
        """How many tasks head asks for; a global service has one on its one node."""
        return 1 if self.head is None or self.head.replicas is None else self.head.replicas

    def is_at_head(self, state: State) -> bool:
        """By spec, by the swarm's own account, and by the wanted tasks, which all run."""
        if state.service is None or self.head is None:
            return False
        return (
            state.service.spec.digest == self.head.digest
            and state.update_state in _DONE
            and len(state.running_head) >= self.wanted
            and not state.coming
        )

    def ran_throughout(self, from_s: float, until_s: float) -> bool:
        """Whether as many tasks of head as are wanted ran all that time, since head was there.

        One more that ran for a while is no harm: where OLD dies under pressure, its slot gets a
        further task besides the updater's, and the swarm stops one of them when it is done.
        """
        since_s = max(from_s, self.applied_s or 0.0) + _ROUNDED_S
        first = self.at(since_s)
        later = [state for state in self.states if since_s < state.at_s <= until_s]
        running = [state.running_head for state in (first, *later) if state is not None]
        throughout = frozenset.intersection(*running) if running else ()
        return len(throughout) >= self.wanted

    def held_head(self, from_s: float, until_s: float) -> bool:
        """Whether it was at head at ``from_s`` and at every commit from there to ``until_s``."""
        first = self.at(from_s)
        if first is None:
            return False
        later = [state for state in self.states if from_s < state.at_s <= until_s]
        return all(self.is_at_head(state) for state in (first, *later))


def truth_of(history: History, service: str) -> Truth:
    """The same from what was recorded of a run: as good as its recorders were."""
    truth = Truth(service)
    present: Service | None = None
    tasks: tuple[Task, ...] = ()
    for record in history:
        match record.what:
            case StageBegan(stage="upgrade"):
                truth.upgrade_begins()
            case ServiceSeen(name=name, service=seen) if name == service:
                present = seen
                truth.see(record.seen_s, present, tasks)
            case TasksSeen(service=name, tasks=listed) if name == service:
                tasks = listed
                truth.see(record.seen_s, present, tasks)
            case _:
                continue
    return truth
