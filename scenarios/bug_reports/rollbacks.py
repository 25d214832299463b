"""Reports of updates that the swarm takes back, and of whoever does not notice."""

from __future__ import annotations

from stamplab.harness.checks.ground_truth import TrueOutcome
from stamplab.harness.checks.shape import GUARD
from stamplab.lab.model.service_request import (
    START_FIRST,
    HealthCheck,
    ServiceRequest,
    changed,
)
from stamplab.scenarios.bug_reports import signs
from stamplab.scenarios.bug_reports.report import BugReport
from stamplab.scenarios.bug_reports.step import Deploy, WaitFor, upgrade
from stamplab.scenarios.bug_reports.vocabulary import COMPLETED, NEVER_HEALTHY, ROLLED_BACK

_BASE = ServiceRequest()
_TWO = ServiceRequest(replicas=2)
_ALL_AT_ONCE = changed(_TWO, update=changed(START_FIRST, parallelism=0))
_FAILING_SLOT = changed(
    _ALL_AT_ONCE, fault_slot=2, health=HealthCheck(retries=60), app={"READY_S": "8"}
)
_WATCHED = changed(_FAILING_SLOT, update=changed(START_FIRST, parallelism=0, monitor_s=20.0))
_BARE = ServiceRequest(health=None)
_DELAYED = ServiceRequest(
    replicas=None,
    update=changed(START_FIRST, order="stop-first", delay_s=5.0),
    health=HealthCheck(interval_s=2.0, retries=1),
)
_WATCHED_LONG = ServiceRequest(
    health=None, update=changed(START_FIRST, monitor_s=2.0, delay_s=15.0)
)
_PAUSING = ServiceRequest(update=changed(START_FIRST, failure_action="pause"))
_ENDS_AT_BOOT = {"EXIT_AT_S": "0.5", "EXIT_CODE": "3"}
_SICK, _ENDS_EARLY, _WELL = (
    "a version that is never healthy",
    "a version that ends after 2 s",
    "a version that works",
)
_BACK_ANEW = changed(ROLLED_BACK, new_task="failed after RUNNING", old_kept=False)

REPORTS = (
    BugReport(
        name="exits-0-after-rollback",
        source="docker/cli#6752",
        title="an attached deploy exits 0 though the swarm rolled it back",
        seen="the new health check fails, the swarm rolls back, the client prints `converged`: 0",
        expected="another exit code than 0",
        steps=upgrade(_TWO, _SICK, app=NEVER_HEALTHY),
        signature=(signs.came_to(TrueOutcome.ROLLED_BACK), signs.client_exits(0)),
        control=upgrade(_TWO, _WELL),
        shape=ROLLED_BACK,
    ),
    BugReport(
        name="healthy-task-is-gone",
        source="moby#43081",
        title="start-first: a crash after RUNNING finds the old task already retired",
        seen="no health check; the new task runs and ends; the rollback starts another old one",
        expected="the first task is never stopped",
        steps=upgrade(_BARE, _ENDS_EARLY, app={"EXIT_AT_S": "2"}),
        signature=(signs.came_to(TrueOutcome.ROLLED_BACK), signs.lost_the_first()),
        control=upgrade(
            _BASE,
            "the same, where a health check finds it not RUNNING yet",
            app={"EXIT_AT_S": "2", "READY_S": "9"},
        ),
        shape=_BACK_ANEW,
    ),
    BugReport(
        name="healthy-tasks-are-replaced",
        source="moby#34111",
        title="start-first with a failing health check replaces healthy old tasks (control)",
        seen="all at once, start-first both ways; the rollback replaces tasks that were healthy",
        expected="the healthy old tasks are kept",
        steps=upgrade(_ALL_AT_ONCE, _SICK, app=NEVER_HEALTHY),
        signature=(signs.came_to(TrueOutcome.ROLLED_BACK), signs.lost_the_first()),
        control=upgrade(_ALL_AT_ONCE, _WELL),
        fixed_in="17.09",
        shape=ROLLED_BACK,
    ),
    BugReport(
        name="delay-hides-failure",
        source="moby#37972",
        also=("moby#42875",),
        title="a delay as long as the monitor: the failure is missed, no rollback (server fixed)",
        seen="a global service, delay 5 s; the unhealthy version stays, the good task is killed",
        expected="a rollback",
        steps=upgrade(_DELAYED, _SICK, app=NEVER_HEALTHY),
        signature=(signs.came_to(TrueOutcome.DOWN),),
        control=upgrade(_DELAYED, _WELL),
        fixed_in="20.10.9",
        shape=changed(ROLLED_BACK, old_kept=False),
    ),
    BugReport(
        name="client-is-done-first",
        source="D3",
        also=("moby#37972, the client's part",),
        title="the client declares success after `monitor`, the swarm watches for delay + 1 s",
        seen="monitor 2 s, delay 15 s; the new task ends at 8 s: exit 0 after 3 s, and a rollback",
        expected="no word before the swarm's own",
        steps=upgrade(_WATCHED_LONG, "a version that ends after 8 s", app={"EXIT_AT_S": "8"}),
        signature=(signs.came_to(TrueOutcome.ROLLED_BACK), signs.client_was_first()),
        control=upgrade(_WATCHED_LONG, _WELL),
        shape=_BACK_ANEW,
    ),
    BugReport(
        name="reason-is-erased",
        source="moby#36782",
        title="rolled back `due to failure or early termination`, and the reason is nowhere",
        seen="the client and the log name a task and no reason; nothing is to be read afterwards",
        expected="the reason: which task, its error, its exit code",
        steps=upgrade(_BASE, "a version that ends at boot with exit code 3", app=_ENDS_AT_BOOT),
        signature=(signs.came_to(TrueOutcome.ROLLED_BACK), signs.names_no_task()),
        control=upgrade(
            _PAUSING,
            "the same, where a failed update is paused: its message stays",
            app=_ENDS_AT_BOOT,
        ),
        shape=ROLLED_BACK,
    ),
    BugReport(
        name="back-to-the-unproved",
        source="D2",
        also=("moby#26421",),
        title="the rollback goes to the last spec, not to the last good one",
        seen="v2 ends at 9 s; 2 s later comes v3, which ends at 2 s: rolled back to the broken v2",
        expected="v1 again",
        steps=(
            *upgrade(_BARE, "a version that ends after 9 s", app={"EXIT_AT_S": "9"}),
            WaitFor(until="running"),
            Deploy(
                request=changed(_BARE, stamp="3", version="3", app={"EXIT_AT_S": "2"}),
                why="a version that ends after 2 s, while the other is still on trial",
            ),
        ),
        signature=(signs.came_to(TrueOutcome.ROLLED_BACK), signs.stamp_is("2")),
        control=upgrade(
            _BARE,
            "a version that ends after 2 s, with none between it and the good one",
            stamp="3",
            version="3",
            app={"EXIT_AT_S": "2"},
        ),
        shape=changed(_BACK_ANEW, stamps=("base", "other", "head", "other")),
    ),
    BugReport(
        name="image-is-absent",
        source="portainer#13213",
        also=("moby#32158",),
        title="an image that cannot be had: the deploy is reported as success",
        seen="the pull fails on the node; the stack's update is called successful",
        expected="the deploy fails, with the node's words",
        steps=upgrade(_BASE, "an image that nobody has", absent=True),
        signature=(signs.came_to(TrueOutcome.ROLLED_BACK), signs.client_exits(0)),
        control=upgrade(_BASE, _WELL),
        shape=ROLLED_BACK,
    ),
    BugReport(
        name="failure-is-forgotten",
        source="D5",
        title="a task's failure is forgotten while its sibling boots for longer than `monitor`",
        seen="two at once, one crashes at boot, the other boots for 8 s: `completed`, one is down",
        expected="the failure rolls back: max_failure_ratio is 0",
        steps=upgrade(
            _FAILING_SLOT,
            "a version that crashes at boot in slot 2",
            app={"READY_S": "8", "EXIT_AT_S": "0.5"},
        ),
        signature=(signs.came_to(TrueOutcome.DOWN), signs.state_is("completed")),
        control=upgrade(
            _WATCHED,
            "the same, where the swarm watches for 20 s",
            app={"READY_S": "8", "EXIT_AT_S": "0.5"},
        ),
        shape=changed(COMPLETED, new_task="failed before RUNNING", end=GUARD),
    ),
)
