"""What the guard has seen of one update so far: a fold over observations, nothing else.

The view holds no opinion; the rules (`stamplab.harness.guard.rules`) do.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from stamplab.harness.guard import modes
from stamplab.lab.model.history import Deployed, Observation, RecorderLost, ServiceSeen, TasksSeen
from stamplab.lab.model.swarm import RUNNING, WANTED_STATES, Service, ServiceSpec, Task
from stamplab.lab.world import World

BY_HAND = "somebody rolled back by hand: a swarm's own rollback keeps no PreviousSpec"
_CAME_LATE = "a new spec came after the deploy had returned and brought none"


def update_status_started(service: Service | None) -> str | None:
    """When the service's last update started: it tells a stale status from this update's."""
    status = service.update_status if service else None
    return status.started_at if status else None


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """The service as it was before the deploy.

    Without it no status can be told from a stale one.
    """

    name: str
    service: Service | None

    @staticmethod
    def capture(world: World, stack: str, name: str) -> Baseline:
        """Look at the service now. Call it before the deploy.

        What was recorded until now is taken off the world, so that what `World.next` gives from
        here on began with this baseline.
        """
        while world.next(world.now_s()) is not None:
            pass
        baseline = Baseline(name=name, service=world.inspect(name))
        world.look(stack)
        return baseline

    @property
    def spec(self) -> ServiceSpec | None:
        """The spec before the deploy; None where the deploy creates the service."""
        return self.service.spec if self.service else None

    @property
    def status_started(self) -> str | None:
        """See `update_status_started`."""
        return update_status_started(self.service)


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """What the deploy is meant to bring about, and how long it may take."""

    deadline_s: float
    """World time at which the guard gives up."""
    labels: dict[str, str] = {}
    """Service labels that the applied spec must carry: the stamp that the deploy says it took."""
    hold_s: float = 0.0
    """How long its tasks must run at least before it counts as converged.

    The server's own hold is the least; an application that fails later than that needs more.
    """


class View:
    """The state of one update as far as it has been observed."""

    def __init__(self, baseline: Baseline) -> None:
        self.baseline = baseline
        self.now_s = 0.0
        self.deployed: Deployed | None = None
        self.looked_since_deploy = False
        self.service: Service | None = baseline.service
        self.applied: ServiceSpec | None = None
        """The spec that this deploy brought: the first one that is not the baseline's."""
        self.update_started: str | None = None
        self.foreign: str | None = None
        """Why somebody else's update must have come in between."""
        self.was_reverted = False
        """Whether the swarm had begun to go back before any other update came in between."""
        self.lost: str | None = None
        self._service_id = baseline.service.id if baseline.service else None
        self.tasks: tuple[Task, ...] = ()
        self.failed: dict[str, Task] = {}
        """Each task that was listed as failed, as listed last, by its id; the first first.

        Those of before the deploy are not among them.
        """
        self._failed_before: frozenset[str] | None = None
        self.state_since_s = 0.0
        """When the update's own state last changed."""
        self._blamed_task: str | None = None
        self.running: frozenset[str] = frozenset()
        """Tasks that do what the service's present spec asks for; see `modes.serving`."""
        self.running_since_s = 0.0
        """When that set last changed; as far as is known, when the last one of them came to run."""
        self.coming: tuple[Task, ...] = ()
        """Tasks that do not run yet: wanted ones of any spec, and of the present spec all.

        One that was told to end while it booted may boot on for a while, and take memory.
        """

    def feed(self, seen_s: float, what: Observation) -> None:
        """Take in one observation."""
        self.now_s = max(self.now_s, seen_s)
        match what:
            case ServiceSeen(name=name) if name == self.baseline.name:
                self._see_service(what.service)
                self._count_running({})
            case TasksSeen(service=name) if name == self.baseline.name:
                self.tasks = what.tasks
                self._see_failed(what.tasks)
                self._count_running(what.running_since_s)
            case Deployed():
                self.deployed = what
                self.looked_since_deploy = False
            case RecorderLost(recorder=recorder, reason=reason) if self.lost is None:
                self.lost = f"{recorder}: {reason}"
            case _:
                pass

    @property
    def spec_is_baseline(self) -> bool:
        """Whether the service's present spec is the one from before the deploy."""
        base = self.baseline.spec
        return (
            self.service is not None
            and base is not None
            and self.service.spec.digest == base.digest
        )

    @property
    def is_reverted(self) -> bool:
        """Whether the swarm has put the spec from before the deploy back, or has begun to.

        Every update leaves its PreviousSpec, and a rollback alone erases it (updater.go:607): so an
        update of our own with the old spec and no PreviousSpec was rolled back, seen or unseen.
        """
        if self.service is None or self.own_state is None:
            return self.applied is not None and self.spec_is_baseline
        was_applied = self.applied is not None or self.service.previous_spec is None
        return was_applied and self.spec_is_baseline

    @property
    def own_state(self) -> str | None:
        """The update state, unless it is left over from before the deploy.

        An update keeps its start to its end, rollback included, and no two have the same.
        """
        if self.service is None or self.service.update_status is None:
            return None
        if update_status_started(self.service) == self.baseline.status_started:
            return None
        return self.service.update_status.state

    @property
    def failed_task(self) -> str | None:
        """The task that the update failed by, if that is known.

        The update's message names it, until the update is over (updater.go:607): a rollback with
        nothing to do is over within a millisecond (seen), and nobody may have read it. Then it is
        the first task of the rolled-back spec that was listed as failed.
        """
        if self._blamed_task is not None or not self.is_reverted or self.applied is None:
            return self._blamed_task
        digest = self.applied.task_digest
        return next((task.id for task in self.failed.values() if task.spec_digest == digest), None)

    def _see_failed(self, tasks: tuple[Task, ...]) -> None:
        failed = {task.id: task for task in tasks if task.has_failed}
        if self._failed_before is None:
            is_before = self.deployed is None and self.applied is None
            self._failed_before = frozenset(failed) if is_before else frozenset()
        self.failed |= {key: failed[key] for key in failed if key not in self._failed_before}

    def _see_service(self, service: Service | None) -> None:
        had_state = self.own_state
        self.service = service
        if self.own_state != had_state:
            self.state_since_s = self.now_s
        had_looked, self.looked_since_deploy = self.looked_since_deploy, self.deployed is not None
        if service is None:
            return
        is_new = self.applied is None and not self.spec_is_baseline
        self.applied = service.spec if is_new else self.applied
        self.foreign = _CAME_LATE if is_new and had_looked else self._foreign_in(service)
        self.was_reverted |= self.foreign is None and self.is_reverted
        if self.own_state is not None and service.update_status is not None:
            self.update_started = service.update_status.started_at
            if service.update_status.state != "rollback_paused":  # whose message blames OLD's task
                self._blamed_task = service.update_status.failed_task or self._blamed_task

    def _foreign_in(self, now: Service) -> str | None:
        """Say what shows that an update other than this deploy's came in between, if anything."""
        if self._service_id not in (None, now.id):
            return "the service was removed and created anew"
        self._service_id = now.id
        return self._foreign_status(now) or self._foreign_spec(now)

    def _foreign_status(self, now: Service) -> str | None:
        status = now.update_status
        if status is None or self.own_state is None:
            return None
        if status.state.startswith("rollback") and now.previous_spec is not None:
            return BY_HAND
        if self.update_started not in (None, status.started_at):
            return "another update was started meanwhile"
        return None

    def _foreign_spec(self, now: Service) -> str | None:
        if self.applied is None:
            return self._foreign_unapplied(now)
        base, previous = self.baseline.spec, now.previous_spec
        if now.spec.digest != self.applied.digest:
            if not self.spec_is_baseline:
                return "the spec is neither the deploy's nor the one before it"
            return "the spec from before the deploy was deployed again" if previous else None
        if previous is not None and (base is None or previous.digest != base.digest):
            return "PreviousSpec is not the spec from before the deploy"
        if now.update_status is None and self.update_started is not None:
            return "the update status was cleared: the service was updated again"
        return None

    def _foreign_unapplied(self, now: Service) -> str | None:
        """The same, as long as the spec has always been the one from before the deploy."""
        before = self.baseline.service
        if before is None or now.previous_spec in (None, before.spec, before.previous_spec):
            return None
        return "the spec from before the deploy was deployed again over another"

    def _count_running(self, since_s: Mapping[str, float]) -> None:
        wanted = self.service.spec.task_digest if self.service else None
        running = modes.serving(self.service, self.tasks) if self.service else frozenset()
        if running != self.running:
            # Later polls do not make a verdict later (ADR 0047).
            came = [since_s.get(task_id, self.now_s) for task_id in running - self.running]
            self.running = running
            self.running_since_s = max([self.running_since_s, *came]) if came else self.now_s
        self.coming = tuple(
            task
            for task in self.tasks
            if task.state != RUNNING
            and not task.is_terminal
            and (task.desired_state in WANTED_STATES or task.spec_digest == wanted)
        )
