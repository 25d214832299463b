"""Somebody's swarm, watched and never changed: every call is a GET.

It needs neither root nor the private lab, nor any program but, for an ssh:// address, ssh itself.
Whoever judges what was seen needs no more than the two types of this module.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from stamplab.lab.model.history import Record


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What has become known since the snapshot before: events, services, tasks, containers' ends.

    Rule only after all of its records: its services and tasks are one moment.
    """

    records: tuple[Record, ...] = ()
    unwatched_s: float = 0.0
    """How long no event would have told of a change before the services were listed."""
    no_answer: str = ""
    """Why the swarm's state is not known now; empty where it is."""


class SwarmSource(Protocol):
    """Whatever gives snapshots of a swarm. Time passes in `next` alone."""

    node: str
    """The node whose engine is asked: containers on other nodes cannot be inspected."""

    def now_s(self) -> float:
        """Return the seconds since the source was made."""

    def baseline(self) -> Snapshot:
        """Take the first snapshot. Raises LabError where that is not possible."""

    def next(self, until_s: float) -> Snapshot | None:
        """Wait for the next snapshot, at most until ``until_s``; None when that moment comes."""

    def confirm(self) -> Snapshot:
        """Take a snapshot, unless the last one is fresh; then return one without records."""
