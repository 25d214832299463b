"""A running program that answers each line of its input with a line of output."""

from __future__ import annotations

import subprocess
import tempfile
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from stamplab.lab.errors import LabError

_ANSWER_TIMEOUT_S = 60.0
_END_TIMEOUT_S = 5.0
_FIRST_WORDS_BYTES = 500


class JsonlProcess:
    """Starts the program with the first question, and again after a failure.

    The program ends when its input does: by `end`, with this object, or when this process is
    killed. Only one thread at a time may call `ask`.
    """

    def __init__(
        self,
        program: Path,
        environment: Mapping[str, str] | None = None,
        timeout_s: float = _ANSWER_TIMEOUT_S,
    ) -> None:
        """Run ``program`` with ``environment`` as its whole environment."""
        self._program = program
        self._environment = dict(environment or {})
        self._timeout_s = timeout_s
        self._running: _StartedProcess | None = None

    def ask(self, line: bytes) -> bytes:
        """Send a line without its newline; return the answer with its newline.

        Raises LabError where the program does not start, does not answer in time, or ends.
        """
        if self._running is None:
            self._running = _StartedProcess(self._program, self._environment)
        answer = self._running.ask(line, self._timeout_s)
        if not answer:
            end = self._running.end()
            self._running = None
            raise LabError(
                f"{self._program.name} gave no answer within {self._timeout_s:g} s: {end}"
            )
        return answer

    def end(self) -> None:
        """End the program; a later question starts it again."""
        if self._running:
            self._running.end()
            self._running = None


class _StartedProcess:
    def __init__(self, program: Path, environment: dict[str, str]) -> None:
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - _end closes it
        try:
            process = subprocess.Popen(
                [program],
                env=environment,
                cwd="/",
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                process_group=0,  # Ctrl-C must reach this process only, which ends the program
            )
        except OSError as error:
            errors.close()
            raise LabError(f"{program} cannot be run: {error.strerror}") from error
        self._process = process
        self.end = weakref.finalize(self, _end, process, errors)

    def ask(self, line: bytes, timeout_s: float) -> bytes:
        """Return the answer; b"" where the program has ended or was killed for being late."""
        assert self._process.stdin  # noqa: S101 - both are pipes
        assert self._process.stdout  # noqa: S101
        deadline = threading.Timer(timeout_s, self._process.kill)
        deadline.start()
        try:
            self._process.stdin.write(line + b"\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            return b""
        finally:
            deadline.cancel()
        return answer if answer.endswith(b"\n") else b""


def _end(process: subprocess.Popen[bytes], errors: IO[bytes]) -> str:
    """End the program, by force after a while; describe its end."""
    try:
        process.communicate(timeout=_END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    with errors:
        errors.seek(0)
        message = errors.read(_FIRST_WORDS_BYTES).decode(errors="replace").strip()
    return f"it ended with {process.returncode}, and said {message or 'nothing'}"
