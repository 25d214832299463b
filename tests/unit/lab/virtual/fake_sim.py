"""A scripted swarmsim: the events of each moment, and the requests it got, with their times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from stamplab.lab.virtual.conditions import NodeOptions
from stamplab.lab.virtual.sim_events import MemoryUsage, SimEvent, TimeStep
from stamplab.lab.virtual.swarmsim import SwarmRefused, SwarmSim

_NS = 1e9
EveryMoment = Iterable[tuple[float, Sequence[SimEvent]]]


class FakeSim:
    """Counts whole nanoseconds, as the real program does."""

    def __init__(self, moments: EveryMoment = (), *, refuses: str = "") -> None:
        self.now_s = 0.0
        self.requests: list[tuple[float, str, object]] = []
        self.used_bytes = 100
        self._moments = sorted(((at_s, tuple(what)) for at_s, what in moments), key=lambda m: m[0])
        self._refuses = refuses
        self._answers: dict[str, list[SimEvent]] = {}

    @property
    def as_sim(self) -> SwarmSim:
        return cast(SwarmSim, self)

    def answer(self, operation: str, *events: SimEvent) -> None:
        """Let an operation cause events at once."""
        self._answers[operation] = list(events)

    def requests_of(self, operation: str) -> list[tuple[float, object]]:
        return [(at_s, what) for at_s, name, what in self.requests if name == operation]

    # What swarmsim offers.

    def begin(self, seed: int, node: NodeOptions) -> None:
        self._note("begin", (seed, node))

    def advance(self, until_s: float) -> TimeStep:
        until_s = max(self.now_s, round(until_s * _NS) / _NS)
        if self._moments and self._moments[0][0] <= until_s:
            at_s, events = self._moments.pop(0)
            self.now_s = max(self.now_s, at_s)
            return TimeStep(now_s=self.now_s, events=events)
        self.now_s = until_s
        return TimeStep(now_s=until_s)

    def provide(
        self,
        *,
        images: Iterable[str] = (),
        labels: Mapping[str, str] | None = None,
        **objects: object,
    ) -> None:
        objects = {"images": sorted(images), "labels": labels or {}, **objects}
        self._note("provide", {kind: what for kind, what in objects.items() if what})

    def create(self, spec: bytes) -> str:
        self._change("create", spec)
        return "service1"

    def update(self, service: str, spec: bytes, *, roll_back: bool = False) -> None:
        self._change("update", (service, spec, roll_back))

    def remove(self, service: str) -> None:
        self._change("remove", service)

    def set_limit(self, limit_bytes: int | None) -> None:
        self._note("limit", limit_bytes)

    def usage(self) -> MemoryUsage:
        return MemoryUsage(usage_bytes=self.used_bytes, containers={"c": self.used_bytes})

    def _change(self, operation: str, what: object) -> None:
        self._note(operation, what)
        if self._refuses:
            raise SwarmRefused(self._refuses)
        if operation in self._answers:
            self._moments.insert(0, (self.now_s, tuple(self._answers.pop(operation))))

    def _note(self, operation: str, what: object) -> None:
        self.requests.append((self.now_s, operation, what))
