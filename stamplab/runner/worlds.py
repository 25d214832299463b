"""The two worlds that a scenario can be played on, and which of them a command gets.

Live is a private docker engine, virtual the real SwarmKit in virtual time. Nothing falls back from
live to virtual where live was asked for; where nothing was asked for, it is said loudly and stands
in the evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from stamplab.invocation import sudo_command_line
from stamplab.lab.errors import NeedsRoot, NotPossibleHere, UsageError
from stamplab.lab.live.lease import leased_scratch
from stamplab.lab.model.history import Record
from stamplab.lab.model.history_file import HistoryWriter
from stamplab.lab.recipe.resolver import STACKSPEC, Resolver
from stamplab.lab.recipe.trust import Grant
from stamplab.lab.recipe.workload_overlay import PORT
from stamplab.lab.support.cache import cache_folder
from stamplab.lab.support.go_build import get_program
from stamplab.lab.virtual.conditions import Conditions
from stamplab.lab.virtual.journal import VirtualClock
from stamplab.lab.virtual.swarmsim import SWARMSIM, SwarmSim
from stamplab.lab.virtual.world import VirtualWorld
from stamplab.lab.world import World

if TYPE_CHECKING:
    from stamplab.lab.live.lab import Apparatus

Which = Literal["auto", "live", "virtual"]
WORLDS: tuple[Which, ...] = ("auto", "live", "virtual")
SWARMKIT = "v2.0.0"
"""The one that docker 28.5 vendors; lab/virtual/swarmsim/go.mod has it."""


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """What plays the swarm, for the evidence."""

    world: str
    version: str
    source: str
    cgroup_version: int
    """0 where there are no control groups."""


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """How one play's world is to be."""

    service: str
    """Whom clients ask, by its name within the stack."""
    keep: bool = False
    trust: frozenset[Grant] = frozenset()
    patience: float = 1.0
    """How much longer than usual the apparatus waits."""
    on_progress: Callable[[str], None] = lambda _: None
    on_record: Callable[[Record], None] = lambda _: None


class Live(msgspec.Struct, frozen=True):
    """Private docker engines."""

    apparatus: Apparatus

    @property
    def engine(self) -> Engine:
        """The docker engine."""
        engine = self.apparatus.engine
        return Engine(
            world="live",
            version=engine.version,
            source=engine.source,
            cgroup_version=self.apparatus.cgroup_version,
        )

    def with_commands(self, commands: Iterable[str]) -> Live:
        """Return the same with an image that has these programs."""
        return Live(self.apparatus.with_commands(commands))

    @contextmanager
    def open(self, evidence: Path, opening: Opening) -> Iterator[tuple[World, Path]]:
        """Return a new engine; see `stamplab.lab.live.lab.live_lab`."""
        from stamplab.lab.live.lab import live_lab  # docker's SDK takes long to import

        with live_lab(
            self.apparatus,
            evidence,
            opening.service,
            PORT,
            keep=opening.keep,
            trust=opening.trust,
            on_message=opening.on_progress,
            on_record=opening.on_record,
            time_scale=opening.patience,
        ) as world:
            yield world, world.scratch


class Virtual(msgspec.Struct, frozen=True, kw_only=True):
    """The real SwarmKit in virtual time: its program, the one that resolves stacks, and chance."""

    swarmsim: Path
    resolver: Resolver
    conditions: Conditions = Conditions()

    @property
    def engine(self) -> Engine:
        """SwarmKit itself."""
        return Engine(
            world="virtual",
            version=f"SwarmKit {SWARMKIT}",
            source=str(self.swarmsim),
            cgroup_version=0,
        )

    def with_commands(self, commands: Iterable[str]) -> Virtual:
        """Return the same: its images have whatever program is called."""
        del commands
        return self

    @contextmanager
    def open(self, evidence: Path, opening: Opening) -> Iterator[tuple[World, Path]]:
        """Return a new swarm, at its time 0."""
        clock = VirtualClock()
        path = evidence / "history.jsonl"
        with (
            leased_scratch() as place,
            closing(SwarmSim(self.swarmsim)) as sim,
            closing(HistoryWriter(path, clock.now_s, opening.on_record)) as history,
        ):
            world = VirtualWorld(
                sim,
                clock,
                history,
                opening.service,
                self.conditions,
                self.resolver.resolve,
                opening.trust,
            )
            yield world, place.scratch


Means = Live | Virtual
"""What opens worlds of one kind on this machine."""


def virtual(on_progress: Callable[[str], None] = lambda _: None) -> Virtual:
    """Return the means of the virtual world; ``on_progress`` hears what is built for it.

    Raises NotPossibleHere with what is missing.
    """
    cache = cache_folder()
    return Virtual(
        resolver=Resolver(get_program(STACKSPEC, cache, on_progress=on_progress)),
        swarmsim=get_program(SWARMSIM, cache, on_progress=on_progress),
    )


def choose(
    which: Which,
    engine: Path | None,
    on_progress: Callable[[str], None],
    live_only: Sequence[str] = (),
) -> Means:
    """Return the world that was asked for, or the one that this machine has.

    ``live_only`` are options that were given and mean something on the live world alone: with one
    of them, or an ``engine``, nothing but live is meant. Raises NotPossibleHere, UsageError.
    """
    meant = [*live_only, *(["--engine"] if engine else [])]
    if which == "virtual":
        if meant:
            raise UsageError(f"{meant[0]} is of the live world: leave it out of --world virtual")
        return virtual(on_progress)
    from stamplab.lab.live.lab import prepare

    try:
        return Live(prepare(engine))
    except NotPossibleHere as reason:
        if which == "live" or meant:
            raise
        try:
            means = virtual(on_progress)
        except NotPossibleHere as other:
            raise type(reason)(f"{reason}; and the virtual world: {other}") from other
        on_progress(f"NOT LIVE: {reason}.")
        on_progress(
            "The scenarios are played by the real SwarmKit in virtual time: no engine, no kernel."
        )
        on_progress(
            f"For the live world: {sudo_command_line()}" if isinstance(reason, NeedsRoot) else _LIVE
        )
        return means


_LIVE = "`stamplab doctor` says what the live world lacks here; --world live insists on it."
