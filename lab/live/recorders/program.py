"""Records a program that runs beside the lab: its output and its end."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from stamplab.lab.errors import LabError
from stamplab.lab.live.recorders.recorder import Recorder
from stamplab.lab.model.history import CommandRan
from stamplab.lab.model.history_file import HistoryWriter

_ENDS_S = 10.0


class ProgramRecorder(Recorder):
    """Runs a program; follows one of its streams line by line, and keeps the other to the end.

    `CommandRan` is recorded at the program's end; of a killed program with a negative exit code.
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
        super().__init__(name, history, self.kill)

    def record(self) -> None:
        """Follow the stream to its end and record `CommandRan`; then wait to be stopped."""
        assert self._followed is not None  # noqa: S101 - a pipe was asked for
        lines: list[str] = []
        with self._followed as stream:
            for line in stream:
                self.on_line(line, is_first=not lines)
                lines.append(line)
        exit_code = self._process.wait(_ENDS_S)
        took_s = round(time.monotonic() - self._started_s, 6)
        with self._kept as kept:
            kept.seek(0)
            output = self.output_of(lines, kept.read().decode(errors="replace"))
        self.on_exit(exit_code, output, has_output=bool(lines))
        ran = CommandRan(
            argv=self.argv, exit_code=exit_code, took_s=took_s, output=output, by=self._by
        )
        self.history.append(self.source, ran)
        self.stopping.wait()

    def on_line(self, line: str, *, is_first: bool) -> None:
        """Handle a line of the followed stream, as soon as it is read."""

    def output_of(self, lines: Sequence[str], kept: str) -> str:
        """Return the output to be recorded."""
        return "".join(lines) + kept

    def on_exit(self, exit_code: int, output: str, *, has_output: bool) -> None:
        """Handle the program's end, before `CommandRan` is recorded."""

    def close_input(self) -> None:
        """Close the program's standard input."""
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        self._process.stdin.close()

    def signal(self, number: int) -> None:
        """Send a signal, if the program still runs."""
        if self._process.poll() is None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """Kill the program, if it still runs, before it reads the end of its input."""
        if self._process.poll() is None:
            self._process.kill()
        self.close_input()
