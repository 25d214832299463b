"""TLS in front of an engine's socket, as ``dockerd --tlsverify`` has it: both say who they are.

The daemon itself cannot be reached by TCP here: it is in a network namespace of its own.
"""

from __future__ import annotations

import asyncio
import queue
import shutil
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.certificate import CERT, KEY

_BYTES = 65536


def certificates(folder: Path) -> Path:
    """A folder for DOCKER_CERT_PATH."""
    shutil.copy(CERT, folder / "ca.pem")
    shutil.copy(CERT, folder / "cert.pem")
    shutil.copy(KEY, folder / "key.pem")
    return folder


@contextmanager
def by_tls(engine: str) -> Iterator[str]:
    """The engine on a port of this machine, for whoever shows the certificate."""
    began: queue.SimpleQueue[tuple[int, Callable[[], object]]] = queue.SimpleQueue()
    thread = threading.Thread(target=asyncio.run, args=(_serve(engine, began),), daemon=True)
    thread.start()
    port, stop = began.get(timeout=10)
    try:
        yield f"tcp://localhost:{port}"
    finally:
        stop()
        thread.join()


async def _serve(engine: str, began: queue.SimpleQueue[tuple[int, Callable[[], object]]]) -> None:
    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_unix_connection(engine.removeprefix("unix://"))
        await asyncio.gather(_pump(reader, forth), _pump(back, writer))

    loop, over = asyncio.get_running_loop(), asyncio.Event()
    server = await asyncio.start_server(carry, "127.0.0.1", 0, ssl=_mutual())
    began.put((server.sockets[0].getsockname()[1], lambda: loop.call_soon_threadsafe(over.set)))
    await over.wait()
    server.close()


def _mutual() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERT, KEY)
    context.load_verify_locations(CERT)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(_BYTES):
            target.write(data)
            await target.drain()
    except OSError:
        return  # whoever it was has gone; the other side is told by the end below
    finally:
        target.close()
