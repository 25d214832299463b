"""A bridge to an engine behind ssh, as a socket of this machine.

Each connection is one ``ssh … docker system dial-stdio``, as the docker client itself makes it
(docker/cli v28.5.2 cli/connhelper/connhelper.go), so the user's own ssh settings, keys and agent
hold. The SDK would want paramiko, which knows only a part of those settings.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from stamplab.lab.errors import LabError, UsageError

_END_TIMEOUT_S = 2.0


def ssh_command(url: str) -> tuple[str, ...]:
    """Return the command that reaches the engine behind an ssh:// address. Raises UsageError."""
    parts = urlsplit(url)
    host = parts.hostname
    if not host or parts.password or parts.query or parts.fragment:
        raise UsageError(
            f"{url} is no address of an engine behind ssh: it is ssh://[USER@]HOST[:PORT][/SOCKET]"
        )
    user = ("-l", parts.username) if parts.username else ()
    port = ("-p", str(parts.port)) if parts.port else ()
    at = (f"--host=unix://{parts.path}",) if parts.path.strip("/") else ()
    options = (*user, *port, "-o", "ConnectTimeout=30", "-T", "--", host)
    return ("ssh", *options, "docker", *at, "system", "dial-stdio")


class SshBridge:
    """A unix socket; an ssh of its own carries each connection. Close it."""

    def __init__(self, url: str) -> None:
        self._command = ssh_command(url)
        if shutil.which(self._command[0]) is None:
            raise LabError(f"{url} needs the program ssh, and there is none on PATH")
        self._folder = Path(tempfile.mkdtemp(prefix="stamplab-ssh-"))
        self._stderr = self._folder / "stderr"
        self._stderr.touch()
        self._children: list[subprocess.Popen[bytes]] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._folder / "s"))
        self.address = f"unix://{self._folder / 's'}"
        """The address on this machine that leads to the engine."""
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, name="ssh bridge", daemon=True)
        self._thread.start()

    @property
    def last_words(self) -> str:
        """The last line of ssh's error output; empty if there is none."""
        lines = self._stderr.read_text(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""

    def close(self) -> None:
        """End every ssh that was started, and leave nothing."""
        with suppress(OSError):  # a listener that nobody talks to has nothing to shut down
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(_END_TIMEOUT_S)
        for child in self._children:
            child.terminate()
        for child in self._children:
            try:
                child.wait(_END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # closed
            with connection, self._stderr.open("ab") as stderr:
                self._carry(connection, stderr)

    def _carry(self, connection: socket.socket, stderr: BinaryIO) -> None:
        self._children = [child for child in self._children if child.poll() is None]
        try:
            child = subprocess.Popen(
                self._command,
                stdin=connection.fileno(),
                stdout=connection.fileno(),
                stderr=stderr,
                start_new_session=True,  # Ctrl-C ends the deploy, whose end is still to be seen
            )
        except OSError as error:
            stderr.write(f"ssh cannot be run: {error.strerror}\n".encode())
            return
        self._children.append(child)
