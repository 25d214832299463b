"""An engine at which nothing is deployed, and nothing can be.

abra asks the engine what is deployed and which secrets there are before it deploys. Where only its
stamp is in question no daemon is needed: this answers as a swarm that is empty, refuses whatever
would change it, and remembers every request, so that "nothing was deployed" is a finding.
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

from stamplab.lab.errors import LabError

_API = "1.41"
_LISTS = ("services", "secrets", "configs", "networks", "tasks", "nodes", "containers/json")
_ANSWERS: dict[str, object] = {
    "version": {"Version": "20.10.24", "ApiVersion": _API, "MinAPIVersion": "1.12", "Os": "linux"},
    "info": {"Swarm": {"LocalNodeState": "active", "ControlAvailable": True, "NodeID": "empty"}},
    **{name: [] for name in _LISTS},
}
_PATH = re.compile(r"/(?:v[\d.]+/)?([^?]*)")


class EmptySwarm:
    """What was asked of it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.requests: list[str] = []
        """``METHOD path``, in order."""

    @property
    def changes(self) -> list[str]:
        """The requests that would have changed something; all were refused."""
        return [one for one in self.requests if not one.startswith(("GET ", "HEAD "))]


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: Path, swarm: EmptySwarm) -> None:
        super().__init__(str(path), _Handler)
        self.swarm = swarm


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        found = _PATH.match(self.path)
        name = found[1] if found else self.path
        self.server.swarm.requests.append(f"{self.command} /{name}")
        if name == "_ping":
            self._say(200, b"OK", "text/plain")
        elif self.command in ("GET", "HEAD") and name in _ANSWERS:
            self._say(200, json.dumps(_ANSWERS[name]).encode())
        elif self.command in ("GET", "HEAD"):
            self._say(404, b'{"message": "nothing is deployed here"}')
        else:
            self._say(403, b'{"message": "nothing can be deployed here"}')

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - http.server's names

    def _say(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Api-Version", _API)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing on stderr: the requests are remembered."""


@contextmanager
def empty_swarm(path: Path) -> Iterator[EmptySwarm]:
    """Serve an empty swarm on a unix socket at this path. Raises LabError where it cannot."""
    swarm = EmptySwarm(f"unix://{path}")
    try:
        server = _Server(path, swarm)
    except OSError as error:
        raise LabError(f"no socket can be made at {path}: {error.strerror or error}") from error
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield swarm
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        path.unlink(missing_ok=True)
