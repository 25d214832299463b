"""A running program that answers each line of its input with a line of output."""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from stamplab.lab.errors import LabError

ANSWER_TIMEOUT_S = 60.0
_END_TIMEOUT_S = 10.0
_CHUNK_BYTES = 1 << 16
_LAST_WORDS_BYTES = 2000


class JsonlProcess:
    """Starts the program with the first question, and again after a failure.

    The program ends when its input does: by `end`, with this object, or when this process is
    killed. Only one thread at a time may call `ask`.
    """

    def __init__(
        self,
        program: Path,
        environment: Mapping[str, str] | None = None,
        timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        """Run ``program`` with ``environment`` as its whole environment."""
        self._program = program
        self._environment = dict(environment or {})
        self._timeout_s = timeout_s
        self._running: StartedProcess | None = None

    def ask(self, line: bytes) -> bytes:
        """Send a line without its newline; return the answer without its newline.

        Raises LabError where the program does not start, does not answer in time, or ends.
        """
        if self._running is None:
            self._running = StartedProcess(self._program, self._environment)
        try:
            return self._running.ask(line, self._timeout_s)
        except LabError:
            self.end()
            raise

    def end(self) -> None:
        """End the program; a later question starts it again."""
        if self._running:
            self._running.end()
            self._running = None


class StartedProcess:
    """A program that runs until `end`, or with this object; after a failure it does not answer."""

    def __init__(self, program: Path, environment: Mapping[str, str] | None = None) -> None:
        """Start the program, in this process's own environment if none is given."""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - _end closes it
        try:
            self._process = subprocess.Popen(
                [program.absolute()],
                env=environment,
                cwd="/",
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                process_group=0,  # Ctrl-C must reach this process only, which ends the program
            )
        except OSError as error:
            self._errors.close()
            raise LabError(f"{program} cannot be run: {error.strerror}") from error
        self._name = program.name
        self.pid = self._process.pid
        self._question_fd, self._answer_fd = (
            pipe.fileno() for pipe in (self._process.stdin, self._process.stdout) if pipe
        )
        os.set_blocking(self._question_fd, False)
        self._pending = b""
        self.end = weakref.finalize(self, _end, self._process, self._errors)

    def ask(self, line: bytes, timeout_s: float) -> bytes:
        """Send a line without its newline; return the answer without its newline.

        Raises LabError where the program ends, or is killed because it does not answer in time.
        """
        deadline_s = time.monotonic() + timeout_s
        question = line + b"\n"
        while question:
            try:
                question = question[os.write(self._question_fd, question) :]
            except BlockingIOError:
                self._wait([], [self._question_fd], deadline_s, timeout_s)
            except BrokenPipeError as error:
                raise self._death() from error
        while b"\n" not in self._pending:
            self._wait([self._answer_fd], [], deadline_s, timeout_s)
            chunk = os.read(self._answer_fd, _CHUNK_BYTES)
            if not chunk:
                raise self._death()
            self._pending += chunk
        answer, _, self._pending = self._pending.partition(b"\n")
        return answer

    def _wait(
        self, readable: list[int], writable: list[int], deadline_s: float, timeout_s: float
    ) -> None:
        """Wait for a pipe; kill the program at the deadline of the whole question."""
        left_s = max(0.0, deadline_s - time.monotonic())
        if not any(select.select(readable, writable, [], left_s)):
            self.kill()  # a late answer must not be read as the next one
            raise LabError(f"{self._name} has not answered for {timeout_s:g} s")

    def kill(self) -> None:
        """Kill the program; every later question is an error."""
        self._process.kill()
        self._process.wait()

    def _death(self) -> LabError:
        code = _exit_code(self._process)
        self._errors.seek(0)
        message = self._errors.read(_LAST_WORDS_BYTES).decode(errors="replace").strip()
        return LabError(
            f"{self._name} ended by itself (exit code {code}): {message or 'no message'}"
        )


def _end(process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
    for pipe in (process.stdin, process.stdout, errors):
        if pipe is not None:
            pipe.close()
    _exit_code(process)


def _exit_code(process: subprocess.Popen[bytes]) -> int:
    """Wait for the process to end, kill it if it does not; return its exit code."""
    try:
        return process.wait(_END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
