"""The virtual world: a `World` that the real SwarmKit plays in virtual time.

Time advances from one moment with events to the next, so a wait of twenty minutes costs what its
events cost. The records of each moment come in the order of the swarm's own commits.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from itertools import count

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
from stamplab.lab.recipe.prerequisites import prerequisites_of
from stamplab.lab.recipe.resolver import ComposeRefused, ResolvedStack, SwarmObject
from stamplab.lab.recipe.trust import Grant, TrustGate
from stamplab.lab.virtual.conditions import Conditions
from stamplab.lab.virtual.journal import Journal, VirtualClock
from stamplab.lab.virtual.recorder import OnCommit, VirtualRecorder, spec_in
from stamplab.lab.virtual.swarmsim import SwarmRefused, SwarmSim
from stamplab.lab.world import Deployer, Stack

Resolve = Callable[[Stack], ResolvedStack]
"""Resolves compose files into the specs that a deploy sends. Raises LabError, RecipeRefused."""


class VirtualWorld:
    """One swarm, recorded from before its first deploy on."""

    def __init__(
        self,
        sim: SwarmSim,
        clock: VirtualClock,
        journal: Journal,
        service: str,
        conditions: Conditions,
        resolve: Resolve,
        trust: frozenset[Grant] = frozenset(),
        on_commit: OnCommit = lambda *_: None,
    ) -> None:
        """``service`` is the service that clients probe, by its name within the stack."""
        self._sim = sim
        self._clock = clock
        self._journal = journal
        self._service = service
        self._conditions = conditions
        self._resolve = resolve
        self._gate = TrustGate(trust, self.record)
        self._recorder = VirtualRecorder(journal, clock, conditions.visibility, on_commit)
        self._acts: list[tuple[float, int, str, Act]] = []
        """A heap by time; the number keeps the acts of one moment in order."""
        self._numbers = count()
        self._may_have_events = False
        """Whether a request or an event may have led to further events at this moment."""
        self._object_ids: set[str] = set()
        """The networks, secrets and configs that the swarm has."""
        sim.begin(conditions.seed, conditions.node)
        self._recorder.sample(0, {})

    def now_s(self) -> float:
        """Return the seconds since this world began."""
        return self._clock.now_s()

    def next(self, until_s: float) -> Record | None:
        """Return the next record, and advance time for it; see `stamplab.lab.world.World.next`."""
        while True:
            record = self._journal.take(0.0)
            if record is not None:
                return record
            if self.now_s() >= until_s:
                return None
            self._step(until_s)

    def provide(self, stack: Stack) -> None:
        """Create what a stack presupposes; see `stamplab.lab.world.World.provide`."""
        self._gate.admit(stack, stack.environment)
        wanted = prerequisites_of(stack)
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
            pairs = ", ".join(f"{name}={value}" for name, value in labels.items())
            self.record(Note(text=f"provided: node labels {pairs}"))

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
            refused = Deployed(stack=stack.name, exit_code=1, output=refusal.client_output)
            self.record(refused)
            return refused
        return self.deploy(stack.name, resolved)

    def deploy(self, stack: str, resolved: ResolvedStack) -> Deployed:
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
            self._recorder.probed_service = f"{stack}_{self._service}"
        self.look(stack)
        return deployed

    def have_images(self, images: Iterable[str]) -> None:
        """Add images to the node, which rejects a task of any other image."""
        self._sim.provide(images=images)

    def inspect(self, service: str) -> Service | None:
        """Record a service now, and return it."""
        self._drain()
        return self._recorder.inspect(service)

    def look(self, stack: str) -> None:
        """Record every service and task of a stack anew, changed or not."""
        self._drain()
        usage = self._sim.usage()
        self._recorder.sample(usage.usage_bytes, usage.containers)
        self._recorder.look(stack)

    def usage_bytes(self) -> int:
        """Return the memory that the swarm's tasks use now."""
        return self._sim.usage().usage_bytes

    def set_limit(self, limit_bytes: int | None, reason: str) -> None:
        """Set or lift the memory limit that all tasks share."""
        usage = self._sim.usage()
        self._sim.set_limit(limit_bytes)
        self._may_have_events = True
        self._recorder.limit_bytes = limit_bytes
        limited = LimitSet(limit_bytes=limit_bytes, usage_bytes=usage.usage_bytes, reason=reason)
        self.record(limited)
        self._drain()

    def schedule(self, service: str, acts: Sequence[Act]) -> None:
        """Perform acts on a service at their times; see `stamplab.lab.world.World.schedule`."""
        for act in acts:
            due = (self.now_s() + act.after_s, next(self._numbers), service, act)
            heapq.heappush(self._acts, due)

    def cancel_scheduled(self) -> None:
        """Drop the acts that are scheduled and not yet performed."""
        self._acts.clear()

    def record(self, what: Observation) -> None:
        """Record an observation of the lab's own."""
        self._journal.append("lab", what)

    def _send(self, resolved: ResolvedStack) -> str:
        """Create or update every service, in order. Raises SwarmRefused at the first refusal."""
        self._may_have_events = True
        self._sim.provide(
            secrets=self._new(resolved.secrets),
            configs=self._new(resolved.configs),
            networks=self._new(resolved.networks),
        )
        lines = []
        for spec in resolved.services:
            name = docker_json.name_in(bytes(spec))
            present = self._recorder.mirror.named(name)
            if present is None:
                lines.append(f"Creating service {name}")
                self._sim.create(bytes(spec))
            else:
                service, _ = present
                lines.append(f"Updating service {name} (id: {service.id})")
                self._sim.update(service.id, bytes(spec))
        return "\n".join(lines)

    def _new(self, objects: Iterable[SwarmObject]) -> list[SwarmObject]:
        """Return the objects that the swarm lacks, and note that it will have them."""
        new = [item for item in objects if item.id not in self._object_ids]
        self._object_ids.update(item.id for item in new)
        return new

    def _request(self, operation: Operation, service_id: str, spec: bytes) -> None:
        match operation:
            case Remove():
                self._sim.remove(service_id)
            case Recreate():
                self._sim.remove(service_id)
                self._sim.create(spec)
            case _:
                self._sim.update(service_id, spec, roll_back=isinstance(operation, RollBack))

    def _pass(self, seconds: float) -> None:
        """Advance time while a command works."""
        until_s = self.now_s() + seconds
        while self.now_s() < until_s:
            self._step(until_s)

    def _drain(self) -> None:
        """Take in the events of this moment, as long as there can be more."""
        while self._may_have_events:
            events = self._sim.advance(self.now_s()).events
            self._may_have_events = bool(events)
            self._recorder.feed(events)

    def _step(self, until_s: float) -> None:
        """Advance to the next event, act or listing of tasks, at most to ``until_s``."""
        stops_s = [until_s, self._recorder.listing_due_s, self._acts[0][0] if self._acts else None]
        stop_s = max(self.now_s(), min(stop_s for stop_s in stops_s if stop_s is not None))
        step = self._sim.advance(stop_s)
        # The simulator counts whole nanoseconds, so it may stop just after the moment asked for.
        self._clock.move_to(min(step.now_s, stop_s) if step.events else stop_s)
        self._may_have_events |= bool(step.events)
        self._recorder.feed(step.events)
        while self._acts and self._acts[0][0] <= self.now_s():
            _, _, service, act = heapq.heappop(self._acts)
            self._perform(service, act)

    def _perform(self, service: str, act: Act) -> None:
        """Perform one act, and record it with its result."""
        match act.what:
            case SetLimit(limit_bytes=limit_bytes, reason=reason):
                self.set_limit(limit_bytes, reason)
            case LoseSight():
                self.record(RecorderLost(recorder="nemesis", reason=in_words(act.what)))
            case operation:
                self._operate(service, operation)

    def _operate(self, service: str, operation: Operation) -> None:
        self._drain()
        present = self._recorder.mirror.named(service)
        refused = f"there is no service {service}"
        if present is not None:
            refused = ""
            try:
                self._request(operation, present[0].id, edited(spec_in(present[1]), operation))
            except SwarmRefused as refusal:
                refused = str(refusal)
            self._may_have_events = True
        self.record(operator_record(operation, refused))
        self._drain()
