"""What a world offers to the harness on trial. There are two kinds: a live one, and a virtual one.

The harness has no clock, no sleep, no threads and no docker: time passes in `World.next` alone, so
the very code that runs live runs in virtual time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from stamplab.lab.faults.operator import Act
from stamplab.lab.model.history import Deployed, Observation, Record
from stamplab.lab.model.swarm import Service


class Stack(msgspec.Struct, frozen=True, kw_only=True):
    """What one deploy asks for.

    Compose files (the last one wins), the environment they are read with.
    """

    name: str
    directory: Path
    """Where relative file references in the compose files start."""
    compose_files: tuple[Path, ...]
    own_files: tuple[Path, ...] = ()
    """Those of them that the lab wrote itself, not the recipe: they may lie outside the folder."""
    environment: dict[str, str]


class Deployer(msgspec.Struct, frozen=True, kw_only=True):
    """A program that deploys a stack by itself, in the docker client's place: a real abra."""

    argv: Callable[[str], tuple[str, ...]]
    """Its words, for the engine at this address."""
    environment: Callable[[str], dict[str, str]]
    """All of its environment, for the engine at this address."""
    by: str
    """Whose program it is."""


class World(Protocol):
    """One swarm, watched from before the first deploy on."""

    def now_s(self) -> float:
        """Seconds since this world began."""
        ...

    # The only wait (ADR 0048).
    def next(self, until_s: float) -> Record | None:
        """Wait for the next record, at most until ``until_s``; None when that moment has come.

        This is the only way for time to pass. Raises LabError when the apparatus has failed.
        """
        ...

    def provide(self, stack: Stack) -> None:
        """Make what a stack takes for granted, as far as it is not there yet.

        External networks, secrets with random values, labels of the node. Raises RecipeRefused as
        `apply` does.
        """
        ...

    def apply(self, stack: Stack, deployer: Deployer | None = None) -> Deployed:
        """Apply a stack as ``docker stack deploy`` would, without waiting for convergence.

        A ``deployer`` applies it by itself; it is judged beforehand all the same.

        A refusal by the compose loader or the swarm is in the answer (and in the history). Raises
        RecipeRefused, with nothing deployed, where the recipe asks for more than is trusted.
        """
        ...

    def inspect(self, service: str) -> Service | None:
        """Look at a service now (recorded like everything else).

        None where there is none of that name.
        """
        ...

    def look(self, stack: str) -> None:
        """Record every service and task of a stack anew, changed or not."""
        ...

    def usage_bytes(self) -> int:
        """Memory that the stack's tasks use now."""
        ...

    def set_limit(self, limit_bytes: int | None, reason: str) -> None:
        """Set or lift the memory limit that all tasks share."""
        ...

    # The world does it; the harness is not told (ADR 0032).
    def schedule(self, service: str, acts: Sequence[Act]) -> None:
        """Do these to a service at their times, counted from now, whatever the harness is at.

        The history tells of each (`OperatorActed`, `LimitSet`), the harness is told of none.
        """
        ...

    def call_off(self) -> None:
        """What was scheduled and has not been done is not done any more."""
        ...

    def record(self, what: Observation) -> None:
        """Put something that was done or concluded into the history."""
        ...
