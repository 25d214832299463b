"""One of two tasks fails, and a `max_failure_ratio` of 0.5 forgives it."""

from stamplab.scenarios.bug_reports import vocabulary as v

_HALF_MAY_FAIL = v.changed(v.START_FIRST, max_failure_ratio=0.5)
_TWO = v.ServiceRequest(replicas=2, update=_HALF_MAY_FAIL)

REPORT = v.BugReport(
    name="half-may-fail",
    source="ratio",
    title="two replicas, max_failure_ratio 0.5: `completed`, though one of them never comes up",
    steps=v.upgrade(_TWO, "2 crashes", app=v.CRASHES, fault_slot=2),
    signature=(v.signs.state_is("completed"), v.signs.came_to(v.TrueOutcome.DOWN)),
    control=v.upgrade(_TWO, "none crashes"),
)
