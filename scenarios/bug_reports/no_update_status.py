"""Reports of updates about which UpdateStatus says nothing, or not what is true."""

from __future__ import annotations

from stamplab.harness.checks.ground_truth import TrueOutcome
from stamplab.harness.checks.shape import GUARD, Shape
from stamplab.lab.faults.operator import Remove, Scale
from stamplab.lab.model.service_request import HealthCheck, ServiceRequest, changed, next_version
from stamplab.scenarios.bug_reports import signs
from stamplab.scenarios.bug_reports.report import BugReport
from stamplab.scenarios.bug_reports.step import (
    Create,
    Deploy,
    Intervene,
    Pause,
    WaitFor,
    running,
    upgrade,
)

_BASE = ServiceRequest()
_PATIENT = ServiceRequest(health=HealthCheck(retries=60))
_GLOBAL = ServiceRequest(replicas=None)
_GLOBAL_NOWHERE = changed(_GLOBAL, constraint="node.platform.os==nosuch")
_HOG = ServiceRequest(name="hog", reserve_share=0.6, health=None)
_LAB = ServiceRequest(name="lab", reserve_share=0.6, health=None)
_OTHER = ServiceRequest(name="other", health=None)
_LABEL = "another label, and nothing else"
# It boots for long, and dies while it does: the OOM kill of the report, without a squeeze.
_SLOW_AND_BROKEN = {"READY_S": "100", "EXIT_AT_S": "8"}
_DYING = upgrade(
    _PATIENT, "a version that boots for long, and dies while it does", app=_SLOW_AND_BROKEN
)
_FULL = (*running(_HOG), Create(request=_LAB, judged=True), WaitFor(until="pending", service="lab"))
_FREED = (*running(_OTHER), Intervene(service="hog", operation=Remove()))
_UNTOUCHED = Shape(states=(), stamps=("base", "head"), new_task="never created")

REPORTS = (
    BugReport(
        name="label-only",
        source="moby#29012",
        also=("moby#38520",),
        title="an update of labels alone never sets UpdateStatus",
        seen="whoever polls UpdateStatus for a terminal state waits for ever, or guesses",
        expected="some terminal state for this very update",
        steps=upgrade(_BASE, _LABEL, version="1"),
        signature=(signs.came_to(TrueOutcome.DEPLOYED), signs.state_is(None)),
        control=upgrade(_BASE, "another label and another version"),
        shape=changed(_UNTOUCHED, old_kept=True),
    ),
    BugReport(
        name="scale-only",
        source="moby#38520",
        variant="scale",
        title="an update of the number of replicas alone never sets UpdateStatus",
        seen="the same, for `docker service scale`",
        expected="some terminal state for this very update",
        steps=(*running(_BASE), Deploy(request=changed(_BASE, replicas=2), why="two replicas")),
        signature=(signs.came_to(TrueOutcome.DEPLOYED), signs.state_is(None)),
        control=upgrade(_BASE, "two replicas, and another version", replicas=2),
        shape=Shape(states=(), stamps=("head",), new_task="did not fail", old_kept=True),
    ),
    BugReport(
        name="pending-is-forgotten",
        source="moby#53722",
        title="a pending task is dropped by the scheduler after an update of labels alone",
        seen="`lab` is pending for want of memory; after a label-only update it stays so for good",
        expected="it runs as soon as there is memory (as it does without the label-only update)",
        steps=(
            *running(_HOG),
            Create(request=_LAB),
            WaitFor(until="pending", service="lab"),
            Deploy(request=changed(_LAB, stamp="2"), why=_LABEL),
            Pause(1.0),
            *_FREED,
        ),
        signature=(signs.came_to(TrueOutcome.DOWN), signs.still_pending("lab")),
        control=(*_FULL, *_FREED),
        shape=changed(_UNTOUCHED, new_task="pending", end=GUARD),
    ),
    BugReport(
        name="pending-is-not-forgotten",
        source="moby#53722",
        variant="control",
        title="the same without the update of labels: it runs as soon as there is memory",
        seen="nothing: this is how it should be",
        expected="it runs as soon as there is memory",
        steps=(*_FULL, *_FREED),
        signature=(signs.came_to(TrueOutcome.DEPLOYED), signs.state_is(None, "lab")),
        control=(*_FULL, *running(_OTHER)),
        shape=Shape(states=(), stamps=("head",), new_task="did not fail"),
    ),
    BugReport(
        name="restamped-mid-update",
        source="D1",
        title="a re-stamp during a health-gated roll-out ends `completed` with nothing running",
        seen="the healthy old task is retired at once, the failure does not count, no rollback",
        expected="the old task serves until the new one is healthy; the failure rolls back",
        steps=(
            *_DYING,
            WaitFor(until="started"),
            Pause(1.5),
            Deploy(
                request=changed(_PATIENT, stamp="3", version="2", app=_SLOW_AND_BROKEN),
                why="the same with another stamp, as a retry does",
            ),
        ),
        signature=(
            signs.state_is("completed"),
            signs.stamp_is("3"),
            signs.nothing_runs(),
            signs.client_exits(0),
            signs.never_says("rollback_started"),
        ),
        control=_DYING,
        shape=Shape(
            states=("updating", "completed"),
            stamps=("base", "other", "head"),
            new_task="failed before RUNNING",
            end=GUARD,
        ),
    ),
    BugReport(
        name="redeployed-mid-update",
        source="same-spec",
        title="the same spec deployed again mid-update: no rollback, and nothing to go back to",
        seen="UpdateStatus is nil for ever, PreviousSpec is the broken spec, nobody rolls back",
        expected="the failure rolls back to what ran before",
        steps=(
            *_DYING,
            WaitFor(until="started"),
            Pause(1.5),
            Deploy(
                request=next_version(_PATIENT, app=_SLOW_AND_BROKEN),
                why="the very same once more, as a retry does",
            ),
        ),
        signature=(signs.has_no_previous(), signs.never_says("rollback_started")),
        control=_DYING,
        shape=Shape(
            states=("updating",),
            stamps=("base", "head"),
            new_task="failed before RUNNING",
            old_kept=True,
            end=GUARD,
        ),
    ),
    BugReport(
        name="created-broken",
        source="moby#28012",
        also=("sure-deploy#6",),
        title="the first deploy of a service has no UpdateStatus, however broken it is",
        seen="an image's name was misspelled; a waiter that takes nil for done reports success",
        expected="not deployed, with the node's words",
        steps=(Create(request=changed(_BASE, absent=True), judged=True),),
        signature=(signs.came_to(TrueOutcome.DOWN), signs.state_is(None)),
        control=(Create(request=_BASE, judged=True),),
        shape=Shape(states=(), stamps=("head",), new_task="failed before RUNNING", end=GUARD),
    ),
    BugReport(
        name="nowhere-to-run",
        source="docker/cli#627",
        title="an attached update of a global service that no node may run never returns",
        seen="the list of tasks is empty, and the client waits for new ones for ever",
        expected="an end; of a waiter: that nothing runs",
        steps=(
            Create(request=_GLOBAL_NOWHERE),
            Pause(2.0),
            Deploy(request=changed(_GLOBAL_NOWHERE, stamp="2"), why="another label"),
        ),
        signature=(signs.came_to(TrueOutcome.DOWN), signs.client_hangs()),
        control=upgrade(_GLOBAL, _LABEL, version="1"),
        shape=changed(_UNTOUCHED, end=GUARD),
    ),
    BugReport(
        name="scaled-to-zero",
        source="shepherd#97",
        title="an attached update of a service that is scaled to zero never returns (control)",
        seen="`waiting for new tasks`, for a day, of a service that is scaled to zero",
        expected="done: nothing is to run",
        steps=(
            *running(_BASE),
            Intervene(service="web", operation=Scale(replicas=0)),
            Pause(3.0),
            Deploy(request=changed(_BASE, stamp="2", replicas=0), why="another label, at zero"),
        ),
        signature=(signs.came_to(TrueOutcome.DEPLOYED), signs.client_hangs()),
        control=upgrade(_BASE, "another label, with a task that runs", version="1"),
        fixed_in="20.10",
        shape=_UNTOUCHED,
    ),
)
