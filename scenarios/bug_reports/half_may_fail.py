"""One of two tasks fails, and a `max_failure_ratio` of 0.5 forgives it."""

from stamplab.scenarios.bug_reports import vocabulary as v

_STRICT = v.ServiceRequest(replicas=2, fault_slot=2)
_HALF = v.changed(_STRICT, update=v.changed(v.START_FIRST, max_failure_ratio=0.5))

REPORT = v.BugReport(
    name="half-may-fail",
    source="ratio",
    title="two replicas, max_failure_ratio 0.5: `completed`, though one of them never comes up",
    steps=v.upgrade(_HALF, to=v.next_version(_HALF, app=v.CRASHES), why="slot 2 crashes at boot"),
    signature=(v.signs.state_is("completed"), v.signs.came_to(v.TrueOutcome.DOWN)),
    control=v.upgrade(_STRICT, to=v.next_version(_STRICT, app=v.CRASHES), why="the same, ratio 0"),
)
