"""A program that runs while the lab goes on: its words and its end are a part of the history."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from stamplab.lab.errors import LabError
from stamplab.lab.live.recorders.recorder import Recorder
from stamplab.lab.model.history import CommandRan, HistoryWriter

_ENDS_S = 10.0


class ProgramRecorder(Recorder):
    """Runs a program; follows one of its streams line by line, and keeps the other to its end.

    `CommandRan` is put down when it has ended. Whoever gives up on it sees a negative exit code.
    """

    def __init__(
        self,
        name: str,
        history: HistoryWriter,
        argv: Sequence[str],
        environment: Mapping[str, str],
        *,
        follows: Literal["stdout", "stderr"],
        program: Path | None = None,
        folder: Path | None = None,
        by: str = "",
    ) -> None:
        """``program`` is what ``argv[0]`` stands for. Raises LabError when it cannot be run."""
        self.argv = tuple(argv)
        self._by = by
        self._started_s = time.monotonic()
        self._kept = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        try:
            self._process = subprocess.Popen(
                [str(program or argv[0]), *argv[1:]],
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if follows == "stdout" else self._kept,
                stderr=subprocess.PIPE if follows == "stderr" else self._kept,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            self._kept.close()
            raise LabError(f"{argv[0]} cannot be run: {error.strerror}") from error
        self._followed = self._process.stdout if follows == "stdout" else self._process.stderr
        super().__init__(name, history, self.give_up)

    def record(self) -> None:
        """Follow what it says, to its end; then wait to be stopped."""
        assert self._followed is not None  # noqa: S101 - a pipe was asked for
        lines: list[str] = []
        with self._followed as said:
            for line in said:
                self.hear(line, is_first=not lines)
                lines.append(line)
        exit_code = self._process.wait(_ENDS_S)
        took_s = round(time.monotonic() - self._started_s, 6)
        with self._kept as kept:
            kept.seek(0)
            output = self.words(lines, kept.read().decode(errors="replace"))
        self.ended(exit_code, output, has_spoken=bool(lines))
        ran = CommandRan(
            argv=self.argv, exit_code=exit_code, took_s=took_s, output=output, by=self._by
        )
        self.history.append(self.source, ran)
        self.stopping.wait()

    def hear(self, line: str, *, is_first: bool) -> None:
        """Take in a line of the followed stream, as soon as it is there."""

    def words(self, lines: Sequence[str], kept: str) -> str:
        """Say what of all its words is to be put down."""
        return "".join(lines) + kept

    def ended(self, exit_code: int, output: str, *, has_spoken: bool) -> None:
        """Take in its end, before that is put down."""

    def close_input(self) -> None:
        """Let it come to the end of its input."""
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        self._process.stdin.close()

    def signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self._process.poll() is None:
            self._process.send_signal(number)

    def give_up(self) -> None:
        """End it, if it still waits, in a way that it cannot take for an answer."""
        if self._process.poll() is None:
            self._process.kill()
        self.close_input()
