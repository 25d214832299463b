"""Reports of updates about which UpdateStatus says nothing, or not what is true."""

from __future__ import annotations

from stamplab.harness.checks.deploy_ground_truth import Fate
from stamplab.harness.checks.shape import Shape
from stamplab.lab.faults.operator import Remove, Scale
from stamplab.lab.model.service_spec import Probing, Wanted, changed
from stamplab.scenarios.bug_reports import signs
from stamplab.scenarios.bug_reports.report import Entry
from stamplab.scenarios.bug_reports.step import Create, Deploy, Meddle, Pass, WaitFor
from stamplab.scenarios.discourse.shapes import GUARD

_BASE = Wanted()
_PATIENT = Wanted(health=Probing(retries=60))
_GLOBAL_NOWHERE = Wanted(replicas=None, constraint="node.platform.os==nosuch")
_HOG = Wanted(name="hog", reserve_share=0.6, health=None)
_LAB = Wanted(name="lab", reserve_share=0.6, health=None)
_SLOW_AND_BROKEN = {"READY_S": "100", "EXIT_AT_S": "8"}
"""It boots for long, and dies while it does: the OOM kill of the report, without a squeeze."""

ENTRIES = (
    Entry(
        name="label-only",
        source="moby#29012",
        also=("moby#38520",),
        title="an update of labels alone never sets UpdateStatus",
        seen="whoever polls UpdateStatus for a terminal state waits for ever, or guesses",
        expected="some terminal state for this very update",
        steps=(
            Create(wanted=_BASE),
            WaitFor(until="running"),
            Deploy(wanted=changed(_BASE, stamp="2"), why="another label, and nothing else"),
        ),
        signature=(signs.came_to(Fate.DEPLOYED), signs.state_is(None)),
        shape=Shape(states=(), stamps=("base", "head"), new_task="never created", old_kept=True),
    ),
    Entry(
        name="scale-only",
        source="moby#38520",
        variant="scale",
        title="an update of the number of replicas alone never sets UpdateStatus",
        seen="the same, for `docker service scale`",
        expected="some terminal state for this very update",
        steps=(
            Create(wanted=_BASE),
            WaitFor(until="running"),
            Deploy(wanted=changed(_BASE, replicas=2), why="two replicas"),
        ),
        signature=(signs.came_to(Fate.DEPLOYED), signs.state_is(None)),
        shape=Shape(states=(), stamps=("head",), new_task="did not fail", old_kept=True),
    ),
    Entry(
        name="pending-is-forgotten",
        source="moby#53722",
        title="a pending task is dropped by the scheduler after an update of labels alone",
        seen="`lab` is pending for want of memory; after a label-only update it stays so for good",
        expected="it runs as soon as there is memory (as it does without the label-only update)",
        steps=(
            Create(wanted=_HOG),
            WaitFor(until="running", service="hog"),
            Create(wanted=_LAB),
            WaitFor(until="pending", service="lab"),
            Deploy(wanted=changed(_LAB, stamp="2"), why="another label, and nothing else"),
            Pass(1.0),
            Create(wanted=Wanted(name="other", health=None)),
            WaitFor(until="running", service="other"),
            Meddle(service="hog", what=Remove()),
        ),
        signature=(signs.came_to(Fate.DOWN), signs.still_pending("lab")),
        shape=Shape(states=(), stamps=("base", "head"), new_task="pending", end=GUARD),
    ),
    Entry(
        name="pending-is-not-forgotten",
        source="moby#53722",
        variant="control",
        title="the same without the update of labels: it runs as soon as there is memory",
        seen="nothing: this is how it should be",
        expected="it runs as soon as there is memory",
        steps=(
            Create(wanted=_HOG),
            WaitFor(until="running", service="hog"),
            Create(wanted=_LAB, judged=True),
            WaitFor(until="pending", service="lab"),
            Create(wanted=Wanted(name="other", health=None)),
            WaitFor(until="running", service="other"),
            Meddle(service="hog", what=Remove()),
        ),
        signature=(signs.came_to(Fate.DEPLOYED), signs.state_is(None, "lab")),
        shape=Shape(states=(), stamps=("head",), new_task="did not fail"),
    ),
    Entry(
        name="restamped-mid-update",
        source="D1",
        title="a re-stamp during a health-gated roll-out ends `completed` with nothing running",
        seen="the healthy old task is retired at once, the failure does not count, no rollback",
        expected="the old task serves until the new one is healthy; the failure rolls back",
        steps=(
            Create(wanted=_PATIENT),
            WaitFor(until="running"),
            Deploy(
                wanted=changed(_PATIENT, stamp="2", version="2", app=_SLOW_AND_BROKEN),
                why="a version that boots for long, and dies while it does",
            ),
            WaitFor(until="started"),
            Pass(1.5),
            Deploy(
                wanted=changed(_PATIENT, stamp="3", version="2", app=_SLOW_AND_BROKEN),
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
        shape=Shape(
            states=("updating", "completed"),
            stamps=("base", "other", "head"),
            new_task="failed before RUNNING",
            end=GUARD,
        ),
    ),
    Entry(
        name="redeployed-mid-update",
        source="same-spec",
        title="the same spec deployed again mid-update: no rollback, and nothing to go back to",
        seen="UpdateStatus is nil for ever, PreviousSpec is the broken spec, nobody rolls back",
        expected="the failure rolls back to what ran before",
        steps=(
            Create(wanted=_PATIENT),
            WaitFor(until="running"),
            Deploy(
                wanted=changed(_PATIENT, stamp="2", version="2", app=_SLOW_AND_BROKEN),
                why="a version that boots for long, and dies while it does",
            ),
            WaitFor(until="started"),
            Pass(1.5),
            Deploy(
                wanted=changed(_PATIENT, stamp="2", version="2", app=_SLOW_AND_BROKEN),
                why="the very same once more, as a retry does",
            ),
        ),
        signature=(signs.has_no_previous(), signs.never_says("rollback_started")),
        shape=Shape(
            states=("updating",),
            stamps=("base", "head"),
            new_task="failed before RUNNING",
            old_kept=True,
            end=GUARD,
        ),
    ),
    Entry(
        name="created-broken",
        source="moby#28012",
        also=("sure-deploy#6",),
        title="the first deploy of a service has no UpdateStatus, however broken it is",
        seen="an image's name was misspelled; a waiter that takes nil for done reports success",
        expected="not deployed, with the node's words",
        steps=(Create(wanted=changed(_BASE, absent=True), judged=True),),
        signature=(signs.came_to(Fate.DOWN), signs.state_is(None)),
        shape=Shape(states=(), stamps=("head",), new_task="failed before RUNNING", end=GUARD),
    ),
    Entry(
        name="nowhere-to-run",
        source="docker/cli#627",
        title="an attached update of a global service that no node may run never returns",
        seen="the list of tasks is empty, and the client waits for new ones for ever",
        expected="an end; of a waiter: that nothing runs",
        steps=(
            Create(wanted=_GLOBAL_NOWHERE),
            Pass(2.0),
            Deploy(wanted=changed(_GLOBAL_NOWHERE, stamp="2"), why="another label"),
        ),
        signature=(signs.came_to(Fate.DOWN), signs.client_hangs()),
        shape=Shape(states=(), stamps=("base", "head"), new_task="never created", end=GUARD),
    ),
    Entry(
        name="scaled-to-zero",
        source="shepherd#97",
        title="an attached update of a service that is scaled to zero never returns (control)",
        seen="`waiting for new tasks`, for a day, of a service that is scaled to zero",
        expected="done: nothing is to run",
        steps=(
            Create(wanted=_BASE),
            WaitFor(until="running"),
            Meddle(service="web", what=Scale(replicas=0)),
            Pass(3.0),
            Deploy(wanted=changed(_BASE, stamp="2", replicas=0), why="another label, at zero"),
        ),
        signature=(signs.came_to(Fate.DEPLOYED), signs.client_hangs()),
        fixed_in="20.10",
        shape=Shape(states=(), stamps=("base", "head"), new_task="never created"),
    ),
)
