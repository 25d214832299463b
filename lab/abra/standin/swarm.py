"""The swarm that the stand-in deploys to: always the one at DOCKER_HOST."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from stamplab.lab.errors import LabError
from stamplab.lab.model.docker_json import parse_services, parse_tasks
from stamplab.lab.model.swarm import STACK_LABEL, Service, Task
from stamplab.lab.support import programs
from stamplab.lab.world import Stack

_TIMEOUT_S = 60


class StandInSwarm:
    """The stand-in's requests to an engine, by its API and by the docker client."""

    def __init__(self, address: str) -> None:
        self.address = address
        with self._errors_as("reached"):
            import docker  # slow to import, and most commands ask no engine

            self._api = docker.APIClient(base_url=address, version="auto", timeout=_TIMEOUT_S)

    @classmethod
    def from_environment(cls) -> StandInSwarm:
        """Connect to the swarm at DOCKER_HOST. Raises LabError where that is not set."""
        address = os.environ.get("DOCKER_HOST")
        if not address:
            raise LabError("DOCKER_HOST is not set: the stand-in takes no engine by itself")
        return cls(address)

    def services(self, stack: str) -> list[Service]:
        """List a stack's services. Raises LabError."""
        with self._errors_as("asked for its services"):
            raw = self._api.services(filters={"label": f"{STACK_LABEL}={stack}"})
        return [service for service, _ in parse_services(msgspec.json.encode(raw))]

    def tasks(self, stack: str) -> list[Task]:
        """List a stack's tasks, oldest first. Raises LabError."""
        with self._errors_as("asked for its tasks"):
            raw = self._api.tasks(filters={"label": f"{STACK_LABEL}={stack}"})
        return parse_tasks(msgspec.json.encode(raw))

    def secrets(self) -> set[str]:
        """Return the names of all secrets. Raises LabError."""
        with self._errors_as("asked for its secrets"):
            return {str(secret["Spec"]["Name"]) for secret in self._api.secrets()}

    def create_secret(self, name: str, value: bytes, stack: str) -> None:
        """Create a secret. Raises LabError, also where the name is taken."""
        with self._errors_as(f"given the secret {name}"):
            self._api.create_secret(name, value, labels={STACK_LABEL: stack})

    def deploy(self, stack: Stack) -> str:
        """Run ``docker stack deploy``; return its output. Raises LabError with the output."""
        files = [word for file in stack.compose_files for word in ("--compose-file", str(file))]
        return self._client(
            ("stack", "deploy", "--resolve-image", "never", *files, stack.name), stack
        )

    def remove(self, stack: str) -> str:
        """Run ``docker stack rm``; return its output. Raises LabError with the output."""
        return self._client(("stack", "rm", stack))

    def _client(self, arguments: tuple[str, ...], stack: Stack | None = None) -> str:
        settings = stack.environment if stack else {}
        # A recipe's settings may neither load a library nor choose another engine.
        allowed = {k: v for k, v in settings.items() if not k.startswith(("LD_", "DOCKER_"))}
        inherited = ("HOME", "LD_LIBRARY_PATH")
        try:
            completed = subprocess.run(
                ("docker", *arguments),
                env={
                    **allowed,
                    **{name: os.environ[name] for name in inherited if name in os.environ},
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
            places = programs.places_text()
            raise LabError(
                f"docker (the client) is not {places}: nothing can be deployed"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise LabError(f"docker {' '.join(arguments[:2])} did not return") from error
        if completed.returncode != 0:
            output = " ".join(completed.stdout.split())
            raise LabError(f"docker {' '.join(arguments[:2])} failed: {output}")
        return completed.stdout

    @contextmanager
    def _errors_as(self, action: str) -> Iterator[None]:
        """Turn the engine's errors into a LabError: it "cannot be ``action``"."""
        import requests
        from docker.errors import DockerException

        try:
            yield
        except (DockerException, requests.RequestException, ValueError) as error:
            reason = " ".join(str(error).split())
            raise LabError(f"the engine at {self.address} cannot be {action}: {reason}") from error
