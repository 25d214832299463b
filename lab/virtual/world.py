"""The virtual world: what it offers to the harness, played by the real SwarmKit in virtual time.

It steps from one moment at which something happens to the next, so a wait of twenty minutes takes
as long as what happens in it. Each moment's records come in the order of the swarm's own commits.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Protocol

from stamplab.lab.errors import LabError
from stamplab.lab.faults.operator import (
    Act,
    LoseSight,
    Operation,
    Recreate,
    Remove,
    RollBack,
    SetLimit,
    edited,
    in_words,
    operator_record,
)
from stamplab.lab.model import docker_json
from stamplab.lab.model.history import Deployed, LimitSet, Note, Observation, Record, RecorderLost
from stamplab.lab.model.swarm import Service
from stamplab.lab.recipe.prerequisites import granted_to
from stamplab.lab.recipe.resolver import ComposeRefused, Resolved, SwarmObject
from stamplab.lab.recipe.trust import Gate, Grant
from stamplab.lab.virtual.conditions import Conditions
from stamplab.lab.virtual.journal import Clock, Journal
from stamplab.lab.virtual.mirror import Mirror
from stamplab.lab.virtual.recorder import SwarmRecorder, spec_in
from stamplab.lab.virtual.swarmsim import SwarmRefused, SwarmSim
from stamplab.lab.world import Deployer, Stack


class Watcher(Protocol):
    """Whoever is told of every commit, however the harness's own observer looks."""

    def changed(self, at_s: float, mirror: Mirror) -> None:
        """A commit has been taken in."""
        ...


Resolve = Callable[[Stack], Resolved]
"""Compose files into the specs that a deploy sends. Raises LabError, RecipeRefused."""


class VirtualWorld:
    """One swarm, watched from before the first deploy on."""

    def __init__(
        self,
        sim: SwarmSim,
        clock: Clock,
        journal: Journal,
        service: str,
        conditions: Conditions,
        resolve: Resolve,
        trust: frozenset[Grant] = frozenset(),
        watcher: Watcher | None = None,
    ) -> None:
        """``service`` is whom the clients ask, by its name within the stack."""
        self._sim = sim
        self._clock = clock
        self._journal = journal
        self._service = service
        self._conditions = conditions
        self._resolve = resolve
        self._gate = Gate(trust, self.record)
        told = watcher.changed if watcher else None
        self._recorder = SwarmRecorder(journal, clock, conditions.sight, told)
        self._acts: list[tuple[float, int, str, Act]] = []
        """By their times; the number keeps those of one moment in order."""
        self._numbers = count()
        self._is_stirred = False
        """Whether something was asked of the swarm, or happened, that may have come to more."""
        self._there: set[str] = set()
        """Ids of networks, secrets and configs."""
        sim.begin(conditions.seed, conditions.node)
        self._recorder.sample(0, {})

    def now_s(self) -> float:
        """Seconds since this world began."""
        return self._clock.now_s()

    def next(self, until_s: float) -> Record | None:
        """Give the next record, and let time pass for it; see `stamplab.lab.world.World.next`."""
        while True:
            record = self._journal.take(0.0)
            if record is not None:
                return record
            if self.now_s() >= until_s:
                return None
            self._step(until_s)

    def provide(self, stack: Stack) -> None:
        """Make what a stack takes for granted; see `stamplab.lab.world.World.provide`."""
        self._gate.admit(stack, stack.environment)
        wanted = granted_to(stack)
        labels = dict(wanted.node_labels)
        self._sim.provide(images=wanted.images, labels=labels)
        for kind, names in (
            ("image", wanted.images),
            ("network", wanted.networks),
            ("secret", wanted.secrets),
        ):
            for name in dict.fromkeys(names):
                self.record(Note(text=f"provided: {kind} {name}"))
        if labels:
            said = ", ".join(f"{name}={value}" for name, value in labels.items())
            self.record(Note(text=f"provided: node labels {said}"))

    def apply(self, stack: Stack, deployer: Deployer | None = None) -> Deployed:
        """Apply a stack: the specs that docker/cli makes of it, by SwarmKit's own control API."""
        if deployer is not None:
            raise LabError(
                f"{deployer.by} deploys to an engine, and the virtual world has none: "
                "play it with --world live"
            )
        self._gate.admit(stack, stack.environment)
        try:
            resolved = self._resolve(stack)
        except ComposeRefused as refusal:
            refused = Deployed(stack=stack.name, exit_code=1, output=refusal.words)
            self.record(refused)
            return refused
        return self.deploy(stack.name, resolved)

    def deploy(self, stack: str, resolved: Resolved) -> Deployed:
        """Create or update the services of a stack that is resolved already."""
        self._pass(self._conditions.deploy_before_s)
        try:
            deployed = Deployed(stack=stack, exit_code=0, output=self._send(resolved))
        except SwarmRefused as refusal:
            deployed = Deployed(stack=stack, exit_code=1, output=str(refusal))
        self._drain()
        self._pass(self._conditions.deploy_after_s)
        self.record(deployed)
        if deployed.exit_code == 0:
            self._recorder.asked_service = f"{stack}_{self._service}"
        self.look(stack)
        return deployed

    def have_images(self, images: Iterable[str]) -> None:
        """Have images on the node: a task of any other one is rejected."""
        self._sim.provide(images=images)

    def inspect(self, service: str) -> Service | None:
        """Look at a service now and record it."""
        self._drain()
        return self._recorder.inspect(service)

    def look(self, stack: str) -> None:
        """Record every service and task of a stack anew, changed or not."""
        self._drain()
        usage = self._sim.usage()
        self._recorder.sample(usage.usage_bytes, usage.containers)
        self._recorder.look(stack)

    def usage_bytes(self) -> int:
        """Memory that the swarm's tasks use now."""
        return self._sim.usage().usage_bytes

    def set_limit(self, limit_bytes: int | None, reason: str) -> None:
        """Set or lift the memory limit that all tasks share."""
        usage = self._sim.usage()
        self._sim.set_limit(limit_bytes)
        self._is_stirred = True
        self._recorder.limit_bytes = limit_bytes
        limited = LimitSet(limit_bytes=limit_bytes, usage_bytes=usage.usage_bytes, reason=reason)
        self.record(limited)
        self._drain()

    def schedule(self, service: str, acts: Sequence[Act]) -> None:
        """Do these to a service at their times; see `stamplab.lab.world.World.schedule`."""
        for act in acts:
            due = (self.now_s() + act.after_s, next(self._numbers), service, act)
            heapq.heappush(self._acts, due)

    def call_off(self) -> None:
        """What was scheduled and has not been done is not done any more."""
        self._acts.clear()

    def record(self, what: Observation) -> None:
        """Put something that was done or concluded into the history."""
        self._journal.append("lab", what)

    def _send(self, resolved: Resolved) -> str:
        """Create or update every service, in order. Raises SwarmRefused at the first refusal."""
        self._is_stirred = True
        self._sim.provide(
            secrets=self._new(resolved.secrets),
            configs=self._new(resolved.configs),
            networks=self._new(resolved.networks),
        )
        said = []
        for spec in resolved.services:
            name = docker_json.name_in(bytes(spec))
            present = self._recorder.mirror.named(name)
            if present is None:
                said.append(f"Creating service {name}")
                self._sim.create(bytes(spec))
            else:
                service, _ = present
                said.append(f"Updating service {name} (id: {service.id})")
                self._sim.update(service.id, bytes(spec))
        return "\n".join(said)

    def _new(self, objects: Iterable[SwarmObject]) -> list[SwarmObject]:
        """Those that are not in the swarm yet; from now on they are."""
        new = [one for one in objects if one.id not in self._there]
        self._there.update(one.id for one in new)
        return new

    def _ask_for(self, operation: Operation, service_id: str, spec: bytes) -> None:
        match operation:
            case Remove():
                self._sim.remove(service_id)
            case Recreate():
                self._sim.remove(service_id)
                self._sim.create(spec)
            case _:
                self._sim.update(service_id, spec, roll_back=isinstance(operation, RollBack))

    def _pass(self, seconds: float) -> None:
        """Let time pass while a command works."""
        until_s = self.now_s() + seconds
        while self.now_s() < until_s:
            self._step(until_s)

    def _drain(self) -> None:
        """Take in what has happened at this very moment, if anything can have."""
        while self._is_stirred:
            happened = self._sim.advance(self.now_s()).happened
            self._is_stirred = bool(happened)
            self._recorder.feed(happened)

    def _step(self, until_s: float) -> None:
        """Go on to the next moment, to an act, to a look, or to ``until_s``."""
        stops_s = [until_s, self._recorder.look_due_s, self._acts[0][0] if self._acts else None]
        stop_s = max(self.now_s(), min(stop_s for stop_s in stops_s if stop_s is not None))
        advanced = self._sim.advance(stop_s)
        # The simulator counts whole nanoseconds: what was reached is the moment that was asked for.
        self._clock.move_to(min(advanced.now_s, stop_s) if advanced.happened else stop_s)
        self._is_stirred |= bool(advanced.happened)
        self._recorder.feed(advanced.happened)
        while self._acts and self._acts[0][0] <= self.now_s():
            _, _, service, act = heapq.heappop(self._acts)
            self._perform(service, act)

    def _perform(self, service: str, act: Act) -> None:
        """Do one act, and put down that it was done and what came of it."""
        match act.what:
            case SetLimit(limit_bytes=limit_bytes, reason=reason):
                self.set_limit(limit_bytes, reason)
            case LoseSight():
                self.record(RecorderLost(recorder="nemesis", reason=in_words(act.what)))
            case operation:
                self._operate(service, operation)

    def _operate(self, service: str, operation: Operation) -> None:
        self._drain()
        found = self._recorder.mirror.named(service)
        refused = f"there is no service {service}"
        if found is not None:
            refused = ""
            try:
                self._ask_for(operation, found[0].id, edited(spec_in(found[1]), operation))
            except SwarmRefused as refusal:
                refused = str(refusal)
            self._is_stirred = True
        self.record(operator_record(operation, refused))
        self._drain()
