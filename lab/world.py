"""The protocol between a world, live or virtual, and the harness on trial.

The harness has no clock, no sleep, no threads and no docker: time passes only in `World.next`, so
the same code runs live and in virtual time.
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
    """The input of one deploy: compose files, and the variables to interpolate them with."""

    name: str
    directory: Path
    """The folder of the recipe, where relative file references start."""
    compose_files: tuple[Path, ...]
    """A later file overrides an earlier one."""
    lab_files: tuple[Path, ...] = ()
    """Compose files that the lab wrote, not the recipe: they may lie outside the folder."""
    environment: dict[str, str]


class Deployer(msgspec.Struct, frozen=True, kw_only=True):
    """A program that deploys a stack instead of the docker client: a real abra."""

    argv: Callable[[str], tuple[str, ...]]
    """Returns the command line for the engine at an address."""
    environment: Callable[[str], dict[str, str]]
    """Returns the whole environment for the engine at an address."""
    by: str
    """The program's name in the history."""


class DeployTarget(Protocol):
    """What a deploy needs of a world."""

    def now_s(self) -> float:
        """Return seconds since the world began."""

    def provide(self, stack: Stack) -> None:
        """Create a stack's missing prerequisites.

        These are external networks, secrets with random values, and labels of the node. Raises
        RecipeRefused as `apply` does.
        """

    def apply(self, stack: Stack, deployer: Deployer | None = None) -> Deployed:
        """Apply a stack as ``docker stack deploy`` would, without waiting for convergence.

        With a ``deployer`` that program applies the stack, which is judged before all the same.

        The answer, and the history, hold a refusal by the compose loader or the swarm. Raises
        RecipeRefused, with nothing deployed, where the recipe asks for more than is trusted.
        """

    def record(self, what: Observation) -> None:
        """Put an action or a conclusion into the history."""


class World(DeployTarget, Protocol):
    """A swarm that is watched from before the first deploy on."""

    # The only wait (ADR 0048).
    def next(self, until_s: float) -> Record | None:
        """Wait for the next record, at most until ``until_s``; None when that time has come.

        Time passes only here. Raises LabError when the apparatus has failed.
        """

    def inspect(self, service: str) -> Service | None:
        """Inspect and record a service; None where the swarm has no service of that name."""

    def look(self, stack: str) -> None:
        """Record every service and task of a stack, changed or not."""

    def usage_bytes(self) -> int:
        """Return the memory that the stack's tasks use now."""

    def set_limit(self, limit_bytes: int | None, reason: str) -> None:
        """Set the memory limit that all tasks share; None lifts the limit."""

    # The world does it; the harness is not told (ADR 0032).
    def schedule(self, service: str, acts: Sequence[Act]) -> None:
        """Schedule acts of an operator on a service, at times from now, whatever the harness does.

        The history records each act (`OperatorActed`, `LimitSet`); the harness is not notified.
        """

    def cancel_scheduled(self) -> None:
        """Cancel the scheduled acts that are not done yet."""
