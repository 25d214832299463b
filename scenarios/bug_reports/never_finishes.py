"""Reports of updates that do not end, end too early, or end in a mixture."""

from __future__ import annotations

from stamplab.harness.checks.deploy_ground_truth import Fate
from stamplab.harness.checks.shape import Shape
from stamplab.lab.model.service_spec import Probing, Wanted, changed
from stamplab.scenarios.bug_reports import signs
from stamplab.scenarios.bug_reports.report import Entry
from stamplab.scenarios.bug_reports.step import Create, Deploy, Interrupt, Pass, WaitFor
from stamplab.scenarios.discourse.shapes import GUARD

_BASE = Wanted()
_PATIENT = Wanted(health=Probing(retries=60))
_CRASHES = {"EXIT_AT_S": "0.5"}
_NOWHERE = "node.platform.os==nosuch"
_PAUSES = Wanted(failure_action="pause")
_TWO = Wanted(replicas=2, order="stop-first", failure_action="pause")
_GOES_ON = Wanted(failure_action="continue")
_SHORT = Wanted(health=None, monitor_s=2.0)
_STOPS_SLOWLY = Wanted(health=None, order="stop-first", stop_grace_s=90.0, app={"STOP_S": "70"})
_ONE_SHOT = Wanted(health=None, restart="on-failure", app={"EXIT_AT_S": "1", "EXIT_CODE": "0"})

ENTRIES = (
    Entry(
        name="never-schedulable",
        source="docker/cli#663",
        also=("moby#36699",),
        title="an attached update hangs for ever when no node takes the task",
        seen="a constraint that no node meets: the client waits without an end",
        expected="a bound, and a reason",
        steps=(
            Create(wanted=_BASE),
            WaitFor(until="running"),
            Deploy(
                wanted=changed(_BASE, stamp="2", version="2", constraint=_NOWHERE),
                why="a constraint that no node meets",
            ),
        ),
        signature=(signs.came_to(Fate.DOWN), signs.client_hangs(), signs.kept_the_first()),
        shape=Shape(
            states=("updating",),
            stamps=("base", "head"),
            new_task="pending",
            old_kept=True,
            end=GUARD,
        ),
    ),
    Entry(
        name="constraint-is-corrected",
        source="moby#42215",
        title="the old pending task lingers after its constraint was corrected (control)",
        seen="the task that no node takes stays, and the corrected service does not come up",
        expected="the corrected version runs",
        steps=(
            Create(wanted=_BASE),
            WaitFor(until="running"),
            Deploy(
                wanted=changed(_BASE, stamp="2", version="2", constraint=_NOWHERE),
                why="a constraint that no node meets",
            ),
            WaitFor(until="pending"),
            Pass(1.0),
            Deploy(wanted=changed(_BASE, stamp="3", version="3"), why="without the constraint"),
        ),
        signature=(signs.came_to(Fate.DOWN),),
        fixed_in="20.10.9",
        shape=Shape(
            states=("updating", "completed"),
            stamps=("base", "other", "head"),
            new_task="did not fail",
        ),
    ),
    Entry(
        name="mixed-stack",
        source="docker/cli#595",
        also=("moby#34712",),
        title="one service of a stack is rolled back, its sibling stays new",
        seen="a stack of two versions, and nobody says so",
        expected="the whole stack goes back; of a waiter: that it is mixed",
        steps=(
            Create(wanted=changed(_BASE, name="good")),
            Create(wanted=changed(_BASE, name="bad")),
            WaitFor(until="running", service="good"),
            WaitFor(until="running", service="bad"),
            Deploy(wanted=changed(_BASE, name="good", stamp="2", version="2"), why="version 2"),
            Deploy(
                wanted=changed(_BASE, name="bad", stamp="2", version="2", app=_CRASHES),
                why="version 2, which crashes at boot",
            ),
        ),
        signature=(
            signs.came_to(Fate.DEPLOYED, 0),
            signs.came_to(Fate.ROLLED_BACK, 1),
            signs.stamp_is("2", "good"),
            signs.stamp_is("1", "bad"),
        ),
        shape=Shape(
            states=("updating", "rollback_completed"),
            stamps=("base", "head", "base"),
            new_task="failed before RUNNING",
            old_kept=True,
            end=GUARD,
        ),
    ),
    Entry(
        name="one-shot",
        source="docker/cli#5299",
        title="an attached deploy never returns where a one-shot service has completed",
        seen="a task that ends with 0 and is restarted on failure alone: the client waits for ever",
        expected="done, or an error",
        steps=(Create(wanted=_ONE_SHOT, judged=True),),
        signature=(signs.came_to(Fate.FINISHED), signs.client_hangs()),
        shape=Shape(states=(), stamps=("head",), new_task="finished"),
    ),
    Entry(
        name="paused-and-serving",
        source="docker-stack-wait#6",
        title="failure_action pause: the stamp says new, the old task serves",
        seen="the update is paused; whoever compares labels alone, or counts tasks, calls it done",
        expected="paused is no success, and says so",
        steps=(
            Create(wanted=_PAUSES),
            WaitFor(until="running"),
            Deploy(
                wanted=changed(_PAUSES, stamp="2", version="2", app=_CRASHES),
                why="a version that crashes at boot",
            ),
        ),
        signature=(
            signs.came_to(Fate.PAUSED),
            signs.stamp_is("2"),
            signs.kept_the_first(),
            signs.client_exits(1),
        ),
        shape=Shape(
            states=("updating", "paused"),
            stamps=("base", "head"),
            new_task="failed before RUNNING",
            old_kept=True,
            end=GUARD,
        ),
    ),
    Entry(
        name="retry-stops-what-worked",
        source="moby#38611",
        title="deploying again while the image cannot be had stops the tasks that still worked",
        seen="paused with a replica of the old version up; the same deploy again takes that too",
        expected="what works is kept",
        steps=(
            Create(wanted=_TWO),
            WaitFor(until="running"),
            Deploy(
                wanted=changed(_TWO, stamp="2", version="2", absent=True),
                why="an image that nobody has",
            ),
            WaitFor(until="settled"),
            Deploy(
                wanted=changed(_TWO, stamp="3", version="2", absent=True),
                why="the same with another stamp, as a retry does",
            ),
        ),
        signature=(signs.came_to(Fate.PAUSED, 0), signs.nothing_runs()),
        shape=Shape(
            states=("updating", "paused", "updating", "paused"),
            stamps=("base", "other", "head"),
            new_task="failed before RUNNING",
            end=GUARD,
        ),
    ),
    Entry(
        name="fails-after-monitor",
        source="moby#35498",
        title="a failure after `monitor` is no failure of the update: completed, and it restarts",
        seen="the service fails as expected, and is not rolled back",
        expected="of a waiter that is told to wait longer than that: not deployed",
        steps=(
            Create(wanted=_SHORT),
            WaitFor(until="running"),
            Deploy(
                wanted=changed(_SHORT, stamp="2", version="2", app={"EXIT_AT_S": "6"}),
                why="a version that ends after 6 s, where the swarm watches for 2 s",
                hold_s=10.0,
            ),
        ),
        signature=(signs.came_to(Fate.DOWN), signs.state_is("completed"), signs.client_exits(0)),
        shape=Shape(
            states=("updating", "completed"),
            stamps=("base", "head"),
            new_task="failed after RUNNING",
            end=GUARD,
        ),
    ),
    Entry(
        name="fails-after-the-guard",
        source="moby#35498",
        variant="not held",
        title="the same where nobody told the guard to wait longer: it passes, and then it fails",
        seen="the service fails as expected, and is not rolled back",
        expected="rightly called deployed when the swarm was done with it; it breaks later",
        steps=(
            Create(wanted=_SHORT),
            WaitFor(until="running"),
            Deploy(
                wanted=changed(_SHORT, stamp="2", version="2", app={"EXIT_AT_S": "6"}),
                why="a version that ends after 6 s, where the swarm watches for 2 s",
            ),
        ),
        signature=(signs.came_to(Fate.DOWN), signs.state_is("completed"), signs.client_exits(0)),
        breaks_late=True,
        shape=Shape(
            states=("updating", "completed"),
            stamps=("base", "head"),
            new_task="failed after RUNNING",
        ),
    ),
    Entry(
        name="continues-broken",
        source="continue",
        title="failure_action continue: `completed` with a head that never comes up",
        seen="UpdateStatus is completed; the new task crashes at boot, over and over",
        expected="not deployed",
        steps=(
            Create(wanted=_GOES_ON),
            WaitFor(until="running"),
            Deploy(
                wanted=changed(_GOES_ON, stamp="2", version="2", app=_CRASHES),
                why="a version that crashes at boot",
            ),
        ),
        signature=(signs.came_to(Fate.DOWN), signs.state_is("completed")),
        shape=Shape(
            states=("updating", "completed"),
            stamps=("base", "head"),
            new_task="failed before RUNNING",
            end=GUARD,
        ),
    ),
    Entry(
        name="interrupted-client",
        source="D4",
        title="Ctrl-C at an attached update that has not converged: exit 0",
        seen="a cancelled CI job, or `timeout -s INT`, reads as success; the update goes on",
        expected="another exit code than 0",
        steps=(
            Create(wanted=_PATIENT),
            WaitFor(until="running"),
            Deploy(
                wanted=changed(
                    _PATIENT, stamp="2", version="2", app={"EXIT_AT_S": "6", "READY_S": "90"}
                ),
                why="a version that boots for long, and dies while it does",
            ),
            Pass(2.0),
            Interrupt(),
        ),
        signature=(
            signs.came_to(Fate.ROLLED_BACK),
            signs.client_exits(0),
            signs.client_was_first(),
        ),
        not_in={"virtual": "there is no docker client in virtual time"},
    ),
    Entry(
        name="stop-takes-too-long",
        source="moby#36111",
        also=("swarmkit#3274", "moby#44974"),
        title="stop-first waits one minute for the old task, whatever its grace period",
        seen="two instances at once, though stop-first and a grace period of 90 s were asked for",
        expected="the new task starts when the old one has gone",
        steps=(
            Create(wanted=_STOPS_SLOWLY),
            WaitFor(until="running"),
            Deploy(
                wanted=changed(_STOPS_SLOWLY, stamp="2", version="2"),
                why="version 2; the old one takes 70 s to end",
            ),
        ),
        signature=(signs.came_to(Fate.DEPLOYED), signs.both_ran()),
        timeout_s=120.0,
        shape=Shape(
            states=("updating", "completed"), stamps=("base", "head"), new_task="did not fail"
        ),
    ),
)
