"""A private dockerd: its configuration, its start, and its clients."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import docker
import docker.errors
import msgspec
import psutil
import requests

from stamplab.lab.cgroup.group import MemoryGroup
from stamplab.lab.errors import DaemonEnded, LabError
from stamplab.lab.live import sandbox
from stamplab.lab.live.engine import DockerEngine, link_tools
from stamplab.lab.live.lease import MARK, LabFolder
from stamplab.lab.model.history import CommandRan
from stamplab.lab.support.processes import ProcessId, pid_namespace

_START_TIMEOUT_S = 120.0
_POLL_S = 0.05
_API_TIMEOUT_S = 60
GATEWAY = "docker_gwbridge"
# The lab makes this network: docker's own wants br_netfilter (ADR 0011).
GATEWAY_OPTIONS = {
    "com.docker.network.bridge.name": GATEWAY,
    "com.docker.network.bridge.enable_icc": "true",
    "com.docker.network.bridge.enable_ip_masquerade": "false",
}
"""Options of the gateway network, by which tasks reach the outside; in a lab it leads nowhere.

With docker's default options the network needs the kernel module br_netfilter, without which no
task starts (seen), so the lab makes the network itself.
"""
_PING_API_VERSION = "1.41"
"""Any version will do: ``/_ping`` has none in its path."""


class Daemon:
    """One dockerd in namespaces of its own, in swarm mode once `init_swarm` has returned."""

    def __init__(self, engine: DockerEngine, folder: LabFolder, time_scale: float = 1.0) -> None:
        """Use a lab's folder; ``time_scale`` multiplies all time-outs."""
        self.engine = engine
        self.folder = folder
        self.url = f"unix://{folder.socket}"
        """The daemon's DOCKER_HOST."""
        self._start_timeout_s = _START_TIMEOUT_S * time_scale
        self._api_timeout_s = round(_API_TIMEOUT_S * time_scale)
        self._tools = folder.path / "bin"
        self.client_program = self._tools / "docker"
        """The engine's own ``docker``."""
        self._process: subprocess.Popen[bytes] | None = None
        self._clients: list[docker.APIClient] = []
        self._api: docker.APIClient | None = None

    def start(self, group: MemoryGroup, *, outlives_caller: bool) -> ProcessId:
        """Start the daemon, its containers in ``group``; return its namespaces' first process.

        Raises DaemonEnded when the daemon ends at once, LabError when it cannot be started.
        """
        link_tools(self.engine, self._tools)
        config = self.folder.path / "daemon.json"
        configuration = self._configuration(group.engine_parent)
        config.write_bytes(msgspec.json.format(msgspec.json.encode(configuration)))
        with self.folder.daemon_log.open("ab") as log:
            self._process = sandbox.start(
                self._tools,
                self.folder.path,
                ["dockerd", "--config-file", str(config)],
                self._environment(),
                log,
                entry=group.entry,
                outlives_caller=outlives_caller,
            )
        return self._first_in_namespaces()

    def wait_ready(self) -> None:
        """Wait until the API answers. Raises LabError with the daemon's last words."""
        deadline_s = time.monotonic() + self._start_timeout_s
        last = "it did not open its socket"
        # A fixed version: with "auto" the constructor itself asks the daemon, and leaks when it
        # fails.
        api = docker.APIClient(
            base_url=self.url, version=_PING_API_VERSION, timeout=self._api_timeout_s
        )
        with closing(api) as client:
            while time.monotonic() < deadline_s:
                self.check_alive()
                try:
                    client.ping()
                except (requests.RequestException, docker.errors.DockerException) as error:
                    last = str(error)
                else:
                    return
                time.sleep(_POLL_S)  # the apparatus starts in real time, in any world
        raise LabError(
            f"the lab's dockerd did not answer within {self._start_timeout_s:g} s ({last}); "
            f"{self.last_words()}"
        )

    def init_swarm(self, address: str = "127.0.0.1") -> None:
        """Make the daemon a swarm of one manager, reachable only in its own network namespace."""
        try:
            self.api.create_network(GATEWAY, driver="bridge", options=GATEWAY_OPTIONS)
            self.api.init_swarm(advertise_addr=address, listen_addr=f"{address}:2377")
        except (requests.RequestException, docker.errors.DockerException) as error:
            self.check_alive()
            raise LabError(f"the lab's dockerd did not become a swarm: {error}") from error

    def import_image(self, rootfs: bytes, tag: str) -> None:
        """Make an image of a root file system's tar."""
        repository, _, version = tag.partition(":")
        try:
            self.api.import_image_from_data(rootfs, repository=repository, tag=version)
        except (requests.RequestException, docker.errors.DockerException) as error:
            raise LabError(f"the image {tag} was not imported: {error}") from error

    def client(self) -> docker.APIClient:
        """Return a new low-level API client, for one thread alone. `close` closes the client."""
        client = docker.APIClient(base_url=self.url, version="auto", timeout=self._api_timeout_s)
        self._clients.append(client)
        return client

    @property
    def api(self) -> docker.APIClient:
        """The main thread's own client."""
        if self._api is None:
            self._api = self.client()
        return self._api

    def close(self) -> None:
        """Close every client that `client` has returned."""
        while self._clients:
            self._clients.pop().close()

    def run_client(
        self, arguments: Sequence[str], environment: dict[str, str], folder: Path
    ) -> CommandRan:
        """Run the engine's own ``docker`` command line in a folder and report how it ended."""
        return self.run(
            ("docker", *arguments),
            self.client_environment(environment),
            folder,
            f"docker client of {self.engine.source}",
            program=self.client_program,
        )

    def run(
        self,
        argv: Sequence[str],
        environment: dict[str, str],
        folder: Path,
        by: str,
        *,
        program: Path | None = None,
    ) -> CommandRan:
        """Run a program that talks to the daemon and report how it ended.

        ``program`` is what ``argv[0]`` stands for, where that is not its path.
        """
        started_s = time.monotonic()
        try:
            done = subprocess.run(
                [str(program or argv[0]), *argv[1:]],
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=self._api_timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise LabError(f"{' '.join(argv)} did not return in {self._api_timeout_s} s") from error
        except OSError as error:
            raise LabError(f"{argv[0]} cannot be run: {error.strerror}") from error
        return CommandRan(
            argv=tuple(argv),
            exit_code=done.returncode,
            took_s=round(time.monotonic() - started_s, 6),
            output=done.stdout,
            by=by,
        )

    def client_environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return the whole environment of the docker client, which interpolates compose files.

        Settings that steer the client itself are left out, because an app's settings may come from
        an untrusted recipe.
        """
        settings = {
            name: value
            for name, value in environment.items()
            if not name.startswith(("LD_", "DOCKER_"))
        }
        return {**settings, **self._environment(), "DOCKER_HOST": self.url}

    def check_alive(self, grace_s: float = 0.0) -> None:
        """Raise DaemonEnded with the log's end if the daemon has ended, or ends in ``grace_s``.

        Raises LabError if it was never started: its namespaces' first process (init.sh) failed.
        """
        if self._process is None:
            return
        try:
            exit_code = self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            return
        # init.sh ends by itself with 0 only after the daemon.
        if exit_code > 0:
            raise LabError(f"the lab's namespaces cannot be made; {self.last_words()}")
        raise DaemonEnded(f"the lab's dockerd ended by itself; {self.last_words()}")

    def reap(self) -> None:
        """Wait for the ended process, so that it leaves no zombie."""
        if self._process is not None:
            self._process.wait(20)

    def last_words(self) -> str:
        """Return the last line of the daemon's log, as a clause."""
        try:
            lines = self.folder.daemon_log.read_text(errors="replace").split("\n")
        except OSError as error:
            return f"its log cannot be read ({error.strerror})"
        last = next((line for line in reversed(lines) if line.strip()), "nothing")
        return f"its log (dockerd.log) ends: {last.strip()}"

    def _configuration(self, cgroup_parent: str) -> dict[str, object]:
        """Return all of dockerd's settings, so that the host's daemon.json is never read."""
        return {
            "hosts": [self.url],
            "data-root": "/run/lab/data",
            "exec-root": "/run/lab/exec",
            "pidfile": "/run/lab/dockerd.pid",
            "bridge": "none",
            "storage-driver": "overlay2",
            "cgroup-parent": cgroup_parent,
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
        }

    def _environment(self) -> dict[str, str]:
        return {
            **self.engine.environment,
            "PATH": str(self._tools),
            "HOME": str(self.folder.path),
            "DOCKER_CONFIG": str(self.folder.path / "docker-config"),
            # Images are imported, never pulled: without this every deploy would ask a registry.
            "DOCKER_SERVICE_PREFER_OFFLINE_IMAGE": "1",
            "LANG": os.environ.get("LANG", "C.UTF-8"),
            MARK: self.folder.lab_id,
        }

    def _first_in_namespaces(self) -> ProcessId:
        assert self._process is not None  # noqa: S101 - just started
        deadline_s = time.monotonic() + self._start_timeout_s
        while time.monotonic() < deadline_s:
            self.check_alive()
            identity = _first_of_namespace(self._process.pid)
            if identity is not None:
                return identity
            time.sleep(_POLL_S)
        raise LabError("unshare has started no process in the lab's namespaces")


def _first_of_namespace(pid: int) -> ProcessId | None:
    """Return the child of ``pid`` in another pid namespace; other children are helpers."""
    try:
        children = psutil.Process(pid).children()
    except psutil.Error:
        return None
    outside = {None, pid_namespace()}
    inside = [child.pid for child in children if pid_namespace(child.pid) not in outside]
    return ProcessId.of(inside[0]) if inside else None
