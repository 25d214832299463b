"""The guard's rules, one function each, in the order in which they are asked.

Every rule looks at the view and either rules or passes on. Sources are in ADR 0049 and ADR 0050;
line numbers are those of SwarmKit v2.0.0.
"""

from __future__ import annotations

from collections.abc import Callable

from stamplab.harness.guard import modes
from stamplab.harness.guard.outcome import Outcome, Ruling
from stamplab.harness.guard.view import BY_HAND, Expectation, View
from stamplab.lab.model.history import OtherUpdate
from stamplab.lab.model.swarm import Service

Rule = Callable[[View, Expectation], Ruling | None]

LAST_WORDS_S = 1.0
"""Tasks are listed right after the service is looked at, and several times a second."""

_ROLLBACK_OVER = frozenset({"rollback_completed", "rollback_paused", "completed"})


def deploy_failed(view: View, _: Expectation) -> Ruling | None:
    """The deploy command itself failed: the swarm may not even have heard of the new spec."""
    if view.deployed is None or view.deployed.exit_code == 0:
        return None
    said = view.deployed.output.strip() or "nothing"
    return _rule(
        view,
        Outcome.DEPLOY_FAILED,
        f"the deploy command failed with exit code {view.deployed.exit_code} and said: {said}",
    )


def removed(view: View, _: Expectation) -> Ruling | None:
    """The service is gone."""
    if view.service is not None or not view.looked_since_deploy or view.was_reverted:
        return None
    return _rule(view, Outcome.REMOVED, f"there is no service {view.baseline.name} (any more)")


def superseded(view: View, _: Expectation) -> Ruling | None:
    """Somebody else's update came in between: nothing can be said of this one any more."""
    if view.foreign is None or view.was_reverted:
        return None
    return _rule(view, Outcome.SUPERSEDED, f"another update came in between: {view.foreign}")


# What counts as a rollback, and which task is blamed: ADR 0050.
def rolled_back(view: View, expectation: Expectation) -> Ruling | None:
    """The swarm put the spec from before the deploy back, labels and all.

    One atomic write reverts the spec and says ``rollback_started`` (updater.go:607), and a rollback
    is never rolled back. A rollback_config with failure_action rollback can still end in
    ``completed``, so the spec is compared as well as the state. The ruling waits for the rollback's
    own end, as long as that can be seen: whether the old version serves is known only then. And it
    waits a little for the failed task to be listed, where nobody has seen it named. Another's
    update, or a removal, that comes in meanwhile does not make it untrue.
    """
    if not view.was_reverted:
        return None
    state = view.own_state or ""
    is_told = state in _ROLLBACK_OVER and (view.failed_task or view.now_s >= last_words_s(view))
    is_cut_short = view.foreign is not None or view.lost is not None or view.service is None
    if not (is_told or is_cut_short) and view.now_s < expectation.deadline_s:
        return None
    ending = _ending(view, state)
    task = f"new task {view.failed_task}" if view.failed_task else "a new task"
    before = "" if view.applied else " (before it was ever seen applied)"
    said = f"head spec applied then swarm-rolled-back{before}: {task} failed the update monitor"
    return _rule(view, Outcome.ROLLED_BACK, said + _words_of(view, view.failed_task) + ending)


def _ending(view: View, state: str) -> str:
    """What is to be said of the rollback itself, as a further clause."""
    if view.service is None:
        return "; before its end was seen, the service was removed"
    if view.foreign is not None:
        return f"; before its end was seen, another update came in: {view.foreign}"
    if state == "rollback_paused":
        return "; the rollback itself is paused, for its task failed too"
    if state != "rollback_started":
        return ""
    if view.lost is not None:
        return "; its end was not seen, for sight was lost of the swarm"
    return "; the rollback had not ended at the deadline"


def paused(view: View, expectation: Expectation) -> Ruling | None:
    """failure_action pause.

    The updater has stopped, restarts have not; the labels already say head. The ruling waits a
    little for the blamed task to be listed as failed, with the engine's words.
    """
    if view.own_state != "paused":
        return None
    is_told = view.failed_task in view.failed or view.lost is not None
    if not is_told and view.now_s < min(last_words_s(view), expectation.deadline_s):
        return None
    task = f"task {view.failed_task}" if view.failed_task else "a task"
    words = _words_of(view, view.failed_task)
    return _rule(
        view,
        Outcome.PAUSED,
        f"the update is paused: {task} failed{words}, and old and new tasks may run side by side",
    )


def lost_sight(view: View, _: Expectation) -> Ruling | None:
    """A recorder stopped: a transition may have gone unseen, so success cannot be claimed."""
    if view.lost is None:
        return None
    return _rule(view, Outcome.UNKNOWN, f"sight was lost of the swarm ({view.lost})")


def stamp_mismatch(view: View, expectation: Expectation) -> Ruling | None:
    """The deploy returned, and the service carries other labels than the deploy said it stamped.

    A rollback reverts labels too; that is `rolled_back`'s to say, once it has ended.
    """
    if not view.looked_since_deploy or view.service is None or view.is_reverted:
        return None
    labels = view.service.spec.labels
    wrong = [
        f"{name} is {labels.get(name)!r}, not {wanted!r}"
        for name, wanted in sorted(expectation.labels.items())
        if labels.get(name) != wanted
    ]
    if not wrong:
        return None
    return _rule(view, Outcome.STAMP_MISMATCH, f"the service's label {'; '.join(wrong)}")


# All conditions of success, with their sources: ADR 0049.
def converged(view: View, expectation: Expectation) -> Ruling | None:
    """The intended spec is there, its tasks run, and the server can no longer change its mind.

    ``completed`` alone is not success, and nil is neither done nor pending: after `terminal_state`
    the wanted number of tasks *of this spec* must have run unchanged for the spec's own hold time.
    And no further task may be on its way: where OLD dies by itself in the middle, the swarm starts
    another one in its slot, whose boot may yet kill the one that runs (found by the search).
    """
    service = view.service
    if service is None or not view.looked_since_deploy or view.is_reverted:
        return None
    if not terminal_state(view, service):
        return None
    wanted = modes.wanted(service, view.tasks)
    has_held = view.now_s >= hold_ends_s(view, expectation)
    is_steady = len(view.running) >= wanted and not view.coming and has_held
    if wanted and not is_steady:
        return None
    return _rule(view, Outcome.CONVERGED, _how_it_converged(view, expectation, service, wanted))


# Exit code 0 is an end only where no health check can have caused it (ADR 0036).
def finished(view: View, _: Expectation) -> Ruling | None:
    """One-shot tasks have done their work, and the swarm starts none of them anew.

    Exit code 0 ends a task for good unless its restart condition is ``any``. A task that is stopped
    for being unhealthy may exit with 0 as well, and reads the same: so what has a health check is
    not called finished. During an update such an end within ``monitor`` is a failure to the swarm
    (updater.go:378), and its state says so.
    """
    service = view.service
    if service is None or not view.looked_since_deploy or view.is_reverted or view.coming:
        return None
    spec, wanted = service.spec, modes.wanted(service, view.tasks)
    if spec.restart == "any" or spec.is_probed or not terminal_state(view, service):
        return None
    done = modes.done(service, view.tasks)
    if view.running or len(done) < wanted:
        return None
    reason = f"converged: {len(done)} of {wanted} tasks have finished with exit code 0, and the "
    reason += f"restart condition {spec.restart} starts none of them anew"
    return _rule(view, Outcome.CONVERGED, reason)


def gave_up(view: View, expectation: Expectation) -> Ruling | None:
    """The deadline has come: say what is still missing."""
    if view.now_s < expectation.deadline_s:
        return None
    outcome = Outcome.STALLED if _is_stalled(view) else Outcome.TIMED_OUT
    return _rule(view, outcome, f"not converged by the deadline: {what_is_missing(view)}")


RULES: tuple[Rule, ...] = (
    deploy_failed,
    removed,
    superseded,
    rolled_back,
    paused,
    lost_sight,
    stamp_mismatch,
    converged,
    finished,
    gave_up,
)


def terminal_state(view: View, service: Service) -> bool:
    """Whether the swarm itself is done with this update, by its own account.

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
    return not touches_tasks or modes.wanted(service, view.tasks) == 0


def hold_ends_s(view: View, expectation: Expectation) -> float:
    """When the present running tasks will have run for as long as the server may fail them.

    And for as long as the caller wants to see them run. A job that is done stays done.
    """
    spec = view.service.spec if view.service else None
    if spec is None or spec.is_job:
        return view.running_since_s
    return view.running_since_s + max(spec.update.hold_s, expectation.hold_s)


def what_is_missing(view: View) -> str:
    """Say in a clause why the update is not converged yet."""
    service = view.service
    if service is None:
        return f"there is no service {view.baseline.name} yet"
    if view.deployed is None:
        return "the deploy command has not returned"
    wanted = modes.wanted(service, view.tasks)
    state = view.own_state or "nil"
    if len(view.running) < wanted:
        are = "are complete" if service.spec.is_job else "run"
        return (
            f"{len(view.running)} of {wanted} tasks of the new spec {are}, update state {state}"
            f"{_newest_task(view, service)}"
        )
    if not terminal_state(view, service):
        return f"the update state is still {state}"
    if view.coming:
        task = view.coming[-1]
        return f"a further task is on its way: {task.id} is {task.state}{_words_of(view, task.id)}"
    return "the new tasks have not run long enough yet"


def last_words_s(view: View) -> float:
    """Until when a rollback that is over may still be waited with, for its failed task's name."""
    return view.state_since_s + LAST_WORDS_S


def _words_of(view: View, task_id: str | None) -> str:
    """What the engine itself says of a failed task, in brackets: it is gone with the task."""
    task = view.failed.get(task_id or "")
    return f" ({task.error})" if task and task.error else ""


def _newest_task(view: View, service: Service) -> str:
    of_spec = [task for task in view.tasks if task.spec_digest == service.spec.task_digest]
    if not of_spec:
        return "; no task of it was seen"
    task = of_spec[-1]
    said = f" ({task.error or task.message})" if task.error or task.message else ""
    return f"; task {task.id} is {task.state}{said}"


def _is_stalled(view: View) -> bool:
    """Whether the swarm waits for something that this update cannot bring about by itself."""
    service = view.service
    if service is None:
        return False
    pending = any(
        task.state == "pending" and task.spec_digest == service.spec.task_digest
        for task in view.tasks
    )
    return pending or terminal_state(view, service)


def _how_it_converged(view: View, expectation: Expectation, service: Service, wanted: int) -> str:
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


def _rule(view: View, outcome: Outcome, reason: str) -> Ruling:
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
    if view.foreign is None or outcome not in (Outcome.SUPERSEDED, Outcome.ROLLED_BACK):
        return None
    return "rollback by hand" if view.foreign == BY_HAND else "another"
