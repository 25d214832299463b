"""The few kinds of steps that bug reports are played by; a row of them is a report's plot."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from stamplab.lab.faults.operator import Operation, Remove, in_words
from stamplab.lab.model.service_request import ServiceRequest, next_version

Until = Literal["running", "started", "pending", "settled"]
"""What is waited for, of a service: all its wanted tasks run; a task of its present spec has been
started and is not up yet; it cannot be placed; the swarm is done with its update."""

_UNTIL = {
    "running": "all tasks of {0} run",
    "started": "the new task of {0} is starting",
    "pending": "no node takes the new task of {0}",
    "settled": "the swarm is done with the update of {0}",
}


class Create(msgspec.Struct, frozen=True, kw_only=True, tag="create"):
    """Somebody creates a service."""

    request: ServiceRequest
    judged: bool = False
    """Whether this deploy itself is on trial."""


class Deploy(msgspec.Struct, frozen=True, kw_only=True, tag="deploy"):
    """Somebody updates a service; this deploy is on trial, by a client, a guard and an observer."""

    request: ServiceRequest
    why: str
    """What is new in it, as a clause."""
    hold_s: float = 0.0
    """How long the guard is told to hold its verdict at least; 0: as long as the server may act."""


class Intervene(msgspec.Struct, frozen=True, kw_only=True, tag="intervene"):
    """A second operator does something to a service, and waits for nothing."""

    service: str
    operation: Operation


class WaitFor(msgspec.Struct, frozen=True, kw_only=True, tag="wait"):
    """Everybody waits until a service has come so far; that it never does is no verdict."""

    until: Until
    service: str = "web"
    timeout_s: float = 60.0


class Pause(msgspec.Struct, frozen=True, tag="pause"):
    """Some seconds pass."""

    seconds: float


class Interrupt(msgspec.Struct, frozen=True, tag="interrupt"):
    """Somebody presses Ctrl-C where the last client still waits."""


Step = Create | Deploy | Intervene | WaitFor | Pause | Interrupt


def upgrade(
    base: ServiceRequest, why: str, hold_s: float = 0.0, **changes: Any
) -> tuple[Step, ...]:
    """Create ``base``, wait until it runs, and deploy its next version with ``changes``.

    ``why`` says what is new in it.
    """
    return (*running(base), Deploy(request=next_version(base, **changes), why=why, hold_s=hold_s))


def running(*bases: ServiceRequest) -> tuple[Step, ...]:
    """Create services, and wait until all of them run."""
    return (
        *(Create(request=base) for base in bases),
        *(WaitFor(until="running", service=base.name) for base in bases),
    )


def describe(step: Step) -> str:
    """Say a step as a line of a lab notebook."""
    match step:
        case Create(request=request):
            return f"create {request.name}"
        case Deploy(request=request, why=why):
            return f"update {request.name}: {why}"
        case Intervene(service=service, operation=Remove()):
            return f"remove {service}"
        case Intervene(service=service, operation=operation):
            return f"{in_words(operation)} ({service})"
        case WaitFor(until=until, service=service):
            return f"wait until {_UNTIL[until].format(service)}"
        case Pause(seconds=seconds):
            return f"{seconds:g} s pass"
        case Interrupt():
            return "Ctrl-C at the client that waits"
