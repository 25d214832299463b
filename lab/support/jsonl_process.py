"""A program that answers each line with a line, kept running: started once, asked many times."""

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


class AnsweringProgram:
    """Starts with the first question, and again where it has failed.

    It ends when its input does: by `end`, with this object, and if we are killed. One thread at a
    time may ask.
    """

    def __init__(
        self,
        program: Path,
        environment: Mapping[str, str] | None = None,
        timeout_s: float = _ANSWER_TIMEOUT_S,
    ) -> None:
        """It gets no environment but the one that is given."""
        self._program = program
        self._environment = dict(environment or {})
        self._timeout_s = timeout_s
        self._running: _Running | None = None

    def ask(self, line: bytes) -> bytes:
        """Give it a line without its end, and return its answer.

        Raises LabError where it does not start, does not answer in time, or ends.
        """
        if self._running is None:
            self._running = _Running(self._program, self._environment)
        answer = self._running.ask(line, self._timeout_s)
        if not answer:
            ended = self._running.end()
            self._running = None
            raise LabError(
                f"{self._program.name} gave no answer within {self._timeout_s:g} s: {ended}"
            )
        return answer

    def end(self) -> None:
        """End it; a later question starts it again."""
        if self._running:
            self._running.end()
            self._running = None


class _Running:
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
                process_group=0,  # Ctrl-C is for us: we end it
            )
        except OSError as error:
            errors.close()
            raise LabError(f"{program} cannot be run: {error.strerror}") from error
        self._process = process
        self.end = weakref.finalize(self, _end, process, errors)

    def ask(self, line: bytes, timeout_s: float) -> bytes:
        """Its answer; empty where it has ended, or had to be because it was late."""
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
    """Let it end, or make it end; say how it did."""
    try:
        process.communicate(timeout=_END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    with errors:
        errors.seek(0)
        said = errors.read(_FIRST_WORDS_BYTES).decode(errors="replace").strip()
    return f"it ended with {process.returncode}, and said {said or 'nothing'}"
