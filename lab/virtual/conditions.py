"""What a virtual run depends on besides its scenario: chance, the node, and who looks when.

All of it is a value, so the same conditions give the identical history. `Conditions()` is a quick
node that is watched without a gap; a search varies them.
"""

from __future__ import annotations

import msgspec


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """How long the one node takes for what a real one takes time for, and what it has."""

    prepare_s: float = 0.1
    """To see that the image is there, and make the container."""
    start_s: float = 0.1
    """From there to a running process."""
    assign_s: float = 0.1
    """How long the dispatcher gathers what the agent must hear, anew with each change."""
    report_s: float = 0.1
    """The dispatcher's beat for what agents report; 0: at once."""
    reap_s: float = 0.01
    """From a process's end to the engine's notice."""
    probe_s: float = 0.05
    """One health probe."""
    overhead_bytes: int = 1024 * 1024
    """Of a container beside its application's plan."""


class Commits(msgspec.Struct, frozen=True, tag="commits"):
    """Every commit of the swarm's store is seen, in its order: finer than anybody sees live."""


class Moments(msgspec.Struct, frozen=True, tag="moments"):
    """What came and went within one moment is not seen, as live an inspect comes too late."""


class Looks(msgspec.Struct, frozen=True, kw_only=True, tag="looks"):
    """Services are seen at every moment, tasks only every ``every_s``, as the live recorder does.

    A task's state has no event of its own.
    """

    every_s: float
    phase_s: float = 0.0
    """When the first look is."""


Sight = Commits | Moments | Looks


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    seed: int = 0
    """Of ids, of the dispatcher's beat, and of how SwarmKit's races end."""
    node: Node = Node()
    sight: Sight = Commits()
    deploy_before_s: float = 0.0
    """How long the deploy command works before the swarm hears of it."""
    deploy_after_s: float = 0.0
    """And how long it then takes to return."""
