"""All that a bug report is written with, in one place."""

from __future__ import annotations

from stamplab.harness.checks.ground_truth import TrueOutcome
from stamplab.harness.checks.shape import GUARD, Shape
from stamplab.lab.faults.operator import Remove, Scale
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
    Intervene,
    Pause,
    WaitFor,
    running,
    upgrade,
)

CRASHES = {"EXIT_AT_S": "0.5"}
"""The application ends at boot, with exit code 1."""
NEVER_HEALTHY = {"NEVER_READY": "1"}
"""The application runs, and never opens its port."""

COMPLETED = Shape(
    states=("updating", "completed"), stamps=("base", "head"), new_task="did not fail"
)
ROLLED_BACK = Shape(
    states=("updating", "rollback_completed"),
    stamps=("base", "head", "base"),
    new_task="failed before RUNNING",
    old_kept=True,
    end=GUARD,
)

__all__ = (
    "COMPLETED",
    "CRASHES",
    "GUARD",
    "NEVER_HEALTHY",
    "ROLLED_BACK",
    "START_FIRST",
    "BugReport",
    "Create",
    "Deploy",
    "HealthCheck",
    "Interrupt",
    "Intervene",
    "Pause",
    "Remove",
    "Scale",
    "ServiceRequest",
    "Shape",
    "TrueOutcome",
    "WaitFor",
    "changed",
    "next_version",
    "running",
    "signs",
    "upgrade",
)
