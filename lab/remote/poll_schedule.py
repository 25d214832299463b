"""When to take the next snapshot of a swarm: steadily, and soon after an event. Pure.

Events only say *when* to look. Every write to a service is announced at once, cluster-wide. The
states of tasks are not announced; those of this node follow their containers' events within some
150 ms, for an agent's reports are gathered for 100 ms (SwarmKit
manager/dispatcher/dispatcher.go:44). Tasks of other nodes make no event here, and an engine drops
events that are not read quickly (moby daemon/events/events.go:28): therefore the steady polls.
"""

from __future__ import annotations

CALLS_PER_S = 2.0
"""The most calls a second, on average over a wait, whatever the size of a stack."""
POLL_S = 1.0
LONGEST_POLL_S = 2.0
"""So far apart are the polls of a wait's beginning: the calls before the deploy count as well."""
LONGEST_POLL_WITHOUT_EVENTS_S = 1.5
RETRY_S = 0.5
"""How soon after a snapshot that had no answer the next one is tried."""

_SNAPSHOT_CALLS = 2
_RESERVE_CALLS = 4
"""Steady polls leave so many calls to the snapshots that do not wait for them."""
_EVENTS_EVERY_S = 4.0
"""One snapshot in so long, on average, may follow an event before the next poll is due."""
_DEBOUNCE_S = 0.1
_NEVER_S = float("inf")


class PollSchedule:
    """The moment at which the next snapshot is due.

    A snapshot that is requested is taken at its moment. One that follows an event is, too, unless
    there were many of them: then it waits, but no longer than a steady poll. All times are seconds
    of one clock that begins with the wait.
    """

    def __init__(self) -> None:
        self.has_events = False
        """Whether the stream of events is open."""
        self._poll_at_s = 0.0
        self._requests_s: set[float] = set()
        self._events_s: set[float] = set()
        self._events_from_s = 0.0
        """When a snapshot may follow an event again."""

    @property
    def due_s(self) -> float:
        """When to take the next snapshot."""
        requested_s = min(self._requests_s, default=_NEVER_S)
        after_event_s = max(min(self._events_s, default=_NEVER_S), self._events_from_s)
        if after_event_s >= requested_s - _DEBOUNCE_S:
            return min(self._poll_at_s, requested_s)
        return min(self._poll_at_s, after_event_s)

    def request(self, at_s: float) -> None:
        """Have a snapshot taken at a moment, however many were taken before."""
        self._requests_s.add(at_s)

    def on_event(self, at_s: float) -> None:
        """Have a snapshot taken soon; from ``at_s`` on it shows what the event has led to."""
        if not any(at_s <= planned_s <= at_s + _DEBOUNCE_S for planned_s in self._events_s):
            self._events_s.add(at_s)

    def on_poll(self, now_s: float, calls: int) -> None:
        """Begin the next interval: a snapshot was taken; ``calls`` is how many were ever made."""
        was_requested = any(at_s <= now_s for at_s in self._requests_s)
        if not was_requested and any(at_s <= now_s for at_s in self._events_s):
            self._events_from_s = min(self._events_from_s, now_s) + _EVENTS_EVERY_S
        self._requests_s = {at_s for at_s in self._requests_s if at_s > now_s}
        self._events_s = {at_s for at_s in self._events_s if at_s > now_s}
        longest_s = LONGEST_POLL_S if self.has_events else LONGEST_POLL_WITHOUT_EVENTS_S
        allowed_s = (calls + _SNAPSHOT_CALLS + _RESERVE_CALLS) / CALLS_PER_S
        self._poll_at_s = min(max(allowed_s, now_s + POLL_S), now_s + longest_s)

    def on_failure(self, now_s: float) -> None:
        """Try again soon: a snapshot had no answer."""
        self._requests_s.clear()
        self._events_s.clear()
        self._poll_at_s = now_s + RETRY_S
        self._events_from_s = max(self._events_from_s, self._poll_at_s)
