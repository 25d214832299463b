"""Where schedules are tried: a scenario's upgrade, rehearsed, and a swarm to play it on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from stamplab.harness.ci.policy import Policy
from stamplab.lab.errors import UsageError
from stamplab.lab.live.lease import leased_scratch
from stamplab.lab.recipe.workload_overlay import Timing
from stamplab.lab.virtual.swarmsim import SwarmSim
from stamplab.lab.workload.shape import MemoryShape
from stamplab.runner.worlds import Virtual
from stamplab.scenarios.discourse.plays import DISCOURSE
from stamplab.scenarios.discourse.recipe import HEAD_IMAGE
from stamplab.search.rehearsal import Rehearsal, rehearse
from stamplab.search.schedule import Explorable, Schedule
from stamplab.search.trial import Trial, try_schedule

_MIB = 1024 * 1024
REFERENCE = Schedule(
    memory=MemoryShape(steady_bytes=100 * _MIB, peak_bytes=300 * _MIB, boot_s=1.0),
    timing=Timing(health_interval_s=1.0, monitor_s=5.0, stop_grace_s=5.0, retries=3),
    policy=Policy(order="start-first", failure_action="rollback", replicas=1),
)
"""What is rehearsed; every other schedule is written over it."""


EXPLORABLE: Mapping[str, Explorable] = {
    "discourse": Explorable(
        name="discourse",
        subject=DISCOURSE,
        head_image=HEAD_IMAGE,
        labels_only="HEAD~2",
        known=Path(__file__).parents[1] / "scenarios" / "discourse" / "known",
    ),
}


class SchedulePlayer(msgspec.Struct, frozen=True):
    """One process's: a swarm that plays one schedule after the other."""

    rehearsal: Rehearsal
    sim: SwarmSim

    @property
    def stamp_label(self) -> str:
        """The label that carries the deployed commit."""
        return self.rehearsal.setup.app.stamp_label

    def play(self, schedule: Schedule, *, guard: bool) -> Trial:
        """Play one schedule. Raises LabError."""
        return try_schedule(schedule, self.rehearsal, self.sim, guard=guard)


@contextmanager
def schedule_player(explorable: Explorable, means: Virtual) -> Iterator[SchedulePlayer]:
    """Rehearse the upgrade and start a swarm. Raises LabError."""
    with leased_scratch() as place:
        rehearsal = rehearse(explorable, REFERENCE, place.scratch, means.resolver.resolve)
        with closing(SwarmSim(means.swarmsim)) as sim:
            yield SchedulePlayer(rehearsal, sim)


def explorable_named(name: str) -> Explorable:
    """Return the scenario of that name. Raises UsageError where it cannot be explored."""
    try:
        return EXPLORABLE[name]
    except KeyError:
        there = ", ".join(EXPLORABLE)
        raise UsageError(f"{name!r} cannot be explored; what can: {there}") from None
