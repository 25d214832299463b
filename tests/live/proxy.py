"""A proxy between a client and an engine: it writes down every request, and can cut what streams.

It carries bytes both ways; of what the client sends it reads the request lines. The engine's API
has no bodies in what is asked by GET, so a line that is none would stand out.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_REQUEST = re.compile(rb"^([A-Z]+) (\S+) HTTP/1\.1\r\n", re.MULTILINE)
_BYTES = 65536


class Proxy:
    """What was asked, and the streams that are open."""

    def __init__(self, address: str, engine: str) -> None:
        self.address = address
        self.requests: list[tuple[str, str]] = []
        """Method and path, in order."""
        self.cuts = 0
        self._engine = engine.removeprefix("unix://")
        self._streams: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()

    @property
    def methods(self) -> set[str]:
        return {method for method, _ in self.requests}

    def cut_streams(self) -> int:
        """Cut every stream of events in the middle; return how many there were."""
        with self._lock:
            streams, self._streams = self._streams, []
        for pair in streams:
            for connection in pair:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.cuts += len(streams)
        return len(streams)

    def carry(self, client: socket.socket) -> None:
        engine = socket.socket(socket.AF_UNIX)
        try:
            engine.connect(self._engine)
        except OSError:
            client.close()
            return
        pair = (client, engine)
        for source, target, reads in ((client, engine, True), (engine, client, False)):
            threading.Thread(
                target=self._pump, args=(source, target, pair, reads), daemon=True
            ).start()

    def _pump(
        self,
        source: socket.socket,
        target: socket.socket,
        pair: tuple[socket.socket, socket.socket],
        reads: bool,
    ) -> None:
        with suppress(OSError):
            while data := source.recv(_BYTES):
                if reads:
                    self._note(data, pair)
                target.sendall(data)
        for connection in pair:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _note(self, data: bytes, pair: tuple[socket.socket, socket.socket]) -> None:
        matches = _REQUEST.findall(data)
        assert matches, f"what is sent here begins no request: {data[:100]!r}"
        for method, path in matches:
            self.requests.append((method.decode(), path.decode()))
            if b"/events" in path:
                with self._lock:
                    self._streams.append(pair)


@contextmanager
def proxied(engine: str, folder: Path) -> Iterator[Proxy]:
    """A proxy in front of an engine's socket."""
    path = folder / "proxy.sock"
    proxy = Proxy(f"unix://{path}", engine)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=_serve, args=(listener, proxy), daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            path.unlink()


def _serve(listener: socket.socket, proxy: Proxy) -> None:
    with suppress(OSError):
        while True:
            proxy.carry(listener.accept()[0])
