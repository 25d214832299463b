"""Follows the events of somebody's engine, and takes them up again where the stream breaks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

import msgspec

from stamplab.lab.model.engine_json import Happened, read_event
from stamplab.lab.remote.client import EventStream, Filters, Silent

FILTERS: Filters = {
    "type": ["service", "container", "node"],
    "event": ["create", "update", "remove", "start", "die", "oom", "health_status"],
}
"""All that can tell of an update. Every health check makes three further events, left out here."""
_RETRY_S = (0.05, 0.1, 0.25)
_END_TIMEOUT_S = 2.0


class Connected(msgspec.Struct, frozen=True):
    """From here on the stream tells of everything."""


class Cut(msgspec.Struct, frozen=True):
    """From here on the stream tells nothing."""

    reason: str


class Source(Protocol):
    """What streams can be had from."""

    def stream(self, filters: Filters, since: str | None) -> EventStream:
        """Open one; raises Silent."""
        ...


class EventFollower:
    """A thread that hands on each event, and each end and beginning of the stream.

    After an end it asks for all that came after the last event that it saw. An engine remembers 256
    of them, and none from before its own start (moby daemon/events/events.go:13), so what was
    missed has to be looked for all the same.
    """

    def __init__(self, source: Source, tell: Callable[[Happened | Connected | Cut], None]) -> None:
        self._source = source
        self._tell = tell
        self._stopping = threading.Event()
        self._stream: EventStream | None = None
        self._last: Happened | None = None
        self._thread = threading.Thread(target=self._run, name="docker events", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        stream = self._stream
        if stream is not None:
            stream.close()
        self._thread.join(_END_TIMEOUT_S)

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            seen_before = self._last
            reason = self._follow()
            if self._stopping.is_set():
                return
            self._tell(Cut(reason))
            failures = 0 if self._last is not seen_before else failures + 1
            self._stopping.wait(_RETRY_S[min(failures, len(_RETRY_S) - 1)])

    def _follow(self) -> str:
        """Follow one stream to its end; return why it ended."""
        try:
            self._stream = self._source.stream(FILTERS, _moment(self._last))
        except Silent as error:
            return str(error)
        self._tell(Connected())
        try:
            for item in self._stream:
                self._take(read_event(item))
        except msgspec.MsgspecError as error:
            return f"the engine sent an event that is not understood: {error}"
        finally:
            self._stream.close()
        return "the stream of events ended"

    def _take(self, happened: Happened) -> None:
        if happened == self._last:
            return  # asked for once more, with what came after it
        self._last = happened
        self._tell(happened)


def _moment(last: Happened | None) -> str | None:
    """A moment as the API takes it: seconds, a point, nanoseconds."""
    if last is None:
        return None
    seconds, nanoseconds = divmod(last.unix_ns, 1_000_000_000)
    return f"{seconds}.{nanoseconds:09d}"
