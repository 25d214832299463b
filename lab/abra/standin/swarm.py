"""The swarm that the stand-in deploys to: the one at DOCKER_HOST, and no other."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import docker
import msgspec
import requests
from docker.errors import DockerException

from stamplab.lab.errors import LabError
from stamplab.lab.model.docker_json import parse_services, parse_tasks
from stamplab.lab.model.swarm import STACK_LABEL, Service, Task
from stamplab.lab.support import programs
from stamplab.lab.world import Stack

_TIMEOUT_S = 60


class _Spec(msgspec.Struct, rename="pascal"):
    name: str = ""


class _Named(msgspec.Struct, rename="pascal"):
    spec: _Spec


class Swarm:
    """What the stand-in asks of an engine, and has it do."""

    def __init__(self, address: str) -> None:
        self.address = address
        with self._told("reached"):
            self._api = docker.APIClient(base_url=address, version="auto", timeout=_TIMEOUT_S)

    @classmethod
    def from_environment(cls) -> Swarm:
        """The swarm at DOCKER_HOST. Raises LabError where it is not set: we do not guess."""
        address = os.environ.get("DOCKER_HOST")
        if not address:
            raise LabError("DOCKER_HOST is not set: the stand-in takes no engine by itself")
        return cls(address)

    def services(self, stack: str) -> list[Service]:
        """The services of a stack as they are now. Raises LabError."""
        with self._told("asked for its services"):
            raw = self._api.services(filters={"label": f"{STACK_LABEL}={stack}"})
        return [service for service, _ in parse_services(msgspec.json.encode(raw))]

    def tasks(self, stack: str) -> list[Task]:
        """The tasks of a stack, oldest first. Raises LabError."""
        with self._told("asked for its tasks"):
            raw = self._api.tasks(filters={"label": f"{STACK_LABEL}={stack}"})
        return parse_tasks(msgspec.json.encode(raw))

    def secrets(self) -> set[str]:
        """The names of all secrets. Raises LabError."""
        with self._told("asked for its secrets"):
            raw = self._api.secrets()
        return {one.spec.name for one in msgspec.convert(raw, list[_Named])}

    def create_secret(self, name: str, value: bytes, stack: str) -> None:
        """Create a secret. Raises LabError, where there is one of that name as well."""
        with self._told(f"given the secret {name}"):
            self._api.create_secret(name, value, labels={STACK_LABEL: stack})

    def deploy(self, stack: Stack) -> str:
        """Deploy by ``docker stack deploy``. Raises LabError with the client's words."""
        files = [word for file in stack.compose_files for word in ("--compose-file", str(file))]
        return self._client(
            ("stack", "deploy", "--resolve-image", "never", *files, stack.name), stack
        )

    def remove(self, stack: str) -> str:
        """Remove a stack by ``docker stack rm``. Raises LabError with the client's words."""
        return self._client(("stack", "rm", stack))

    def _client(self, arguments: tuple[str, ...], stack: Stack | None = None) -> str:
        settings = stack.environment if stack else {}
        theirs = {k: v for k, v in settings.items() if not k.startswith(("LD_", "DOCKER_"))}
        ours = ("HOME", "LD_LIBRARY_PATH", "DOCKER_HOST")
        kept = {name: os.environ[name] for name in ours if name in os.environ}
        try:
            done = subprocess.run(
                ("docker", *arguments),
                env={
                    **theirs,
                    **kept,
                    "PATH": programs.search_path(),
                    "DOCKER_HOST": self.address,
                },
                cwd=stack.directory if stack else None,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except FileNotFoundError as error:
            raise LabError(
                f"docker (the client) is not {programs.places()}: nothing can be deployed"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise LabError(f"docker {' '.join(arguments[:2])} did not return") from error
        if done.returncode != 0:
            said = " ".join(done.stdout.split())
            raise LabError(f"docker {' '.join(arguments[:2])} failed: {said}")
        return done.stdout

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except (DockerException, requests.RequestException, ValueError) as error:
            said = " ".join(str(error).split())
            raise LabError(f"the engine at {self.address} cannot be {what}: {said}") from error
