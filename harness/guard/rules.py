"""The guard's rules, one function each, in the order in which they are asked.

Every rule reads the view, and returns a ruling or passes on. Sources are in ADR 0049 and ADR 0050;
line numbers are those of SwarmKit v2.0.0.
"""

from __future__ import annotations

from collections.abc import Callable

from stamplab.harness.guard.expectations import Expectation
from stamplab.harness.guard.outcome import OtherUpdateSign, Outcome, Ruling
from stamplab.harness.guard.view import View, done_tasks, wanted_count
from stamplab.lab.model.history import OtherUpdate
from stamplab.lab.model.swarm import Service

Rule = Callable[[View, Expectation], Ruling | None]

FAILED_TASK_WAIT_S = 1.0
"""Tasks are listed right after the service is inspected, and several times a second."""

_ROLLBACK_ENDED = frozenset({"rollback_completed", "rollback_paused", "completed"})


def rule_deploy_failed(view: View, _: Expectation) -> Ruling | None:
    """Rule where the deploy command failed: the swarm may not have heard of the new spec."""
    if view.deployed is None or view.deployed.exit_code == 0:
        return None
    output = view.deployed.output.strip() or "nothing"
    return _ruling(
        view,
        Outcome.DEPLOY_FAILED,
        f"the deploy command failed with exit code {view.deployed.exit_code} and said: {output}",
    )


def rule_removed(view: View, _: Expectation) -> Ruling | None:
    """Rule where the service is gone."""
    if (
        view.service is not None
        or not view.inspected_since_deploy
        or view.rolled_back_before_other_update
    ):
        return None
    return _ruling(view, Outcome.REMOVED, f"there is no service {view.baseline.name} (any more)")


def rule_superseded(view: View, _: Expectation) -> Ruling | None:
    """Rule where somebody else's update came in between: this one cannot be judged any more."""
    if view.other_update is None or view.rolled_back_before_other_update:
        return None
    return _ruling(
        view, Outcome.SUPERSEDED, f"another update came in between: {view.other_update.value}"
    )


# What counts as a rollback, and which task is blamed: ADR 0050.
def rule_rolled_back(view: View, expectation: Expectation) -> Ruling | None:
    """Rule where the swarm put the spec from before the deploy back, labels and all.

    One atomic write reverts the spec and says ``rollback_started`` (updater.go:607), and a rollback
    is never rolled back. A rollback_config with failure_action rollback can still end in
    ``completed``, so the spec is compared as well as the state. The ruling waits for the rollback's
    own end, as long as that can be seen: whether the old version serves is known only then. It also
    waits a little for the failed task to be listed, where no message has named it. Another's
    update, or a removal, that comes in meanwhile does not make the ruling untrue.
    """
    if not view.rolled_back_before_other_update:
        return None
    state = view.own_state or ""
    is_task_known = view.failed_task or view.now_s >= failed_task_deadline_s(view)
    has_ended = state in _ROLLBACK_ENDED and is_task_known
    is_cut_short = (
        view.other_update is not None or view.sight_lost is not None or view.service is None
    )
    if not (has_ended or is_cut_short) and view.now_s < expectation.deadline_s:
        return None
    ending = _describe_rollback_end(view, state)
    task = f"new task {view.failed_task}" if view.failed_task else "a new task"
    before = "" if view.applied else " (before it was ever seen applied)"
    reason = f"head spec applied then swarm-rolled-back{before}: {task} failed the update monitor"
    return _ruling(view, Outcome.ROLLED_BACK, reason + _error_of(view, view.failed_task) + ending)


def _describe_rollback_end(view: View, state: str) -> str:
    """Say in a further clause how the rollback itself ended; nothing where it completed."""
    if view.service is None:
        return "; before its end was seen, the service was removed"
    if view.other_update is not None:
        return f"; before its end was seen, another update came in: {view.other_update.value}"
    if state == "rollback_paused":
        return "; the rollback itself is paused, for its task failed too"
    if state != "rollback_started":
        return ""
    if view.sight_lost is not None:
        return "; its end was not seen, for sight was lost of the swarm"
    return "; the rollback had not ended at the deadline"


def rule_paused(view: View, expectation: Expectation) -> Ruling | None:
    """Rule where the update is paused, by ``failure_action: pause``.

    The updater has stopped, restarts have not; the labels already say head. The ruling waits a
    little for the blamed task to be listed as failed, with the engine's error.
    """
    if view.own_state != "paused":
        return None
    is_known = view.failed_task in view.failed or view.sight_lost is not None
    if not is_known and view.now_s < min(failed_task_deadline_s(view), expectation.deadline_s):
        return None
    task = f"task {view.failed_task}" if view.failed_task else "a task"
    error = _error_of(view, view.failed_task)
    return _ruling(
        view,
        Outcome.PAUSED,
        f"the update is paused: {task} failed{error}, and old and new tasks may run side by side",
    )


def rule_sight_lost(view: View, _: Expectation) -> Ruling | None:
    """Rule where a recorder stopped: a transition may have gone unseen, so nothing is claimed."""
    if view.sight_lost is None:
        return None
    return _ruling(view, Outcome.UNKNOWN, f"sight was lost of the swarm ({view.sight_lost})")


def rule_stamp_mismatch(view: View, expectation: Expectation) -> Ruling | None:
    """Rule where the service carries other labels than the deploy said it stamped.

    A rollback reverts labels too; `rule_rolled_back` says so, once it has ended.
    """
    if not view.inspected_since_deploy or view.service is None or view.spec_is_reverted:
        return None
    labels = view.service.spec.labels
    wrong = [
        f"{name} is {labels.get(name)!r}, not {wanted!r}"
        for name, wanted in sorted(expectation.labels.items())
        if labels.get(name) != wanted
    ]
    if not wrong:
        return None
    return _ruling(view, Outcome.STAMP_MISMATCH, f"the service's label {'; '.join(wrong)}")


# All conditions of success, with their sources: ADR 0049.
def rule_converged(view: View, expectation: Expectation) -> Ruling | None:
    """Rule where the intended spec stays: its tasks run, and the swarm cannot go back any more.

    ``completed`` alone is not success, and nil is neither done nor pending: once `is_settled`, the
    wanted number of tasks *of this spec*, each in a slot of its own, must have run unchanged for
    the spec's own hold time. No further task may be on its way: where a task of the old spec dies
    by itself in the middle, the swarm starts another one in its slot, whose boot may yet kill the
    one that runs (found by the search).
    """
    service = view.service
    if service is None or not view.inspected_since_deploy or view.spec_is_reverted:
        return None
    if not is_settled(view, service):
        return None
    wanted = wanted_count(service, view.tasks)
    has_held = view.now_s >= hold_ends_s(view, expectation)
    is_steady = view.filled_slots >= wanted and not view.upcoming and has_held
    if wanted and not is_steady:
        return None
    return _ruling(view, Outcome.CONVERGED, _describe_success(view, expectation, service, wanted))


# Exit code 0 is an end only where no health check can have caused it: ADR 0036.
def rule_finished(view: View, _: Expectation) -> Ruling | None:
    """Rule where one-shot tasks have done their work, and the swarm starts none of them anew.

    Exit code 0 ends a task for good unless its restart condition is ``any``. A task that is stopped
    for being unhealthy may exit with 0 as well, and reads the same: so a service with a health
    check is not called finished. During an update such an end within ``monitor`` is a failure to
    the swarm (updater.go:378), and its state says so.
    """
    service = view.service
    if service is None or not view.inspected_since_deploy or view.spec_is_reverted or view.upcoming:
        return None
    spec, wanted = service.spec, wanted_count(service, view.tasks)
    if spec.restart == "any" or spec.is_probed or not is_settled(view, service):
        return None
    done = done_tasks(service, view.tasks)
    if view.running or len(done) < wanted:
        return None
    reason = f"converged: {len(done)} of {wanted} tasks have finished with exit code 0, and the "
    reason += f"restart condition {spec.restart} starts none of them anew"
    return _ruling(view, Outcome.CONVERGED, reason)


def rule_given_up(view: View, expectation: Expectation) -> Ruling | None:
    """Rule where the deadline has come, and say what is still missing."""
    if view.now_s < expectation.deadline_s:
        return None
    outcome = Outcome.STALLED if _is_stalled(view) else Outcome.TIMED_OUT
    return _ruling(view, outcome, f"not converged by the deadline: {describe_missing(view)}")


RULES: tuple[Rule, ...] = (
    rule_deploy_failed,
    rule_removed,
    rule_superseded,
    rule_rolled_back,
    rule_paused,
    rule_sight_lost,
    rule_stamp_mismatch,
    rule_converged,
    rule_finished,
    rule_given_up,
)


def is_settled(view: View, service: Service) -> bool:
    """Whether the swarm is done with this update, by its own account.

    A service that is created or scaled to zero, or a change that touches no task (labels only, or
    nothing at all), leaves the status nil for ever (service.go:909; moby#29012, moby#38520). So
    does a job, whose tasks no updater replaces.
    """
    if view.own_state is not None:
        return view.own_state == "completed"
    if service.spec.is_job:
        return True
    base = view.baseline.spec
    touches_tasks = base is not None and base.task_digest != service.spec.task_digest
    return not touches_tasks or wanted_count(service, view.tasks) == 0


def hold_ends_s(view: View, expectation: Expectation) -> float:
    """Return when the present running tasks will have run for as long as the swarm may fail them.

    And for as long as the caller expects them to run. A job that is done stays done.
    """
    spec = view.service.spec if view.service else None
    if spec is None or spec.is_job:
        return view.running_since_s
    return view.running_since_s + max(spec.update.hold_s, expectation.hold_s)


def describe_missing(view: View) -> str:
    """Say in a clause why the update is not converged yet."""
    service = view.service
    if service is None:
        return f"there is no service {view.baseline.name} yet"
    if view.deployed is None:
        return "the deploy command has not returned"
    wanted = wanted_count(service, view.tasks)
    state = view.own_state or "nil"
    if view.filled_slots < wanted:
        are = "are complete" if service.spec.is_job else "run"
        return (
            f"{view.filled_slots} of {wanted} tasks of the new spec {are}, update state {state}"
            f"{_describe_newest_task(view, service)}"
        )
    if not is_settled(view, service):
        return f"the update state is still {state}"
    if view.upcoming:
        task = view.upcoming[-1]
        return f"a further task is on its way: {task.id} is {task.state}{_error_of(view, task.id)}"
    return "the new tasks have not run long enough yet"


def failed_task_deadline_s(view: View) -> float:
    """Return until when a ruling may wait for the failed task of an update that is over."""
    return view.state_since_s + FAILED_TASK_WAIT_S


def _error_of(view: View, task_id: str | None) -> str:
    """Return the engine's own error of a failed task, in brackets: it is gone with the task."""
    task = view.failed.get(task_id or "")
    return f" ({task.error})" if task and task.error else ""


def _describe_newest_task(view: View, service: Service) -> str:
    of_spec = [task for task in view.tasks if task.spec_digest == service.spec.task_digest]
    if not of_spec:
        return "; no task of it was seen"
    task = of_spec[-1]
    words = f" ({task.error or task.message})" if task.error or task.message else ""
    return f"; task {task.id} is {task.state}{words}"


def _is_stalled(view: View) -> bool:
    """Whether the swarm waits for something that this update cannot bring about by itself."""
    service = view.service
    if service is None:
        return False
    pending = any(
        task.state == "pending" and task.spec_digest == service.spec.task_digest
        for task in view.tasks
    )
    return pending or is_settled(view, service)


def _describe_success(view: View, expectation: Expectation, service: Service, wanted: int) -> str:
    if wanted == 0:
        return "converged: the service is scaled to zero"
    if service.spec.is_job:
        return f"converged: the job is done, {wanted} of {wanted} tasks completed"
    base = view.baseline.spec
    state = f"UpdateStatus={view.own_state or 'nil'}"
    if base is not None and base.digest == service.spec.digest:
        return f"converged: the deploy left the service unchanged, {state}"
    if view.own_state is None and base is not None:
        if base.replicas != service.spec.replicas:
            return f"converged: scaled to {wanted}, and {wanted} of {wanted} tasks run, {state}"
        return f"converged: labels alone were changed, {state}"
    held_s = max(service.spec.update.hold_s, expectation.hold_s)
    return (
        f"converged: {state}, {wanted} of {wanted} tasks of the new spec ran unchanged for "
        f"{held_s:g} s after they were up"
    )


def _ruling(view: View, outcome: Outcome, reason: str) -> Ruling:
    return Ruling(
        outcome=outcome,
        reason=reason,
        service=view.baseline.name,
        failed_task=view.failed_task,
        update_state=view.own_state,
        other_update=_other_update(view, outcome),
        decided_s=view.now_s,
    )


def _other_update(view: View, outcome: Outcome) -> OtherUpdate | None:
    """Name the other update that a ruling's reason speaks of."""
    if outcome is Outcome.DEPLOY_FAILED:
        return None
    if view.service is None and view.baseline.service is not None:
        return "removal"
    if view.other_update is None:
        return None
    by_hand = view.other_update is OtherUpdateSign.ROLLED_BACK_BY_HAND
    return "rollback by hand" if by_hand else "another"
