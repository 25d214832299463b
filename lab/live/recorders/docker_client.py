"""A docker client that deploys and then waits by itself: ``--detach=false``, as a CI would have it.

What it says is a part of what happened, so it is recorded like everything else.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from stamplab.lab.live.recorders.program import ProgramRecorder
from stamplab.lab.model.history import Deployed, HistoryWriter


class AttachedClient(ProgramRecorder):
    """Runs one ``docker service create`` or ``update``, and records how its own wait ends.

    The client prints the service's name or id as soon as the swarm has taken the change (docker/cli
    cli/command/service/update.go), and waits after that: so `Deployed` is put down at its first
    line, and `CommandRan` at its end.
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

    def hear(self, line: str, *, is_first: bool) -> None:
        """Its first line says that the swarm has taken the change."""
        if is_first:
            self._note_deployed(0, line)

    def words(self, lines: Sequence[str], kept: str) -> str:
        """What it prints anew several times a second is one line of it."""
        return "".join(line for line, _ in groupby(lines)) + kept

    def ended(self, exit_code: int, output: str, *, has_spoken: bool) -> None:
        """One that ends without a line has deployed nothing."""
        if not has_spoken:
            self._note_deployed(exit_code or 1, output)

    def interrupt(self) -> None:
        """Do what Ctrl-C does to it."""
        self.signal(signal.SIGINT)

    def _note_deployed(self, exit_code: int, output: str) -> None:
        deployed = Deployed(stack=self._stack, exit_code=exit_code, output=output.strip())
        self.history.append(self.source, deployed)
