"""A docker client that deploys and then waits by itself: ``--detach=false``, as a CI would have it.

What it says is a part of what happened, so it is recorded like everything else.
"""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from lab.errors import LabError
from lab.history import CommandRan, Deployed, HistoryWriter
from lab.live.recorders.recorder import Recorder

_ENDS_S = 10.0


class AttachedClient(Recorder):
    """Runs one ``docker service create`` or ``update``, and records how its own wait ends.

    The client prints the service's name or id as soon as the swarm has taken the change (docker/cli
    cli/command/service/update.go), and waits after that: so `Deployed` is put down at its first
    line, and `CommandRan` at its end. Whoever gives up on it sees a negative exit code.
    """

    def __init__(
        self,
        history: HistoryWriter,
        program: Path,
        argv: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        *,
        stack: str,
        by: str,
    ) -> None:
        """``program`` is what ``argv[0]`` stands for. Raises LabError when it cannot be run."""
        self.argv = tuple(argv)
        self._stack = stack
        self._by = by
        self._started_s = time.monotonic()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        try:
            self._process = subprocess.Popen(
                [str(program), *argv[1:]],
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            self._errors.close()
            raise LabError(f"{argv[0]} cannot be run: {error.strerror}") from error
        super().__init__(f"client of {stack}", history, self.give_up)

    def record(self) -> None:
        """Follow what it prints, to its end; then wait to be stopped."""
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        lines: list[str] = []
        with self._process.stdout as printed:
            for line in printed:
                if not lines:
                    self._note_deployed(0, line)
                lines.append(line)
        exit_code = self._process.wait(_ENDS_S)
        self._errors.seek(0)
        # What it prints anew several times a second is one line of it.
        output = "".join(line for line, _ in groupby(lines))
        output += self._errors.read().decode(errors="replace")
        self._errors.close()
        if not lines:
            self._note_deployed(exit_code or 1, output)
        took_s = round(time.monotonic() - self._started_s, 6)
        ran = CommandRan(
            argv=self.argv, exit_code=exit_code, took_s=took_s, output=output, by=self._by
        )
        self.history.append(self.source, ran)
        self.stopping.wait()

    def interrupt(self) -> None:
        """Do what Ctrl-C does to it."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def give_up(self) -> None:
        """End it, if it still waits, in a way that it cannot take for an answer."""
        if self._process.poll() is None:
            self._process.kill()

    def _note_deployed(self, exit_code: int, output: str) -> None:
        deployed = Deployed(stack=self._stack, exit_code=exit_code, output=output.strip())
        self.history.append(self.source, deployed)
