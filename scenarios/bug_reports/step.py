"""The few kinds of steps that the record is played by; a row of them is a scenario's plot."""

from __future__ import annotations

from typing import Literal

import msgspec

from stamplab.lab.faults.operator import Operation, Remove, in_words
from stamplab.lab.model.service_spec import Wanted

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

    wanted: Wanted
    judged: bool = False
    """Whether this deploy itself is on trial."""


class Deploy(msgspec.Struct, frozen=True, kw_only=True, tag="deploy"):
    """Somebody updates a service; this deploy is on trial, by a client, a guard and an observer."""

    wanted: Wanted
    why: str
    """What is new in it, as a clause."""
    hold_s: float = 0.0
    """How long the guard is told to hold its verdict at least; 0: as long as the server may act."""


class Meddle(msgspec.Struct, frozen=True, kw_only=True, tag="meddle"):
    """A second operator does something to a service, and waits for nothing."""

    service: str
    what: Operation


class WaitFor(msgspec.Struct, frozen=True, kw_only=True, tag="wait"):
    """Everybody waits until a service has come so far; that it never does is no verdict."""

    until: Until
    service: str = "web"
    timeout_s: float = 60.0


class Pass(msgspec.Struct, frozen=True, tag="pass"):
    """Some seconds pass."""

    seconds: float


class Interrupt(msgspec.Struct, frozen=True, tag="interrupt"):
    """Somebody presses Ctrl-C where the last client still waits."""


Step = Create | Deploy | Meddle | WaitFor | Pass | Interrupt


def told(step: Step) -> str:
    """Say a step as a line of a lab notebook."""
    match step:
        case Create(wanted=wanted):
            return f"create {wanted.name}"
        case Deploy(wanted=wanted, why=why):
            return f"update {wanted.name}: {why}"
        case Meddle(service=service, what=Remove()):
            return f"remove {service}"
        case Meddle(service=service, what=what):
            return f"{in_words(what)} ({service})"
        case WaitFor(until=until, service=service):
            return f"wait until {_UNTIL[until].format(service)}"
        case Pass(seconds=seconds):
            return f"{seconds:g} s pass"
        case Interrupt():
            return "Ctrl-C at the client that waits"
