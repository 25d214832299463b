"""``stamplab guard`` as a CI runs it: around a deploy command.

The deploy command only waits until the swarm has taken another client's deploy, so that the guard
and that client are judged by one and the same deploy.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from stamplab.lab.live.recorders.program import ProgramRecorder
from stamplab.lab.model.history import Note
from stamplab.lab.model.history_file import HistoryWriter

_BEGUN = "the deploy may begin"
_UNTIL_TOLD = ("import sys", f"print({_BEGUN!r}, file=sys.stderr, flush=True)", "sys.stdin.read()")
"""The deploy command: says that the guard has its baseline, and ends at the end of its input."""


class GuardProcess(ProgramRecorder):
    """Runs ``argv`` with the deploy command behind ``--``; records its standard output.

    Where that is empty, its standard error is recorded.
    """

    def __init__(
        self,
        history: HistoryWriter,
        argv: Sequence[str],
        environment: Mapping[str, str],
        *,
        stack: str,
        name: str,
    ) -> None:
        """Start the guard; ``name`` is the source of its records. Raises LabError."""
        self.has_begun = False
        """Whether the guard waits for the deploy, or has ended before."""
        self._stack = stack
        # Client and guard judge one deploy (ADR 0045).
        deploy = (sys.executable, "-I", "-S", "-c", "; ".join(_UNTIL_TOLD))
        super().__init__(name, history, (*argv, "--", *deploy), environment, follows="stderr")

    def on_line(self, line: str, *, is_first: bool) -> None:
        """Take note of the line by which the deploy command says that the guard is ready."""
        del is_first
        if line.strip() == _BEGUN:
            self.has_begun = True
            text = f"{self._stack}: {self.source} waits"
            self.history.append(self.source, Note(text=text, stack=self._stack))

    def output_of(self, lines: Sequence[str], kept: str) -> str:
        """Return the guard's standard output, else its standard error."""
        return kept or "".join(line for line in lines if line.strip() != _BEGUN)

    def on_exit(self, exit_code: int, output: str, *, has_output: bool) -> None:
        """Take note of an end before the deploy: nobody is to wait for the guard any more."""
        del exit_code, output, has_output
        self.has_begun = True

    def deployed(self) -> None:
        """End the deploy command: the swarm has taken the deploy."""
        self.close_input()
