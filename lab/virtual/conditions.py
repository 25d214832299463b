"""What a virtual run depends on besides its scenario: chance, the node, and the observer.

All of these are values, so the same conditions give the identical history. `Conditions()` is a
fast node that is observed without a gap; a search varies them.
"""

from __future__ import annotations

import msgspec


class NodeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How long the node takes for what takes a real node time, and a container's own memory.

    Defaults: a fast node. `swarmsim/README.md` has what live engines take.
    """

    prepare_s: float = 0.1
    """From the task's arrival: find the image and create the container."""
    start_s: float = 0.1
    """From the container's creation to a running process."""
    assign_s: float = 0.1
    """How long the dispatcher gathers changes for the agent; each change starts the time again."""
    report_s: float = 0.1
    """The period at which the dispatcher writes what agents report; 0: at once."""
    reap_s: float = 0.01
    """From a process's end to the engine's event."""
    probe_s: float = 0.05
    """How long one health probe takes."""
    overhead_bytes: int = 1024 * 1024
    """A container's memory besides what its application's plan takes."""


class EveryCommit(msgspec.Struct, frozen=True, tag="commits"):
    """Every commit of the swarm's store is recorded, in order: finer than any live recorder."""


class EveryMoment(msgspec.Struct, frozen=True, tag="moments"):
    """The state at the end of each moment is recorded.

    A state that came and went within one moment is not, as a live inspect comes too late for it.
    """


class PeriodicTaskLists(msgspec.Struct, frozen=True, kw_only=True, tag="looks"):
    """Services are recorded at every moment, tasks every ``every_s`` only, as live.

    The engine sends no event for a task's state.
    """

    every_s: float
    phase_s: float = 0.0
    """When tasks are listed first."""


Visibility = EveryCommit | EveryMoment | PeriodicTaskLists


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """Everything random or variable about a virtual run, except its scenario."""

    seed: int = 0
    """Decides ids, the phase of the dispatcher's period, and how SwarmKit's races end."""
    node: NodeOptions = NodeOptions()
    visibility: Visibility = msgspec.field(default=EveryCommit(), name="sight")
    """How much of the swarm the recorder sees."""
    deploy_before_s: float = 0.0
    """From the deploy command's start to its first request to the swarm."""
    deploy_after_s: float = 0.0
    """From its last request to its return."""
