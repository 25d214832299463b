"""An engine of an empty swarm, where nothing can be deployed.

Before a deploy abra asks the engine for deployed services and secrets. An experiment about abra's
stamp needs no daemon: this server answers as an empty swarm, refuses every change, and remembers
every request, which proves that nothing was deployed.
"""

from __future__ import annotations

import json
import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from stamplab.lab.errors import os_errors_as

_API = "1.41"
_LISTS = ("services", "secrets", "configs", "networks", "tasks", "nodes", "containers/json")
_ANSWERS: dict[str, object] = {
    "version": {"Version": "20.10.24", "ApiVersion": _API, "MinAPIVersion": "1.12", "Os": "linux"},
    "info": {"Swarm": {"LocalNodeState": "active", "ControlAvailable": True, "NodeID": "empty"}},
    **{name: [] for name in _LISTS},
}
_PATH = re.compile(r"/(?:v[\d.]+/)?([^?]*)")


class EmptySwarm:
    """The address and the requests of an empty swarm."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.requests: list[str] = []
        """``METHOD path``, in order."""

    @property
    def changes(self) -> list[str]:
        """The requests that would have changed something; all were refused."""
        return [line for line in self.requests if not line.startswith(("GET ", "HEAD "))]


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: Path, swarm: EmptySwarm) -> None:
        super().__init__(str(path), _Handler)
        self.swarm = swarm


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Remember the request, and answer as an engine of an empty swarm would."""
        match = _PATH.match(self.path)
        name = match[1] if match else self.path
        self.server.swarm.requests.append(f"{self.command} /{name}")
        if name == "_ping":
            self._respond(200, b"OK", "text/plain")
        elif self.command in ("GET", "HEAD") and name in _ANSWERS:
            self._respond(200, json.dumps(_ANSWERS[name]).encode())
        elif self.command in ("GET", "HEAD"):
            self._respond(404, b'{"message": "nothing is deployed here"}')
        else:
            self._respond(403, b'{"message": "nothing can be deployed here"}')

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - http.server's names

    def _respond(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Api-Version", _API)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Keep requests off stderr: they are in `EmptySwarm.requests`."""


@contextmanager
def empty_swarm(path: Path) -> Iterator[EmptySwarm]:
    """Serve an empty swarm on a unix socket at ``path``. Raises LabError."""
    swarm = EmptySwarm(f"unix://{path}")
    with os_errors_as(f"no socket can be made at {path}"):
        server = _Server(path, swarm)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield swarm
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        path.unlink(missing_ok=True)
