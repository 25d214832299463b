"""What clients of the application see: a prober on the stack's own network."""

from __future__ import annotations

import time

import docker
import docker.errors
import docker.types
import msgspec

from lab import docker_api, swarm
from lab.errors import LabError
from lab.history import ClientProbe, HistoryWriter
from lab.live.api import fetch
from lab.live.clock import Clock
from lab.live.recorders.recorder import Recorder

PROBE_EVERY_MS = 50
_PROBE_TIMEOUT_MS = 1000
_START_TIMEOUT_S = 60.0
_POLL_S = 0.05
_NANOSECONDS = 1e9


class _Line(msgspec.Struct):
    n: int
    sent_unix_ns: int
    took_ms: float
    ok: bool
    version: str | None = None
    address: str | None = None
    error: str | None = None


class ClientRecorder(Recorder):
    """Runs the prober as a service of the lab's own, beside the stack, and records what it prints.

    It resolves the service's name anew for each request, as a reverse proxy would, and never uses a
    task's own address.
    """

    def __init__(
        self,
        api: docker.APIClient,
        history: HistoryWriter,
        clock: Clock,
        service: str,
        port: int,
        image: str,
    ) -> None:
        self._api = api
        self._clock = clock
        container = self._start_prober(service, port, image)
        self._stream = api.logs(container, stream=True, follow=True, stderr=False)
        super().__init__("clients", history, self._stream.close)

    def record(self) -> None:
        """Follow the prober's output."""
        pending = b""
        for chunk in self._stream:
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                self._note(msgspec.json.decode(line, type=_Line))

    def _note(self, line: _Line) -> None:
        probe = ClientProbe(
            n=line.n,
            ok=line.ok,
            took_ms=line.took_ms,
            version=line.version,
            address=line.address,
            error=line.error,
        )
        self.history.append(
            self.source, probe, self._clock.of_unix(line.sent_unix_ns / _NANOSECONDS)
        )

    def _start_prober(self, service: str, port: int, image: str) -> str:
        """Start the prober on the service's networks; return its container."""
        try:
            spec = self._api.inspect_service(service)["Spec"]  # type: ignore[no-untyped-call]
        except docker.errors.APIError as error:
            said = error.explanation or error
            raise LabError(f"no client can ask the service {service}: {said}") from error
        networks = [item["Target"] for item in spec["TaskTemplate"].get("Networks") or []]
        if not networks:
            raise LabError(f"the service {service} is on no network: no client can reach it")
        command = ["/bin/stampload", "client", "--host", service, "--port", str(port)]
        timing = ["--interval-ms", str(PROBE_EVERY_MS), "--timeout-ms", str(_PROBE_TIMEOUT_MS)]
        template = docker.types.TaskTemplate(
            docker.types.ContainerSpec(image, command=[*command, *timing]), networks=networks
        )
        made = self._api.create_service(template, name="stamplab-client")  # type: ignore[no-untyped-call]
        return self._wait_running(made["ID"])

    def _wait_running(self, prober: str) -> str:
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        last = "no task yet"
        while time.monotonic() < deadline_s:
            listed = fetch(self._api, "tasks", {"service": [prober]})
            for task in docker_api.parse_tasks(listed or b"[]"):
                if task.state == swarm.RUNNING and task.container_id:
                    return task.container_id
                last = f"task {task.state} {task.error}".rstrip()
            time.sleep(_POLL_S)
        raise LabError(f"the client prober did not start in {_START_TIMEOUT_S:g} s: {last}")
