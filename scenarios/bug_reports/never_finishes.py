"""Reports of updates that do not end, end too early, or end in a mixture."""

from __future__ import annotations

from stamplab.harness.checks.ground_truth import TrueOutcome
from stamplab.harness.checks.shape import GUARD, Shape
from stamplab.lab.model.service_request import (
    START_FIRST,
    HealthCheck,
    ServiceRequest,
    changed,
    next_version,
)
from stamplab.scenarios.bug_reports import signs
from stamplab.scenarios.bug_reports.report import BugReport
from stamplab.scenarios.bug_reports.step import (
    Create,
    Deploy,
    Interrupt,
    Pause,
    WaitFor,
    running,
    upgrade,
)
from stamplab.scenarios.bug_reports.vocabulary import COMPLETED, CRASHES, ROLLED_BACK

_BASE = ServiceRequest()
_GOOD, _BAD = ServiceRequest(name="good"), ServiceRequest(name="bad")
_PATIENT = ServiceRequest(health=HealthCheck(retries=60))
_PAUSES = ServiceRequest(update=changed(START_FIRST, failure_action="pause"))
_TWO = ServiceRequest(
    replicas=2, update=changed(START_FIRST, order="stop-first", failure_action="pause")
)
_GOES_ON = ServiceRequest(update=changed(START_FIRST, failure_action="continue"))
_SHORT = ServiceRequest(health=None, update=changed(START_FIRST, monitor_s=2.0))
_STOPS_SLOWLY = ServiceRequest(
    health=None,
    update=changed(START_FIRST, order="stop-first"),
    stop_grace_s=90.0,
    app={"STOP_S": "70"},
)
_STOPS_SOON = changed(_STOPS_SLOWLY, app={"STOP_S": "5"})
_ONE_SHOT = ServiceRequest(
    health=None, restart="on-failure", app={"EXIT_AT_S": "1", "EXIT_CODE": "0"}
)
_NOWHERE = "node.platform.os==nosuch"
_BROKEN = "a version that crashes at boot"
_LATE = "a version that ends after 6 s, where the swarm watches for 2 s"
_LEFT_EARLY = upgrade(
    _PATIENT,
    "a version that boots for long, and dies while it does",
    app={"EXIT_AT_S": "6", "READY_S": "90"},
)
_WITHIN = upgrade(
    _SHORT, "a version that ends after 1 s, while the swarm still watches", app={"EXIT_AT_S": "1"}
)

REPORTS = (
    BugReport(
        name="never-schedulable",
        source="docker/cli#663",
        also=("moby#36699",),
        title="an attached update hangs for ever when no node takes the task",
        seen="a constraint that no node meets: the client waits without an end",
        expected="a bound, and a reason",
        steps=upgrade(_BASE, "a constraint that no node meets", constraint=_NOWHERE),
        signature=(
            signs.came_to(TrueOutcome.DOWN),
            signs.client_hangs(),
            signs.kept_the_first(),
        ),
        control=upgrade(
            _BASE, "a constraint that the node meets", constraint="node.platform.os==linux"
        ),
        shape=Shape(
            states=("updating",),
            stamps=("base", "head"),
            new_task="pending",
            old_kept=True,
            end=GUARD,
        ),
    ),
    BugReport(
        name="constraint-is-corrected",
        source="moby#42215",
        title="the old pending task lingers after its constraint was corrected (control)",
        seen="the task that no node takes stays, and the corrected service does not come up",
        expected="the corrected version runs",
        steps=(
            *upgrade(_BASE, "a constraint that no node meets", constraint=_NOWHERE),
            WaitFor(until="pending"),
            Pause(1.0),
            Deploy(request=changed(_BASE, stamp="3", version="3"), why="without the constraint"),
        ),
        signature=(signs.came_to(TrueOutcome.DOWN),),
        control=upgrade(_BASE, "no constraint at all"),
        fixed_in="20.10.9",
        shape=changed(COMPLETED, stamps=("base", "other", "head")),
    ),
    BugReport(
        name="mixed-stack",
        source="docker/cli#595",
        also=("moby#34712",),
        title="one service of a stack is rolled back, its sibling stays new",
        seen="a stack of two versions, and nobody says so",
        expected="the whole stack goes back; of a waiter: that it is mixed",
        steps=(
            *running(_GOOD, _BAD),
            Deploy(request=next_version(_GOOD), why="version 2"),
            Deploy(request=next_version(_BAD, app=CRASHES), why="version 2, which crashes at boot"),
        ),
        signature=(
            signs.came_to(TrueOutcome.DEPLOYED, 0),
            signs.came_to(TrueOutcome.ROLLED_BACK, 1),
            signs.stamp_is("2", "good"),
            signs.stamp_is("1", "bad"),
        ),
        control=(
            *running(_GOOD, _BAD),
            Deploy(request=next_version(_GOOD), why="version 2"),
            Deploy(request=next_version(_BAD), why="version 2, which works too"),
        ),
        shape=ROLLED_BACK,
    ),
    BugReport(
        name="one-shot",
        source="docker/cli#5299",
        title="an attached deploy never returns where a one-shot service has completed",
        seen="a task that ends with 0 and is restarted on failure alone: the client waits for ever",
        expected="done, or an error",
        steps=(Create(request=_ONE_SHOT, judged=True),),
        signature=(signs.came_to(TrueOutcome.FINISHED), signs.client_hangs()),
        control=(Create(request=changed(_ONE_SHOT, app={}), judged=True),),
        shape=Shape(states=(), stamps=("head",), new_task="finished"),
    ),
    BugReport(
        name="paused-and-serving",
        source="docker-stack-wait#6",
        title="failure_action pause: the stamp says new, the old task serves",
        seen="the update is paused; whoever compares labels alone, or counts tasks, calls it done",
        expected="paused is no success, and says so",
        steps=upgrade(_PAUSES, _BROKEN, app=CRASHES),
        signature=(
            signs.came_to(TrueOutcome.PAUSED),
            signs.stamp_is("2"),
            signs.kept_the_first(),
            signs.client_exits(1),
        ),
        control=upgrade(_BASE, _BROKEN, app=CRASHES),
        shape=changed(ROLLED_BACK, states=("updating", "paused"), stamps=("base", "head")),
    ),
    BugReport(
        name="retry-stops-what-worked",
        source="moby#38611",
        title="deploying again while the image cannot be had stops the tasks that still worked",
        seen="paused with a replica of the old version up; the same deploy again takes that too",
        expected="what works is kept",
        steps=(
            *upgrade(_TWO, "an image that nobody has", absent=True),
            WaitFor(until="settled"),
            Deploy(
                request=changed(_TWO, stamp="3", version="2", absent=True),
                why="the same with another stamp, as a retry does",
            ),
        ),
        signature=(signs.came_to(TrueOutcome.PAUSED, 0), signs.nothing_runs()),
        control=upgrade(_TWO, "an image that nobody has, once", absent=True),
        shape=Shape(
            states=("updating", "paused", "updating", "paused"),
            stamps=("base", "other", "head"),
            new_task="failed before RUNNING",
            end=GUARD,
        ),
    ),
    BugReport(
        name="fails-after-monitor",
        source="moby#35498",
        title="a failure after `monitor` is no failure of the update: completed, and it restarts",
        seen="the service fails as expected, and is not rolled back",
        expected="of a waiter that is told to wait longer than that: not deployed",
        steps=upgrade(_SHORT, _LATE, hold_s=10.0, app={"EXIT_AT_S": "6"}),
        signature=(
            signs.came_to(TrueOutcome.DOWN),
            signs.state_is("completed"),
            signs.client_exits(0),
        ),
        control=_WITHIN,
        shape=changed(COMPLETED, new_task="failed after RUNNING", end=GUARD),
    ),
    BugReport(
        name="fails-after-the-guard",
        source="moby#35498",
        variant="not held",
        title="the same where nobody told the guard to wait longer: it passes, and then it fails",
        seen="the service fails as expected, and is not rolled back",
        expected="rightly called deployed when the swarm was done with it; it breaks later",
        steps=upgrade(_SHORT, _LATE, app={"EXIT_AT_S": "6"}),
        signature=(
            signs.came_to(TrueOutcome.DOWN),
            signs.state_is("completed"),
            signs.client_exits(0),
        ),
        control=_WITHIN,
        breaks_late=True,
        shape=changed(COMPLETED, new_task="failed after RUNNING"),
    ),
    BugReport(
        name="continues-broken",
        source="continue",
        title="failure_action continue: `completed` with a head that never comes up",
        seen="UpdateStatus is completed; the new task crashes at boot, over and over",
        expected="not deployed",
        steps=upgrade(_GOES_ON, _BROKEN, app=CRASHES),
        signature=(signs.came_to(TrueOutcome.DOWN), signs.state_is("completed")),
        control=upgrade(_BASE, _BROKEN, app=CRASHES),
        shape=changed(COMPLETED, new_task="failed before RUNNING", end=GUARD),
    ),
    BugReport(
        name="interrupted-client",
        source="D4",
        title="Ctrl-C at an attached update that has not converged: exit 0",
        seen="a cancelled CI job, or `timeout -s INT`, reads as success; the update goes on",
        expected="another exit code than 0",
        steps=(*_LEFT_EARLY, Pause(2.0), Interrupt()),
        signature=(
            signs.came_to(TrueOutcome.ROLLED_BACK),
            signs.client_exits(0),
            signs.client_was_first(),
        ),
        control=_LEFT_EARLY,
        not_in={"virtual": "there is no docker client in virtual time"},
    ),
    BugReport(
        name="stop-takes-too-long",
        source="moby#36111",
        also=("swarmkit#3274", "moby#44974"),
        title="stop-first waits one minute for the old task, whatever its grace period",
        seen="two instances at once, though stop-first and a grace period of 90 s were asked for",
        expected="the new task starts when the old one has gone",
        steps=upgrade(_STOPS_SLOWLY, "version 2; the old one takes 70 s to end"),
        signature=(signs.came_to(TrueOutcome.DEPLOYED), signs.both_ran()),
        control=upgrade(_STOPS_SOON, "version 2; the old one takes 5 s to end"),
        timeout_s=120.0,
        shape=COMPLETED,
    ),
)
