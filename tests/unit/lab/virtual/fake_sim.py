"""A scripted swarmsim: what happens at which moment, and what it was asked, with when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from stamplab.lab.virtual.conditions import Node
from stamplab.lab.virtual.sim_events import Advanced, Happened, Usage
from stamplab.lab.virtual.swarmsim import SwarmRefused, SwarmSim

_NS = 1e9
Moments = Iterable[tuple[float, Sequence[Happened]]]


class FakeSim:
    """It counts whole nanoseconds, as the real one does."""

    def __init__(self, moments: Moments = (), *, refuses: str = "") -> None:
        self.now_s = 0.0
        self.asked: list[tuple[float, str, object]] = []
        self.used_bytes = 100
        self._moments = sorted(((at_s, tuple(what)) for at_s, what in moments), key=lambda m: m[0])
        self._refuses = refuses
        self._answers: dict[str, list[Happened]] = {}

    @property
    def as_sim(self) -> SwarmSim:
        return cast(SwarmSim, self)

    def answer(self, operation: str, *happened: Happened) -> None:
        """What an operation brings about, at once."""
        self._answers[operation] = list(happened)

    def was_asked(self, operation: str) -> list[tuple[float, object]]:
        return [(at_s, what) for at_s, name, what in self.asked if name == operation]

    # What swarmsim offers.

    def begin(self, seed: int, node: Node) -> None:
        self._note("begin", (seed, node))

    def advance(self, until_s: float) -> Advanced:
        until_s = max(self.now_s, round(until_s * _NS) / _NS)
        if self._moments and self._moments[0][0] <= until_s:
            at_s, happened = self._moments.pop(0)
            self.now_s = max(self.now_s, at_s)
            return Advanced(now_s=self.now_s, happened=happened)
        self.now_s = until_s
        return Advanced(now_s=until_s)

    def provide(
        self,
        *,
        images: Iterable[str] = (),
        labels: Mapping[str, str] | None = None,
        **given: object,
    ) -> None:
        given = {"images": sorted(images), "labels": labels or {}, **given}
        self._note("provide", {kind: what for kind, what in given.items() if what})

    def create(self, spec: bytes) -> str:
        self._change("create", spec)
        return "service1"

    def update(self, service: str, spec: bytes, *, roll_back: bool = False) -> None:
        self._change("update", (service, spec, roll_back))

    def remove(self, service: str) -> None:
        self._change("remove", service)

    def set_limit(self, limit_bytes: int | None) -> None:
        self._note("limit", limit_bytes)

    def usage(self) -> Usage:
        return Usage(usage_bytes=self.used_bytes, containers={"c": self.used_bytes})

    def _change(self, operation: str, what: object) -> None:
        self._note(operation, what)
        if self._refuses:
            raise SwarmRefused(self._refuses)
        if operation in self._answers:
            self._moments.insert(0, (self.now_s, tuple(self._answers.pop(operation))))

    def _note(self, operation: str, what: object) -> None:
        self.asked.append((self.now_s, operation, what))
