"""What the guard has seen of one update so far: a fold over observations, nothing else.

The view holds no opinion; the rules (`stamplab.harness.guard.rules`) do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stamplab.harness.guard.expectations import Baseline, update_status_started
from stamplab.harness.guard.outcome import OtherUpdateSign
from stamplab.lab.model.history import Deployed, Observation, RecorderLost, ServiceSeen, TasksSeen
from stamplab.lab.model.swarm import (
    RUNNING,
    WANTED_STATES,
    Service,
    ServiceSpec,
    Task,
    blamed_task,
)


class View:
    """The state of one update as far as it has been observed."""

    def __init__(self, baseline: Baseline) -> None:
        self.baseline = baseline
        self.now_s = 0.0
        self.deployed: Deployed | None = None
        self.inspected_since_deploy = False
        """Whether the service was inspected after the deploy had returned."""
        self.service: Service | None = baseline.service
        self.applied: ServiceSpec | None = None
        """The spec that this deploy brought: the first one that is not the baseline's."""
        self.update_started: str | None = None
        self.other_update: OtherUpdateSign | None = None
        """What shows that an update other than this deploy's came in between."""
        self.rolled_back_before_other_update = False
        """Whether the swarm had begun to go back before any other update came in between."""
        self.sight_lost: str | None = None
        """Which recorder stopped, and why: a transition may have gone unseen since."""
        self._service_id = baseline.service.id if baseline.service else None
        self.tasks: tuple[Task, ...] = ()
        self.failed: dict[str, Task] = {}
        """Each task that was listed as failed, as listed last, by its id; the first first.

        Those of before the deploy are not among them.
        """
        self._failed_before: frozenset[str] | None = None
        self.state_since_s = 0.0
        """When the update's own state last changed."""
        self._named_task: str | None = None
        self.running: frozenset[str] = frozenset()
        """Tasks that do what the service's present spec asks for; see `serving_tasks`."""
        self.running_since_s = 0.0
        """When that set last changed; as far as is known, when the last one of them came to run."""
        self.upcoming: tuple[Task, ...] = ()
        """Tasks that do not run yet: wanted ones of any spec, and of the present spec all.

        A task that was told to end while it booted may boot on for a while, and take memory.
        """

    def feed(self, seen_s: float, what: Observation) -> None:
        """Take in one observation, which was seen at ``seen_s``."""
        self.now_s = max(self.now_s, seen_s)
        match what:
            case ServiceSeen(name=name) if name == self.baseline.name:
                self._note_service(what.service)
                self._note_running({})
            case TasksSeen(service=name) if name == self.baseline.name:
                self.tasks = what.tasks
                self._note_failed(what.tasks)
                self._note_running(what.running_since_s)
            case Deployed():
                self.deployed = what
                self.inspected_since_deploy = False
            case RecorderLost(recorder=recorder, reason=reason) if self.sight_lost is None:
                self.sight_lost = f"{recorder}: {reason}"

    @property
    def filled_slots(self) -> int:
        """How many slots (in the global modes: nodes) the running tasks are in."""
        return len({_slot(task) for task in self.tasks if task.id in self.running})

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
    def spec_is_reverted(self) -> bool:
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
        """The task that the update failed by, if that is known (`blamed_task`)."""
        if self.applied is None:
            return self._named_task
        return blamed_task(
            self._named_task,
            self.failed.values(),
            self.applied.task_digest,
            is_rolled_back=self.spec_is_reverted,
        )

    def _note_failed(self, tasks: tuple[Task, ...]) -> None:
        failed = {task.id: task for task in tasks if task.has_failed}
        if self._failed_before is None:
            is_before = self.deployed is None and self.applied is None
            self._failed_before = frozenset(failed) if is_before else frozenset()
        self.failed |= {key: failed[key] for key in failed if key not in self._failed_before}

    def _note_service(self, service: Service | None) -> None:
        had_state = self.own_state
        self.service = service
        if self.own_state != had_state:
            self.state_since_s = self.now_s
        was_inspected = self.inspected_since_deploy
        self.inspected_since_deploy = self.deployed is not None
        if service is None:
            return
        is_new = self.applied is None and not self.spec_is_baseline
        self.applied = service.spec if is_new else self.applied
        came_late = is_new and was_inspected
        self.other_update = (
            OtherUpdateSign.CAME_LATE if came_late else self._find_other_update(service)
        )
        self.rolled_back_before_other_update |= self.other_update is None and self.spec_is_reverted
        if self.own_state is not None and service.update_status is not None:
            self.update_started = service.update_status.started_at
            self._named_task = service.update_status.failed_new_task or self._named_task

    def _find_other_update(self, now: Service) -> OtherUpdateSign | None:
        if self._service_id not in (None, now.id):
            return OtherUpdateSign.CREATED_ANEW
        self._service_id = now.id
        return self._other_update_by_status(now) or self._other_update_by_spec(now)

    def _other_update_by_status(self, now: Service) -> OtherUpdateSign | None:
        status = now.update_status
        if status is None or self.own_state is None:
            return None
        if status.state.startswith("rollback") and now.previous_spec is not None:
            return OtherUpdateSign.ROLLED_BACK_BY_HAND
        if self.update_started not in (None, status.started_at):
            return OtherUpdateSign.STARTED_MEANWHILE
        return None

    def _other_update_by_spec(self, now: Service) -> OtherUpdateSign | None:
        if self.applied is None:
            return self._other_update_of_same_spec(now)
        base, previous = self.baseline.spec, now.previous_spec
        if now.spec.digest != self.applied.digest:
            if not self.spec_is_baseline:
                return OtherUpdateSign.THIRD_SPEC
            return OtherUpdateSign.DEPLOYED_BACK if previous else None
        if previous is not None and (base is None or previous.digest != base.digest):
            return OtherUpdateSign.OTHER_PREVIOUS_SPEC
        if now.update_status is None and self.update_started is not None:
            return OtherUpdateSign.STATUS_CLEARED
        return None

    def _other_update_of_same_spec(self, now: Service) -> OtherUpdateSign | None:
        """Find the same as long as the spec has always been the one from before the deploy."""
        before = self.baseline.service
        if before is None or now.previous_spec in (None, before.spec, before.previous_spec):
            return None
        return OtherUpdateSign.DEPLOYED_OVER_ANOTHER

    def _note_running(self, since_s: Mapping[str, float]) -> None:
        wanted = self.service.spec.task_digest if self.service else None
        running = serving_tasks(self.service, self.tasks) if self.service else frozenset()
        if running != self.running:
            # By the tasks' own stamps: later polls do not make a verdict later (ADR 0047).
            came_s = [since_s.get(task_id, self.now_s) for task_id in running - self.running]
            self.running = running
            self.running_since_s = max([self.running_since_s, *came_s]) if came_s else self.now_s
        self.upcoming = tuple(
            task
            for task in self.tasks
            if task.state != RUNNING
            and not task.is_terminal
            and (task.desired_state in WANTED_STATES or task.spec_digest == wanted)
        )


def wanted_count(service: Service, tasks: Sequence[Task]) -> int:
    """Return how many tasks of the present spec there must be.

    In the global modes that is the eligible nodes. Nobody tells which those are, but the swarm
    makes their tasks all at once (docker/cli cli/command/service/progress/progress.go,
    globalProgressUpdater): so they are the nodes that are to have a task, be it an old one that is
    still to be replaced, and those where the last one ended unasked. There is at least one to be
    waited for.
    """
    spec = service.spec
    if spec.replicas is not None:
        return spec.replicas
    wanted_on = {task.node_id for task in tasks if task.desired_state in WANTED_STATES}
    last_on = {
        task.node_id
        for task in _newest_tasks(tasks)
        if _is_of_present_spec(service, task) and (spec.is_job or task.has_failed)
    }
    return max(1, len(wanted_on | last_on))


def serving_tasks(service: Service, tasks: Sequence[Task]) -> frozenset[str]:
    """Return the tasks of the present spec that do what it asks for: run or, in a job, are done."""
    if service.spec.is_job:
        return done_tasks(service, tasks)
    return frozenset(
        task.id
        for task in tasks
        if task.state == RUNNING
        and task.desired_state == RUNNING
        and task.spec_digest == service.spec.task_digest
    )


def done_tasks(service: Service, tasks: Sequence[Task]) -> frozenset[str]:
    """Return the tasks of the present spec that exited with code 0, if none came after them.

    Another one may have come in their slot, or in the global modes (slot 0) on their node.
    """
    return frozenset(
        task.id
        for task in _newest_tasks(tasks)
        if task.state == "complete" and _is_of_present_spec(service, task)
    )


def _newest_tasks(tasks: Sequence[Task]) -> list[Task]:
    """Return the last task of each slot, or in the global modes (slot 0) of each node."""
    return list({_slot(task): task for task in tasks}.values())


def _slot(task: Task) -> tuple[int, str]:
    """Return what the swarm wants one task in: a slot, or in the global modes (slot 0) a node."""
    return task.slot, task.node_id if task.slot == 0 else ""


def _is_of_present_spec(service: Service, task: Task) -> bool:
    """Whether a task is of the present spec and, in a job, of the present iteration.

    A job that is deployed anew runs anew, with the same spec too (service.go:876).
    """
    is_of_spec = task.spec_digest == service.spec.task_digest
    return is_of_spec and task.job_iteration == service.job_iteration
