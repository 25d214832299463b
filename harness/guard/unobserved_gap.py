"""What may have happened to a service while nobody watched it. Pure.

The guard knows of a transition by having looked between two of them, and it looks whenever the
engine announces something. Where the announcements stop (the stream was cut, the engine was away),
all that is left is the service before the gap and after it. That hides less than it seems to, for
a service carries its own past (SwarmKit v2.0.0, manager/controlapi/service.go:865-913):

- Every write to a service raises its version: the same version is the same service throughout.
- Every UpdateService sets PreviousSpec to the spec that it replaces and clears the status; a
  rollback by hand swaps the two specs and says so. A rollback of the swarm's own erases
  PreviousSpec and keeps the update's start (updater.go:607). Another service by the same name has
  another id. So the *last* call can always be told, and the fold does it (`View`): foreign specs,
  another start, a cleared status, a reverted spec.
- So what can be hidden is only what lies *before* the last call and has left the spec from before
  the deploy behind: the deploy was undone, by the swarm or by hand, and then somebody deployed the
  same once more. What stands there now is then another's success.
- Even that is told by the status, where the start of this deploy's own update was seen before the
  gap: an update that came later has another start, or none yet.

There remains the gap in which this deploy's update began and which ended with an update over the
baseline's spec. It is `unknown`, unless it was too short for all that: an update must be accepted,
start a task, fail, be undone, and somebody must deploy again.
"""

from __future__ import annotations

from stamplab.harness.guard import Baseline, update_status_started
from stamplab.lab.model.swarm import Service

RESOLUTION_S = 2.0
"""A gap that is shorter hides nothing that the time between two looks does not hide as well."""


# Only one thing can be hidden (ADR 0042).
def hidden(
    baseline: Baseline, before: Service | None, after: Service | None, unwatched_s: float
) -> str | None:
    """What a gap may hide, as a clause; None where what stands after it tells all that matters.

    ``before`` and ``after`` are the service as it was seen last before the gap, and first after it.
    """
    if unwatched_s <= RESOLUTION_S or before is None or after is None:
        return None
    if after.id != before.id or after.version == before.version:
        return None
    own_start = update_status_started(before)
    if own_start not in (None, baseline.status_started):
        return None
    if after.update_status is not None and _is_as_before(baseline, after):
        return None
    if after.previous_spec != baseline.spec:
        return None
    return (
        f"for {unwatched_s:.1f} s nothing was seen of {after.name}, and the update that stands "
        "there now may be another's, made after this deploy's own was undone"
    )


def _is_as_before(baseline: Baseline, after: Service) -> bool:
    """Whether the status is the one from before the deploy: no update has begun since then."""
    return update_status_started(after) == baseline.status_started
