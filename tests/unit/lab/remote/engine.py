"""An engine that a test holds in its hands: HTTP on a socket, a swarm of plain dictionaries."""

from __future__ import annotations

import json
import queue
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]
NODE = "node-here"
_END = None


class Engine:
    """The swarm, what is announced of it, and every request that was made."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.services: dict[str, Json] = {}
        self.tasks: list[Json] = []
        self.containers: dict[str, Json] = {}
        self.info: Json = {
            "Swarm": {
                "LocalNodeState": "active",
                "ControlAvailable": True,
                "NodeID": NODE,
                "Nodes": 1,
            }
        }
        self.requests: list[tuple[str, str]] = []
        self.is_down = False
        """Whether it answers everything with 503, as one does that is going down."""
        self.refuses = ""
        """The path that it answers with 503, and no other."""
        self.has_events = True
        self.streams_opened = 0
        self.since: list[str | None] = []
        self._streams: list[queue.SimpleQueue[bytes | None]] = []
        self._lock = threading.Lock()

    # What a test does to it.

    def put(self, name: str, **what: Any) -> Json:
        """Write a service, and announce it."""
        with self._lock:
            before = self.services.get(name)
            self.services[name] = made = service(name, before=before, **what)
        attributes = {"name": name}
        state = (made.get("UpdateStatus") or {}).get("State")
        if state:
            attributes["updatestate.new"] = state
        self.announce("service", "create" if before is None else "update", made["ID"], attributes)
        return made

    def remove(self, name: str) -> None:
        with self._lock:
            gone = self.services.pop(name)
        self.announce("service", "remove", gone["ID"], {"name": name})

    def announce(self, kind: str, action: str, actor: str, attributes: dict[str, str]) -> None:
        event = {
            "Type": kind,
            "Action": action,
            "Actor": {"ID": actor, "Attributes": attributes},
            "timeNano": time.time_ns(),
        }
        self._send(json.dumps(event).encode() + b"\n")

    def happen(self, action: str, task_id: str, service_name: str = "shop_app") -> None:
        """Announce something of a task's container."""
        labels = {
            "com.docker.swarm.task.id": task_id,
            "com.docker.swarm.service.name": service_name,
        }
        self.announce("container", action, f"container-{task_id}", labels)

    def cut(self) -> None:
        """End every stream of events."""
        self._send(_END)

    def say(self, text: bytes) -> None:
        """Send whatever into the streams."""
        self._send(text)

    def _send(self, what: bytes | None) -> None:
        with self._lock:
            streams = list(self._streams)
            if what is _END:
                self._streams.clear()
        for stream in streams:
            stream.put(what)

    # What a client gets.

    def answer(self, path: str, filters: dict[str, list[str]]) -> Any:
        with self._lock:
            match path.strip("/").split("/"):
                case ["info"]:
                    return self.info
                case ["services"]:
                    return self._services(filters)
                case ["tasks"]:
                    known = {service["ID"] for service in self.services.values()}
                    wanted = set(filters["service"])
                    if not wanted <= known:
                        return None
                    return [task for task in self.tasks if task["ServiceID"] in wanted]
                case ["containers", "json"]:
                    return self._containers(filters)
                case ["containers", container, "json"]:
                    return self.containers.get(container)
                case _:
                    return None

    def _services(self, filters: dict[str, list[str]]) -> list[Json]:
        services = list(self.services.values())
        if "name" in filters:  # by prefixes, as the engine has it
            services = [
                service
                for service in services
                if service["Spec"]["Name"].startswith(tuple(filters["name"]))
            ]
        for label in filters.get("label", []):
            name, _, value = label.partition("=")
            services = [
                service for service in services if service["Spec"]["Labels"].get(name) == value
            ]
        return services

    def _containers(self, filters: dict[str, list[str]]) -> list[Json]:
        return [
            container
            for container in self.containers.values()
            if container["Id"] in filters["id"] and container["State"]["Running"]
        ]

    def stream(self) -> queue.SimpleQueue[bytes | None]:
        with self._lock:
            self.streams_opened += 1
            stream: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
            self._streams.append(stream)
            return stream


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def address_string(self) -> str:
        return "client"

    def log_message(self, *_: object) -> None:
        pass

    def _handle(self) -> None:
        engine = self.server.engine
        parts = urlsplit(self.path)
        path = parts.path.split("/", 2)[2] if parts.path.startswith("/v1") else parts.path
        query = parse_qs(parts.query)
        engine.requests.append((self.command, path))
        if engine.is_down or path.strip("/") == engine.refuses:
            self._send(503, {"message": "This node is not a swarm manager. Sorry."})
        elif path.strip("/") == "events":
            engine.since.append(query.get("since", [None])[0])
            self._stream_events()
        else:
            body = engine.answer(path, json.loads(query.get("filters", ["{}"])[0]))
            self._send(
                404 if body is None else 200,
                body or ([] if body == [] else {"message": "no such thing"}),
            )

    do_GET = do_POST = do_DELETE = do_PUT = do_HEAD = _handle  # noqa: N815 - the library's names

    def _send(self, code: int, what: Any) -> None:
        body = json.dumps(what).encode()
        self.send_response(code)
        self.send_header("Api-Version", "1.41")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream_events(self) -> None:
        if not self.server.engine.has_events:
            self._send(403, {"message": "events are forbidden here"})
            return
        stream = self.server.engine.stream()
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        with suppress(OSError):
            while (line := stream.get()) is not None:
                self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
                self.wfile.flush()
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    engine: Engine


@contextmanager
def running_engine(folder: Path) -> Iterator[Engine]:
    path = folder / "d.sock"
    with _Server(str(path), _Handler) as server:
        server.engine = engine = Engine(f"unix://{path}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield engine
        finally:
            engine.cut()
            server.shutdown()
            thread.join()


def service(
    name: str,
    *,
    task: str = "base",
    labels: dict[str, str] | None = None,
    before: Json | None = None,
    previous: Json | None = None,
    state: str | None = None,
    started: str = "2026-01-01T00:00:00.000000001Z",
    service_id: str | None = None,
    monitor_s: float = 0.2,
    replicas: int = 1,
    message: str = "",
) -> Json:
    version = before["Version"]["Index"] + 1 if before else 1
    made: Json = {
        "ID": service_id or f"id-{name}",
        "Version": {"Index": version},
        "Spec": {
            "Name": name,
            "Labels": labels or {},
            "TaskTemplate": {"ContainerSpec": {"Image": f"image:{task}"}},
            "Mode": {"Replicated": {"Replicas": replicas}},
            "UpdateConfig": {"Monitor": int(monitor_s * 1e9), "FailureAction": "rollback"},
        },
    }
    if previous is not None:
        made["PreviousSpec"] = previous["Spec"]
    if state is not None:
        made["UpdateStatus"] = {"State": state, "StartedAt": started, "Message": message}
    return made


def task(
    task_id: str,
    of: Json,
    state: str = "running",
    *,
    desired: str | None = None,
    node: str = NODE,
    since_unix_s: float = 0.0,
    error: str = "",
    exit_code: int = 0,
) -> Json:
    ended = state in ("failed", "shutdown", "complete", "rejected")
    return {
        "ID": task_id,
        "ServiceID": of["ID"],
        "NodeID": node,
        "Slot": 1,
        "Spec": of["Spec"]["TaskTemplate"],
        "CreatedAt": "2026-01-01T00:00:00Z",
        "DesiredState": desired or ("shutdown" if ended else "running"),
        "Status": {
            "Timestamp": datetime.fromtimestamp(since_unix_s, UTC).isoformat(),
            "State": state,
            "Err": error,
            "ContainerStatus": {"ContainerID": f"container-{task_id}", "ExitCode": exit_code},
        },
    }


def container(task_id: str, *, runs: bool = True, oom: bool = False, exit_code: int = 0) -> Json:
    return {
        "Id": f"container-{task_id}",
        "State": {
            "Running": runs,
            "ExitCode": exit_code,
            "OOMKilled": oom,
            "StartedAt": "2026-01-01T00:00:01.5Z",
            "FinishedAt": "0001-01-01T00:00:00Z" if runs else "2026-01-01T00:00:04Z",
            "Health": {"Status": "starting"},
        },
        "Config": {"Labels": {"com.docker.swarm.task.id": task_id}},
    }
