"""Reports of updates that the swarm takes back, and of whoever does not notice."""

from __future__ import annotations

from stamplab.harness.checks.deploy_ground_truth import Fate
from stamplab.harness.checks.shape import Shape
from stamplab.lab.model.service_spec import Probing, Wanted, changed
from stamplab.scenarios.bug_reports import signs
from stamplab.scenarios.bug_reports.report import Entry
from stamplab.scenarios.bug_reports.step import Create, Deploy, WaitFor
from stamplab.scenarios.discourse.shapes import GUARD

_BASE = Wanted()
_TWO = Wanted(replicas=2)
_BARE = Wanted(health=None)
_DELAYED = Wanted(
    replicas=None, order="stop-first", delay_s=5.0, health=Probing(interval_s=2.0, retries=1)
)
_WATCHED_LONG = Wanted(health=None, monitor_s=2.0, delay_s=15.0)
_NEVER_HEALTHY = {"NEVER_READY": "1"}
_BACK = Shape(
    states=("updating", "rollback_completed"),
    stamps=("base", "head", "base"),
    new_task="failed before RUNNING",
    old_kept=True,
    end=GUARD,
)
_BACK_ANEW = Shape(
    states=("updating", "rollback_completed"),
    stamps=("base", "head", "base"),
    new_task="failed after RUNNING",
    end=GUARD,
)

ENTRIES = (
    Entry(
        name="exits-0-after-rollback",
        source="docker/cli#6752",
        title="an attached deploy exits 0 though the swarm rolled it back",
        seen="the new health check fails, the swarm rolls back, the client prints `converged`: 0",
        expected="another exit code than 0",
        steps=(
            Create(wanted=_TWO),
            WaitFor(until="running"),
            Deploy(
                wanted=changed(_TWO, stamp="2", version="2", app=_NEVER_HEALTHY),
                why="a version that is never healthy",
            ),
        ),
        signature=(signs.came_to(Fate.ROLLED_BACK), signs.client_exits(0)),
        shape=_BACK,
    ),
    Entry(
        name="healthy-task-is-gone",
        source="moby#43081",
        title="start-first: a crash after RUNNING finds the old task already retired",
        seen="no health check; the new task runs and ends; the rollback starts another old one",
        expected="the first task is never stopped",
        steps=(
            Create(wanted=_BARE),
            WaitFor(until="running"),
            Deploy(
                wanted=changed(_BARE, stamp="2", version="2", app={"EXIT_AT_S": "2"}),
                why="a version that ends after 2 s",
            ),
        ),
        signature=(signs.came_to(Fate.ROLLED_BACK), signs.lost_the_first()),
        shape=_BACK_ANEW,
    ),
    Entry(
        name="healthy-tasks-are-replaced",
        source="moby#34111",
        title="start-first with a failing health check replaces healthy old tasks (control)",
        seen="all at once, start-first both ways; the rollback replaces tasks that were healthy",
        expected="the healthy old tasks are kept",
        steps=(
            Create(wanted=changed(_TWO, parallelism=0)),
            WaitFor(until="running"),
            Deploy(
                wanted=changed(_TWO, parallelism=0, stamp="2", version="2", app=_NEVER_HEALTHY),
                why="a version that is never healthy",
            ),
        ),
        signature=(signs.came_to(Fate.ROLLED_BACK), signs.lost_the_first()),
        fixed_in="17.09",
        shape=_BACK,
    ),
    Entry(
        name="delay-hides-failure",
        source="moby#37972",
        also=("moby#42875",),
        title="a delay as long as the monitor: the failure is missed, no rollback (server fixed)",
        seen="a global service, delay 5 s; the unhealthy version stays, the good task is killed",
        expected="a rollback",
        steps=(
            Create(wanted=_DELAYED),
            WaitFor(until="running"),
            Deploy(
                wanted=changed(_DELAYED, stamp="2", version="2", app=_NEVER_HEALTHY),
                why="a version that is never healthy",
            ),
        ),
        signature=(signs.came_to(Fate.DOWN),),
        fixed_in="20.10.9",
        shape=Shape(
            states=("updating", "rollback_completed"),
            stamps=("base", "head", "base"),
            new_task="failed before RUNNING",
            end=GUARD,
        ),
    ),
    Entry(
        name="client-is-done-first",
        source="D3",
        also=("moby#37972, the client's part",),
        title="the client declares success after `monitor`, the swarm watches for delay + 1 s",
        seen="monitor 2 s, delay 15 s; the new task ends at 8 s: exit 0 after 3 s, and a rollback",
        expected="no word before the swarm's own",
        steps=(
            Create(wanted=_WATCHED_LONG),
            WaitFor(until="running"),
            Deploy(
                wanted=changed(_WATCHED_LONG, stamp="2", version="2", app={"EXIT_AT_S": "8"}),
                why="a version that ends after 8 s",
            ),
        ),
        signature=(signs.came_to(Fate.ROLLED_BACK), signs.client_was_first()),
        shape=_BACK_ANEW,
    ),
    Entry(
        name="reason-is-erased",
        source="moby#36782",
        title="rolled back `due to failure or early termination`, and the reason is nowhere",
        seen="the client and the log name a task and no reason; nothing is to be read afterwards",
        expected="the reason: which task, its error, its exit code",
        steps=(
            Create(wanted=_BASE),
            WaitFor(until="running"),
            Deploy(
                wanted=changed(
                    _BASE, stamp="2", version="2", app={"EXIT_AT_S": "0.5", "EXIT_CODE": "3"}
                ),
                why="a version that ends at boot with exit code 3",
            ),
        ),
        signature=(signs.came_to(Fate.ROLLED_BACK), signs.names_no_task()),
        shape=_BACK,
    ),
    Entry(
        name="back-to-the-unproved",
        source="D2",
        also=("moby#26421",),
        title="the rollback goes to the last spec, not to the last good one",
        seen="v2 ends at 9 s; 2 s later comes v3, which ends at 2 s: rolled back to the broken v2",
        expected="v1 again",
        steps=(
            Create(wanted=_BARE),
            WaitFor(until="running"),
            Deploy(
                wanted=changed(_BARE, stamp="2", version="2", app={"EXIT_AT_S": "9"}),
                why="a version that ends after 9 s",
            ),
            WaitFor(until="running"),
            Deploy(
                wanted=changed(_BARE, stamp="3", version="3", app={"EXIT_AT_S": "2"}),
                why="a version that ends after 2 s, while the other is still on trial",
            ),
        ),
        signature=(signs.came_to(Fate.ROLLED_BACK), signs.stamp_is("2")),
        shape=Shape(
            states=("updating", "rollback_completed"),
            stamps=("base", "other", "head", "other"),
            new_task="failed after RUNNING",
            end=GUARD,
        ),
    ),
    Entry(
        name="image-is-absent",
        source="portainer#13213",
        also=("moby#32158",),
        title="an image that cannot be had: the deploy is reported as success",
        seen="the pull fails on the node; the stack's update is called successful",
        expected="the deploy fails, with the node's words",
        steps=(
            Create(wanted=_BASE),
            WaitFor(until="running"),
            Deploy(
                wanted=changed(_BASE, stamp="2", version="2", absent=True),
                why="an image that nobody has",
            ),
        ),
        signature=(signs.came_to(Fate.ROLLED_BACK), signs.client_exits(0)),
        shape=_BACK,
    ),
)
