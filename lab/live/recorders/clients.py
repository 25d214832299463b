"""Records what clients of the application see, by a prober on the stack's network."""

from __future__ import annotations

import time

import docker
import docker.errors
import docker.types
import msgspec

from stamplab.lab.errors import LabError
from stamplab.lab.live.api import fetch
from stamplab.lab.live.recorders.recorder import Recorder
from stamplab.lab.model import docker_json, swarm
from stamplab.lab.model.history import ClientProbe
from stamplab.lab.model.history_file import HistoryWriter
from stamplab.lab.support.clock import WorldClock

_POLL_S = 0.05
_NANOSECONDS = 1e9


class ClientPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The service that clients ask, the prober's image, and the prober's times."""

    service: str
    """The service's name within the stack, e.g. ``app``."""
    port: int
    image: str
    interval_s: float = 0.05
    timeout_s: float = 1.0
    start_timeout_s: float = 60.0
    """How long the prober itself may take to start."""


class _Line(msgspec.Struct):
    n: int
    sent_unix_ns: int
    took_ms: float
    ok: bool
    version: str | None = None
    address: str | None = None
    error: str | None = None


class ClientRecorder(Recorder):
    """Runs the prober as a service of the lab's own, and records its output.

    The prober resolves the service's name anew for each request, as a reverse proxy would, and
    never uses a task's own address.
    """

    def __init__(
        self,
        api: docker.APIClient,
        history: HistoryWriter,
        clock: WorldClock,
        stack: str,
        plan: ClientPlan,
    ) -> None:
        self._api = api
        self._clock = clock
        self._plan = plan
        container = self._start_prober(f"{stack}_{plan.service}")
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
        probe = msgspec.convert(line, ClientProbe, from_attributes=True)
        sent_s = self._clock.of_unix(line.sent_unix_ns / _NANOSECONDS)
        self.history.append(self.source, probe, sent_s)

    # A service, so that the application's networks need not be attachable (ADR 0006).
    def _start_prober(self, service: str) -> str:
        """Start the prober on the service's networks; return the prober's container."""
        try:
            spec = self._api.inspect_service(service)["Spec"]
        except docker.errors.APIError as error:
            message = error.explanation or error
            raise LabError(f"no client can ask the service {service}: {message}") from error
        networks = [item["Target"] for item in spec["TaskTemplate"].get("Networks") or []]
        if not networks:
            raise LabError(f"the service {service} is on no network: no client can reach it")
        plan = self._plan
        has_virtual_ip = (spec.get("EndpointSpec") or {}).get("Mode") == "vip"
        # A virtual IP needs the kernel's IPVS; the tasks' own name is answered as without it.
        host = f"tasks.{service}" if has_virtual_ip else service
        command = ["/bin/stampload", "client", "--host", host, "--port", str(plan.port)]
        command += ["--interval-ms", _milliseconds(plan.interval_s)]
        command += ["--timeout-ms", _milliseconds(plan.timeout_s)]
        template = docker.types.TaskTemplate(
            docker.types.ContainerSpec(plan.image, command=command), networks=networks
        )
        made = self._api.create_service(template, name="stamplab-client")
        return self._wait_running(made["ID"])

    def _wait_running(self, prober: str) -> str:
        timeout_s = self._plan.start_timeout_s
        deadline_s = time.monotonic() + timeout_s
        last = "no task yet"
        while time.monotonic() < deadline_s:
            listed = fetch(self._api, "tasks", {"service": [prober]})
            for task in docker_json.parse_tasks(listed or b"[]"):
                if task.state == swarm.RUNNING and task.container_id:
                    return task.container_id
                last = f"task {task.state} {task.error}".rstrip()
            time.sleep(_POLL_S)
        raise LabError(f"the client prober did not start in {timeout_s:g} s: {last}")


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
