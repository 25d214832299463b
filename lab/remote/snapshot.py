"""What a look at somebody's swarm has shown, or that there was no answer."""

from __future__ import annotations

from typing import Protocol

import msgspec

from stamplab.lab.model.history import Record


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen at one moment."""

    records: tuple[Record, ...] = ()
    unwatched_s: float = 0.0
    """Of a look at services: for how long before it nothing would have told of a change."""
    blind: str = ""
    """Why nothing can be seen now; empty where it can."""


class Sight(Protocol):
    """Whoever watches a swarm for the guard. Time passes in `next` alone."""

    node: str
    """The node that is looked from: what happens to containers elsewhere is not seen."""

    def now_s(self) -> float:
        """Seconds since this began."""
        ...

    def baseline(self) -> Seen:
        """Look for the first time. Raises LabError where that is not possible."""
        ...

    def next(self, until_s: float) -> Seen | None:
        """Wait for what is seen next, at most until ``until_s``; None when that moment has come."""
        ...

    def confirm(self) -> Seen:
        """Look anew, unless that was done just now; empty then."""
        ...
