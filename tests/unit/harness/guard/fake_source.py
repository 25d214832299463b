"""A source of snapshots in virtual time: what it shows, moment by moment, and when it is blind."""

from __future__ import annotations

from collections import deque
from itertools import count

from stamplab.harness.guard.deploy_watch import DeployWatch, follow
from stamplab.harness.guard.expectations import WatchPlan
from stamplab.harness.guard.report import StackVerdict
from stamplab.lab.model.history import Deployed, Observation, ServiceSeen, TasksSeen, placed
from stamplab.lab.remote import Snapshot
from tests.builders import deployed as deploy_ended

NODE = "here"
_numbers = count()


def look(*what: Observation, at: float = 0.0, unwatched_s: float = 0.0) -> Snapshot:
    """What one look has shown."""
    records = tuple(placed(next(_numbers), "swarm", observation, at, None) for observation in what)
    return Snapshot(records=records, unwatched_s=unwatched_s)


Moment = tuple[float, tuple[Observation, ...] | str | Snapshot]
"""When, and what was seen; a text says why nothing could be."""


class FakeSource:
    """Plays moments. A fresh look shows what the last one did, unless there is no answer."""

    node = NODE

    def __init__(self, first: tuple[Observation, ...], *moments: Moment) -> None:
        self.looks = 0
        self._now_s = 0.0
        self._coming = deque(moments)
        self._stands: dict[tuple[str, str], Observation] = {}
        self._blind = ""
        self._first = self._shown(look(*first))

    def now_s(self) -> float:
        return self._now_s

    def baseline(self) -> Snapshot:
        return self._first

    def next(self, until_s: float) -> Snapshot | None:
        if not self._coming or self._coming[0][0] > until_s:
            assert until_s < float("inf"), "it waits for ever"
            self._now_s = max(self._now_s, until_s)
            return None
        at_s, what = self._coming.popleft()
        self._now_s = max(self._now_s, at_s)
        if isinstance(what, str):
            self._blind = what
            return Snapshot(no_answer=what)
        return self._shown(what if isinstance(what, Snapshot) else look(*what, at=at_s))

    def confirm(self) -> Snapshot:
        self.looks += 1
        if self._blind:
            return Snapshot(no_answer=self._blind)
        return look(*self._stands.values(), at=self._now_s)

    def _shown(self, seen: Snapshot) -> Snapshot:
        for record in seen.records:
            match record.what:
                case ServiceSeen(name=name) | TasksSeen(service=name):
                    self._blind = ""
                    self._stands[type(record.what).__name__, name] = record.what
                case _:
                    pass
        return seen


def plan(*targets: str, deadline_s: float = 100.0, **more: object) -> WatchPlan:
    return WatchPlan(targets=targets or ("shop_app",), deadline_s=deadline_s, **more)  # type: ignore[arg-type]


def watched(the_plan: WatchPlan, sight: FakeSource) -> tuple[StackVerdict, float]:
    """The verdict, and when it was reached."""
    watch = DeployWatch(the_plan, sight.node)
    watch.begin(sight.baseline())
    verdict = follow(sight, watch)
    return verdict, sight.now_s()


def ended(exit_code: int = 0, output: str = "") -> tuple[Deployed]:
    return (deploy_ended(exit_code, output),)
