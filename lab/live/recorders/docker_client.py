"""A docker client that deploys and then waits, by ``--detach=false``, as in a CI.

The client's output is evidence, so it is recorded.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from stamplab.lab.live.recorders.program import ProgramRecorder
from stamplab.lab.model.history import Deployed
from stamplab.lab.model.history_file import HistoryWriter


class DockerClientProcess(ProgramRecorder):
    """Runs one ``docker service create`` or ``update``, and records how the client's wait ends.

    The client prints the service's name or id as soon as the swarm has taken the change (docker/cli
    cli/command/service/update.go), and waits after that: so `Deployed` is recorded at the first
    line, and `CommandRan` at the end.
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
        self._stack = stack
        super().__init__(
            f"client of {stack}",
            history,
            argv,
            environment,
            follows="stdout",
            program=program,
            folder=folder,
            by=by,
        )
        self.close_input()

    def on_line(self, line: str, *, is_first: bool) -> None:
        """Record `Deployed` at the first line, by which the swarm has taken the change."""
        if is_first:
            self._note_deployed(0, line)

    def output_of(self, lines: Sequence[str], kept: str) -> str:
        """Return the output, without the progress lines that the client repeats."""
        return "".join(line for line, _ in groupby(lines)) + kept

    def on_exit(self, exit_code: int, output: str, *, has_output: bool) -> None:
        """Record a failed `Deployed` for a client that has printed no line."""
        if not has_output:
            self._note_deployed(exit_code or 1, output)

    def interrupt(self) -> None:
        """Interrupt the client as Ctrl-C does."""
        self.signal(signal.SIGINT)

    def _note_deployed(self, exit_code: int, output: str) -> None:
        deployed = Deployed(stack=self._stack, exit_code=exit_code, output=output.strip())
        self.history.append(self.source, deployed)
