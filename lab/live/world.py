"""The live world: the protocol `stamplab.lab.world.World` at a real, private swarm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from stamplab.lab.cgroup.group import MemoryGroup
from stamplab.lab.errors import LabError
from stamplab.lab.faults.operator import Act
from stamplab.lab.live.daemon import Daemon
from stamplab.lab.live.prerequisites import provide
from stamplab.lab.live.recorders.clients import ClientPlan, ClientRecorder
from stamplab.lab.live.recorders.docker_client import DockerClientProcess
from stamplab.lab.live.recorders.events import EventRecorder
from stamplab.lab.live.recorders.guard_process import GuardProcess
from stamplab.lab.live.recorders.kernel import KernelRecorder
from stamplab.lab.live.recorders.memory import MemoryRecorder
from stamplab.lab.live.recorders.operator import OperatorRecorder
from stamplab.lab.live.recorders.recorder import Recorder
from stamplab.lab.live.recorders.swarm import ServiceRecorder
from stamplab.lab.model.history import Deployed, LimitSet, Note, Observation, Record
from stamplab.lab.model.history_file import HistoryWriter
from stamplab.lab.model.swarm import Service
from stamplab.lab.recipe.prerequisites import prerequisites_of
from stamplab.lab.recipe.trust import Grant, TrustGate
from stamplab.lab.support import programs
from stamplab.lab.support.clock import WorldClock
from stamplab.lab.world import Deployer, Stack

_CHECK_DAEMON_EVERY_S = 0.5
_DEATH_GRACE_S = 2.0


class LiveWorld:
    """One private swarm, recorded from before the first deploy on."""

    def __init__(
        self,
        daemon: Daemon,
        group: MemoryGroup,
        history: HistoryWriter,
        clock: WorldClock,
        clients: ClientPlan,
        scratch: Path,
        trust: frozenset[Grant] = frozenset(),
    ) -> None:
        self.daemon = daemon
        self.scratch = scratch
        """A folder for the run's files that are no evidence; it is removed with the lab."""
        self._group = group
        self._history = history
        self._clock = clock
        self._clients = clients
        self._clients_started = False
        self._gate = TrustGate(trust, self.record)
        self._swarm = ServiceRecorder(daemon.client(), history)
        events = EventRecorder(
            daemon.client(), daemon.client(), history, clock, on_event=self._swarm.wake
        )
        kernel = KernelRecorder(group.path, history, clock)
        self._operators: list[OperatorRecorder] = []
        self._recorders: list[Recorder] = [
            kernel,
            events,
            self._swarm,
            MemoryRecorder(group, history),
        ]
        for recorder in self._recorders:
            recorder.start()

    def now_s(self) -> float:
        """Seconds since this world began."""
        return self._clock.now_s()

    def next(self, until_s: float) -> Record | None:
        """Wait for the next record; see `stamplab.lab.world.World.next`."""
        while True:
            remaining_s = until_s - self.now_s()
            with self._naming_the_daemons_end():
                record = self._history.take(min(remaining_s, _CHECK_DAEMON_EVERY_S))
            if record is not None:
                return record
            self.daemon.check_alive()
            if remaining_s <= 0:
                return None

    def provide(self, stack: Stack) -> None:
        """Make the stack's prerequisites; see `stamplab.lab.world.World.provide`."""
        self._require_trusted(stack)
        environment = self.daemon.client_environment(stack.environment)
        wanted = prerequisites_of(msgspec.structs.replace(stack, environment=environment))
        with self._naming_the_daemons_end():
            for made in provide(self.daemon.api, wanted, self._clients.image):
                self.record(Note(text=f"provided: {made}"))

    def apply(self, stack: Stack, deployer: Deployer | None = None) -> Deployed:
        """Apply a trusted stack by the engine's own ``docker stack deploy``."""
        self._require_trusted(stack)
        if deployer is None:
            files = [item for file in stack.compose_files for item in ("--compose-file", str(file))]
            ran = self.daemon.run_client(
                # The engine's own client merges the files (ADR 0003).
                ["stack", "deploy", "--resolve-image", "never", *files, stack.name],
                stack.environment,
                stack.directory,
            )
        else:
            url = self.daemon.url
            ran = self.daemon.run(
                deployer.argv(url), deployer.environment(url), stack.directory, deployer.by
            )
        self.record(ran)
        deployed = Deployed(stack=stack.name, exit_code=ran.exit_code, output=ran.output)
        self.record(deployed)
        self.daemon.check_alive()
        self.look(stack.name)
        if deployed.exit_code == 0 and not self._clients_started:
            with self._naming_the_daemons_end():
                self._start_clients(stack.name)
        return deployed

    def run_docker_client(self, stack: str, arguments: Sequence[str]) -> DockerClientProcess:
        """Start the engine's own ``docker``, which deploys and waits beside the run.

        The client is ended with the world at the latest. Raises LabError when it cannot be run.
        """
        client = DockerClientProcess(
            self._history,
            self.daemon.client_program,
            ("docker", *arguments),
            self.daemon.client_environment({}),
            self.scratch,
            stack=stack,
            by=f"docker client of {self.daemon.engine.source}",
        )
        client.start()
        self._recorders.append(client)
        return client

    def run_guard(self, stack: str, name: str, argv: Sequence[str]) -> GuardProcess:
        """Start a program (``stamplab guard``) that waits for another client's deploy of a stack.

        The program finds the engine by DOCKER_HOST, its records have ``name`` as their source, and
        it is ended with the world at the latest. Raises LabError when it cannot be run.
        """
        environment = self.daemon.client_environment({"PYTHONPATH": programs.python_path()})
        waiter = GuardProcess(self._history, argv, environment, stack=stack, name=name)
        waiter.start()
        self._recorders.append(waiter)
        return waiter

    def inspect(self, service: str) -> Service | None:
        """Inspect a service now and record the answer."""
        with self._naming_the_daemons_end():
            return self._swarm.inspect(service)

    def look(self, stack: str) -> None:
        """Record every service and task of a stack anew, changed or not."""
        with self._naming_the_daemons_end():
            self._swarm.look(anew_for=stack)

    def record(self, what: Observation) -> None:
        """Append an observation to the history."""
        self._history.append("lab", what)

    def usage_bytes(self) -> int:
        """Return the memory that the lab's containers use now."""
        return self._group.usage_bytes()

    def set_limit(self, limit_bytes: int | None, reason: str) -> None:
        """Set or lift the memory limit that the lab's containers share."""
        usage_bytes = self._group.usage_bytes()
        self._group.set_limit(limit_bytes)
        self.record(LimitSet(limit_bytes=limit_bytes, usage_bytes=usage_bytes, reason=reason))

    def schedule(self, service: str, acts: Sequence[Act]) -> None:
        """Perform acts at their times, in a thread; see `stamplab.lab.world.World.schedule`."""
        if not acts:
            return
        operator = OperatorRecorder(
            self.daemon.client(), self._history, self.set_limit, self.now_s, service, acts
        )
        operator.start()
        self._operators.append(operator)

    def cancel_scheduled(self) -> None:
        """End the threads that perform acts."""
        while self._operators:
            self._operators.pop().stop()

    def close(self) -> None:
        """Stop all recorders."""
        self.cancel_scheduled()
        for recorder in reversed(self._recorders):
            recorder.stop()

    @contextmanager
    def _naming_the_daemons_end(self) -> Iterator[None]:
        """Turn an error that comes of the daemon's death into one that says so."""
        try:
            yield
        except LabError:
            self.daemon.check_alive(_DEATH_GRACE_S)
            raise

    def _require_trusted(self, stack: Stack) -> None:
        """Raise RecipeRefused, before a client runs, for a recipe that asks for too much."""
        self._gate.admit(stack, self.daemon.client_environment(stack.environment))

    def _start_clients(self, stack: str) -> None:
        self._clients_started = True
        recorder = ClientRecorder(
            self.daemon.client(),
            self._history,
            self._clock,
            stack,
            self._clients,
        )
        recorder.start()
        self._recorders.append(recorder)
