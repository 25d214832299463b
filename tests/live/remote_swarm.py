"""A remote swarm for the guard to watch: the daemon of a lab, which can be restarted."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from stamplab.lab.live import sandbox
from stamplab.lab.live.lab import Apparatus, live_lab
from stamplab.lab.live.lease import LabFolder

_AGAIN = 'while :; do "$@" || :; busybox rm -f /run/lab/dockerd.pid; busybox sleep 0.2; done'
HEALTH = ("--health-interval", "300ms", "--health-retries", "200", "--health-timeout", "5s")
FIRST_PORT = 9000


class RemoteSwarm:
    """The address of a swarm, and what its owner does to it by the docker command line."""

    def __init__(self, url: str, docker: Path, image: str, folder: LabFolder) -> None:
        self.url = url
        self.image = image
        self._docker = docker
        self._folder = folder
        self._ports = iter(range(FIRST_PORT, FIRST_PORT + 1000))

    def docker(self, *words: str) -> str:
        done = subprocess.run(
            [str(self._docker), *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        return {"DOCKER_HOST": self.url, "PATH": str(self._docker.parent), "HOME": "/nonexistent"}

    def create(self, name: str, *options: str, **behaves: float) -> None:
        """Create a service that is healthy soon, with short times."""
        words = ("--network", "host", "--no-resolve-image", "--label", "v=1", *options, *HEALTH)
        words += ("--update-order", "start-first", "--update-failure-action", "rollback")
        words += ("--update-monitor", "1s", "--rollback-monitor", "500ms")
        words += ("--restart-delay", "500ms", "--entrypoint", "/bin/stampload")
        port, serve = self._serve(behaves)
        self.docker("service", "create", "-d", "--name", name, *words, *port, self.image, *serve)

    def update(self, name: str, *options: str, **behaves: float) -> tuple[str, ...]:
        """The words that update it to another version."""
        port, serve = self._serve(behaves)
        words = ("service", "update", "-d", "--no-resolve-image", "--label-add", "v=2", *options)
        return (str(self._docker), *words, *port, "--args", " ".join(serve), name)

    def _serve(self, behaves: dict[str, float]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        port = str(next(self._ports))
        wanted = {"stop_s": 0.1, "ready_s": 0.3, **behaves}
        options = [
            word
            for name, value in wanted.items()
            for word in (
                f"--{name.replace('_', '-')}",
                f"{value:g}" if value < 1e6 else str(int(value)),
            )
        ]
        health = ("--health-cmd", f"/bin/stampload probe --port {port}")
        return health, ("serve", "--port", port, *options)

    def restart(self) -> None:
        """Kill the daemon; it is started again at once."""
        (daemon,) = daemons_in(self._folder)
        daemon.send_signal(signal.SIGKILL)


def daemons_in(folder: LabFolder) -> list[psutil.Process]:
    """The dockerd of each node of a lab."""
    lease = folder.read_lease()
    assert lease.init is not None
    daemons = []
    for child in psutil.Process(lease.init.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # a health check that has just ended
            if child.name() == "dockerd":
                daemons.append(child)
    return daemons


def wait_until_running(swarm: RemoteSwarm, name: str) -> None:
    """Until a task of the new version runs: its label is written with its spec."""
    deadline_s = time.monotonic() + 60
    wanted = "{{.CurrentState}}"
    while True:
        assert time.monotonic() < deadline_s
        tasks = swarm.docker("service", "ps", name, "--format", wanted).splitlines()
        spec = swarm.docker("service", "inspect", name, "--format", "{{.Spec.Labels.v}}").strip()
        if (
            spec == "2"
            and sum(task.startswith("Running") for task in tasks) == 1
            and len(tasks) > 1
        ):
            return
        time.sleep(0.3)  # each question is two processes


@contextmanager
def remote_swarm(apparatus: Apparatus) -> Iterator[RemoteSwarm]:
    """Run a private daemon that comes back when it is killed; no recorder of the lab watches it."""
    start = sandbox.start

    def restarting(tools: Path, lab: Path, command: Sequence[str], *rest: Any, **more: Any) -> Any:
        return start(tools, lab, ["sh", "-c", _AGAIN, "again", *command], *rest, **more)

    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as evidence:
        patch.setattr(sandbox, "start", restarting)
        with live_lab(apparatus, Path(evidence), "app", 8080) as world:
            world.close()
            docker = apparatus.engine.tools["docker"]
            folder = LabFolder(world.scratch.parent)
            yield RemoteSwarm(world.daemon.url, Path(docker), apparatus.image, folder)
