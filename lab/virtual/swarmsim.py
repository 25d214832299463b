"""The client of the program swarmsim; lab/virtual/swarmsim/README.md has the protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from stamplab.lab.errors import LabError
from stamplab.lab.recipe.resolver import SwarmObject
from stamplab.lab.support import go_build
from stamplab.lab.support.jsonl_process import ANSWER_TIMEOUT_S, StartedProcess
from stamplab.lab.virtual.conditions import NodeOptions
from stamplab.lab.virtual.sim_events import MemoryUsage, TimeStep

SWARMSIM = go_build.GoProgram(
    name="swarmsim",
    sources=Path(__file__).parent / "swarmsim",
    purpose="the virtual world",
    runtime="./seeded",
)
Result = TypeVar("Result")


class SwarmRefused(Exception):
    """The swarm refuses a request; the message is the swarm's own."""


class _SimAnswer(msgspec.Struct, Generic[Result]):
    ok: Result | msgspec.UnsetType = msgspec.UNSET
    refused: str | None = None
    error: str | None = None


class _Created(msgspec.Struct):
    id: str


_ADVANCED = msgspec.json.Decoder(_SimAnswer[TimeStep])
_CREATED = msgspec.json.Decoder(_SimAnswer[_Created])
_USAGE = msgspec.json.Decoder(_SimAnswer[MemoryUsage])
_DONE = msgspec.json.Decoder(_SimAnswer[msgspec.Raw])
_encode = msgspec.json.Encoder().encode


class SwarmSim:
    """One swarmsim process: one swarm after the other, never two at once.

    Every method raises LabError when the program fails or does not answer.
    """

    def __init__(self, program: Path) -> None:
        self._running = StartedProcess(program)
        self.pid = self._running.pid
        self._is_open = False

    def begin(self, seed: int, node: NodeOptions) -> None:
        """Begin a new swarm at time 0; the previous swarm ends."""
        if self._is_open:
            self._ask(_DONE, {"do": "end"})
            self._is_open = False
        self._ask(_DONE, {"do": "begin", "seed": seed, "node": msgspec.to_builtins(node)})
        self._is_open = True

    def provide(
        self,
        *,
        images: Iterable[str] = (),
        secrets: Sequence[SwarmObject] = (),
        configs: Sequence[SwarmObject] = (),
        networks: Sequence[SwarmObject] = (),
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Add images and labels to the node, and objects to the swarm."""
        request: dict[str, object] = {"do": "provide", "images": sorted(images)}
        request["labels"] = dict(labels or {})
        for kind, objects in (("secrets", secrets), ("configs", configs), ("networks", networks)):
            request[kind] = [{"id": item.id, "name": item.name} for item in objects]
        self._ask(_DONE, request)

    def create(self, spec: bytes) -> str:
        """Create a service; return its id. Raises SwarmRefused."""
        return self._ask(_CREATED, {"do": "create", "spec": msgspec.Raw(spec)}).id

    def update(self, service: str, spec: bytes, *, roll_back: bool = False) -> None:
        """Update a service, by its id, from its present version. Raises SwarmRefused."""
        request = {"do": "update", "service": service, "spec": msgspec.Raw(spec)}
        self._ask(_DONE, {**request, "rollback": "previous"} if roll_back else request)

    def remove(self, service: str) -> None:
        """Remove a service. Raises SwarmRefused."""
        self._ask(_DONE, {"do": "remove", "service": service})

    def set_limit(self, limit_bytes: int | None) -> None:
        """Limit the memory that all containers share."""
        self._ask(_DONE, {"do": "limit", "bytes": limit_bytes})

    def usage(self) -> MemoryUsage:
        """Return the memory in use now."""
        return self._ask(_USAGE, {"do": "usage"})

    def advance(self, until_s: float) -> TimeStep:
        """Advance time to the next moment that has events, at most to ``until_s``."""
        return self._ask(_ADVANCED, {"do": "advance", "until_s": until_s})

    def close(self) -> None:
        """End the process."""
        self._running.end()

    def _ask(self, decoder: msgspec.json.Decoder[_SimAnswer[Result]], request: object) -> Result:
        line = self._running.ask(_encode(request), ANSWER_TIMEOUT_S)
        try:
            answer = decoder.decode(line)
        except msgspec.MsgspecError as error:
            self._running.kill()
            raise LabError(f"swarmsim answered in a way not understood: {error}") from error
        if answer.refused is not None:
            raise SwarmRefused(answer.refused)
        if answer.ok is msgspec.UNSET:
            raise LabError(f"swarmsim did not understand: {answer.error}")
        return answer.ok
