"""Deployers of a play: docker's own client in a live lab, the swarm's own API in virtual time."""

from __future__ import annotations

import sys

import msgspec

from stamplab.lab.errors import LabError
from stamplab.lab.live.recorders.docker_client import DockerClientProcess
from stamplab.lab.live.recorders.guard_process import GuardProcess
from stamplab.lab.live.world import LiveWorld
from stamplab.lab.model.service_request import STAMP, ServiceRequest
from stamplab.lab.recipe.resolver import ResolvedStack
from stamplab.lab.virtual.world import VirtualWorld
from stamplab.lab.world import World

_VIRTUAL_IMAGE = "stampload:virtual"
_GUARD = (sys.executable, "-P", "-m", "stamplab", "guard")
_VIRTUAL_MEMORY_BYTES = 24 << 30
"""Of the virtual node, as the scheduler counts it (lab/virtual/swarmsim/README.md)."""


# One service, by the engine's own client (ADR 0033).
class LiveDeployer:
    """The engine's own docker client, told to wait for what it has done."""

    def __init__(self, world: LiveWorld, image: str) -> None:
        self._world = world
        self._image = image
        self._memory_bytes: int = world.daemon.api.info()["MemTotal"]
        self._clients: dict[str, list[DockerClientProcess]] = {}
        self._guards: dict[str, list[GuardProcess]] = {}

    def deploy(
        self, stack: str, before: ServiceRequest | None, request: ServiceRequest
    ) -> tuple[str, ...]:
        """Run ``docker service update``, or ``create`` where nothing was before; return its argv.

        It is not waited for: the history has what comes of it.
        """
        if before is None:
            arguments = request.create_command(stack, self._image, self._memory_bytes)
        else:
            arguments = request.update_command(before, stack, self._image, self._memory_bytes)
        client = self._world.run_docker_client(stack, arguments)
        self._clients.setdefault(stack, []).append(client)
        return client.argv

    def guard(
        self, stack: str, request: ServiceRequest, timeout_s: float, hold_s: float
    ) -> GuardProcess:
        """Run ``stamplab guard`` for a deploy to come, as a CI does that uses the docker client."""
        bounds = ("--timeout", f"{timeout_s:g}", "--hold", f"{hold_s:g}")
        expected = ("--expect", f"{STAMP}={request.stamp}")
        argv = (*_GUARD, request.named(stack), *expected, *bounds, "--json", "--quiet")
        guards = self._guards.setdefault(stack, [])
        guard = self._world.run_guard(stack, f"guard {len(guards) + 1} of {stack}", argv)
        guards.append(guard)
        return guard

    def interrupt(self, stack: str) -> None:
        """Press Ctrl-C where this stack's last client waits."""
        self._clients[stack][-1].interrupt()

    def give_up(self, stack: str) -> None:
        """Wait no longer for this stack's clients and guards.

        They get SIGKILL, which no client can take for an answer.
        """
        for waiting in (*self._clients.pop(stack, []), *self._guards.pop(stack, [])):
            waiting.stop()


class VirtualDeployer:
    """SwarmKit's control API, with the specs that those commands would send."""

    def __init__(self, world: VirtualWorld) -> None:
        self._world = world
        world.have_images([_VIRTUAL_IMAGE])

    def deploy(
        self, stack: str, before: ServiceRequest | None, request: ServiceRequest
    ) -> tuple[str, ...]:
        """Send the whole new spec, as the client does; there is no command."""
        del before
        spec = msgspec.Raw(request.spec_json(stack, _VIRTUAL_IMAGE, _VIRTUAL_MEMORY_BYTES))
        sent = ResolvedStack(
            services=(spec,), networks=(), secrets=(), configs=(), warnings=(), reads=()
        )
        self._world.deploy(stack, sent)
        return ()

    def guard(
        self, stack: str, request: ServiceRequest, timeout_s: float, hold_s: float
    ) -> GuardProcess | None:
        """Return None: there is no engine that the command could reach."""
        del stack, request, timeout_s, hold_s
        return None

    def interrupt(self, stack: str) -> None:
        """Raise LabError: there is nobody to interrupt."""
        raise LabError(f"{stack}: the virtual world has no docker client to interrupt")

    def give_up(self, stack: str) -> None:
        """Do nothing: nobody waits."""


ServiceDeployer = LiveDeployer | VirtualDeployer


def deployer_on(world: World, image: str | None) -> ServiceDeployer:
    """Make a world's deployer; ``image`` is the workload's on a live one. Raises LabError."""
    if isinstance(world, LiveWorld) and image is not None:
        return LiveDeployer(world, image)
    if isinstance(world, VirtualWorld):
        return VirtualDeployer(world)
    raise LabError("bug reports are played on a live lab or in virtual time")
