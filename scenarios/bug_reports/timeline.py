"""What is known of a play when it is over: input of signs, shapes and the table. All is data."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from stamplab.harness.checks.deploy_ground_truth import Observer, Truth
from stamplab.harness.guard import Outcome, Ruling
from stamplab.harness.guard.report import GuardReport
from stamplab.lab.model.history import CommandRan, Record
from stamplab.lab.model.service_spec import Wanted
from stamplab.lab.model.swarm import Service, Task


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """How a docker client's own wait ended."""

    command: str
    waited_s: float
    exit_code: int | None
    """None: it was still waiting when everybody else had gone."""
    last_words: str

    @staticmethod
    def of(ran: CommandRan) -> Client:
        """Read it from the record of its command; a client that was given up on was killed."""
        lines = [line for line in ran.output.splitlines() if line.strip()]
        return Client(
            command=" ".join(ran.argv),
            waited_s=ran.took_s,
            exit_code=None if ran.exit_code < 0 else ran.exit_code,
            last_words=lines[-1].strip() if lines else "",
        )


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What ``stamplab guard`` said of a deploy, run around it as in a CI."""

    outcome: Outcome
    reason: str
    exit_code: int
    decided_s: float
    """When it ended, in the world's time."""
    api_calls: int

    @staticmethod
    def of(record: Record) -> Command:
        """Read it from the record of its end; no document of its own is unknown."""
        assert isinstance(record.what, CommandRan)  # noqa: S101 - that is its end
        ran = record.what
        try:
            said = GuardReport.from_json(ran.output)
            outcome, reason, api_calls = Outcome(said.outcome), said.reason, said.api_calls
        except (msgspec.MsgspecError, ValueError):
            outcome, reason, api_calls = Outcome.UNKNOWN, ran.output.strip(), 0
        return Command(
            outcome=outcome,
            reason=reason,
            exit_code=ran.exit_code,
            decided_s=record.seen_s,
            api_calls=api_calls,
        )


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One deploy: what its client said, what both guards said, and what became of it."""

    service: str
    wanted: Wanted
    what: str
    at_s: float
    """When it was done, in the world's time."""
    ruling: Ruling
    truth: Truth
    client: Client | None
    """None in a world that has no docker client."""
    command: Command | None = None
    """None in a world that it cannot reach."""


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """One service from its creation to the end of the play."""

    end: Service | None
    states: tuple[str | None, ...]
    """Its update states, in order; None is nil."""
    stamps: tuple[str | None, ...]
    digests: dict[str | None, str]
    """Of the tasks' template, by the stamp that it had."""
    first: frozenset[str]
    """The tasks that ran before the first update."""
    running: frozenset[str]
    """Tasks that run in the end, of whatever spec."""
    running_of_spec: int
    tasks: tuple[Task, ...]
    """All that were ever listed, as listed last; the first first."""
    was_running: frozenset[str]
    overlapped: bool

    @property
    def state(self) -> str | None:
        """The last update state."""
        return self.states[-1] if self.states else None

    @property
    def stamp(self) -> str | None:
        """The last stamp."""
        return self.stamps[-1] if self.stamps else None

    def new_tasks(self, stamp: str) -> list[Task]:
        """Tasks that were made of a stamp's template after the first update, the first first."""
        digest = self.digests.get(stamp)
        return [t for t in self.tasks if t.spec_digest == digest and t.id not in self.first]


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """One play."""

    tried: tuple[Tried, ...]
    lives: dict[str, Life]
    """By the services' names within the stack."""
    until_s: float

    @property
    def last(self) -> Tried:
        """The last deploy."""
        return self.tried[-1]

    @property
    def life(self) -> Life:
        """The life of the service that was deployed last."""
        return self.lives[self.last.wanted.name]


def life_of(observer: Observer, first: Iterable[str]) -> Life:
    """A service's life, from all that was seen of it."""
    states: list[str | None] = []
    stamps: list[str | None] = []
    digests: dict[str | None, str] = {}
    for seen in observer.sightings:
        if seen.service is None:
            continue
        digests[seen.asked[0]] = seen.service.spec.task_digest
        for row, value in ((states, seen.service.update_state), (stamps, seen.asked[0])):
            if row[-1:] != [value]:
                row.append(value)
    end = observer.last
    return Life(
        end=end.service if end else None,
        states=tuple(states),
        stamps=tuple(stamps),
        digests=digests,
        first=frozenset(first),
        running=frozenset(t.id for t in end.tasks if t.state == "running") if end else frozenset(),
        running_of_spec=len(end.running) if end else 0,
        tasks=tuple(observer.seen_tasks.values()),
        was_running=frozenset(observer.was_running),
        overlapped=observer.overlapped,
    )
