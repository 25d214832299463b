"""Programs under test: started, looked at with a deadline on every wait, and fake partners."""

import http.client
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

DEADLINE_S = 60.0  # for what takes milliseconds: only a hang is a failure, not a slow machine


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(reached: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not reached():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.005)


def json_lines(path: Path) -> list[dict[str, Any]]:
    """Read the complete lines of a log that may still grow."""
    return [json.loads(line) for line in path.read_text().splitlines(True) if line.endswith("\n")]


def run(program: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, with no variables but these, each called ``STAMPLOAD_…``."""
    environment = {f"STAMPLOAD_{name}": value for name, value in variables.items()}
    return subprocess.run(
        [program, *arguments], env=environment, capture_output=True, text=True, timeout=DEADLINE_S
    )


class Application:
    """One `stampload serve` and its log."""

    def __init__(self, program: Path, environment: dict[str, str], log: Path) -> None:
        self.port = int(environment["STAMPLOAD_PORT"])
        self.log = log
        with log.open("wb") as stdout:
            self.process = subprocess.Popen([program, "serve"], env=environment, stdout=stdout)

    def phases(self) -> list[str]:
        return [line["phase"] for line in json_lines(self.log)]

    def wait_for(self, phase: str) -> dict[str, Any]:
        """Wait for a phase and return its line; end early when it can no longer come."""

        def reached() -> bool:
            over = self.process.poll() is not None
            has_begun = phase in self.phases()
            assert has_begun or not over, f"ended without {phase}: {self.phases()}"
            return has_begun

        wait_until(reached, phase)
        return next(line for line in json_lines(self.log) if line["phase"] == phase)

    def wait_for_end(self) -> int:
        return self.process.wait(timeout=DEADLINE_S)

    def get(self, path: str) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def is_open(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def children(self) -> list[int]:
        pid = self.process.pid
        return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def run_client(
    program: Path,
    arguments: Sequence[str],
    enough: Callable[[list[dict[str, Any]]], bool],
    log: Path,
) -> list[dict[str, Any]]:
    """Let the client write down enough, stop it as docker does, and return its lines."""
    command = [str(program), "client", *arguments]
    with (
        log.open("wb") as stdout,
        subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE) as client,
    ):
        try:

            def written() -> bool:
                assert client.poll() is None, client.communicate()[1].decode()
                return enough(json_lines(log))

            wait_until(written, "enough requests")
            client.terminate()
            _, errors = client.communicate(timeout=DEADLINE_S)
        finally:
            client.kill()
    assert (client.returncode, errors) == (0, b"")
    return json_lines(log)


class Partner:
    """A fake server in a thread, on a free port of 127.0.0.1, for as long as the block lasts."""

    def __init__(self, kind: socket.SocketKind) -> None:
        self.socket = socket.socket(socket.AF_INET, kind)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.02)
        self.address = "{}:{}".format(*self.socket.getsockname())
        self.port: int = self.socket.getsockname()[1]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                self.serve_one()
            except (TimeoutError, ConnectionError):
                continue

    def serve_one(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(DEADLINE_S)
        self.socket.close()


class Nameserver(Partner):
    """Answers each query with the datagrams that `reply` makes of it."""

    def __init__(self, reply: Callable[[bytes], list[bytes]]) -> None:
        super().__init__(socket.SOCK_DGRAM)
        self.reply = reply
        self.queries: list[bytes] = []

    def serve_one(self) -> None:
        query, client = self.socket.recvfrom(4096)
        self.queries.append(query)
        for datagram in self.reply(query):
            self.socket.sendto(datagram, client)


class RawServer(Partner):
    """Answers each connection with fixed bytes, then closes it; None: says nothing and keeps it."""

    def __init__(self, answer: bytes | None) -> None:
        super().__init__(socket.SOCK_STREAM)
        self.answer = answer
        self.kept: list[socket.socket] = []
        self.socket.listen()

    def serve_one(self) -> None:
        connection, _ = self.socket.accept()
        if self.answer is None:
            self.kept.append(connection)
            return
        with connection:
            connection.settimeout(DEADLINE_S)
            connection.recv(4096)
            connection.sendall(self.answer)

    def __exit__(self, *arguments: object) -> None:
        super().__exit__(*arguments)
        for connection in self.kept:
            connection.close()
