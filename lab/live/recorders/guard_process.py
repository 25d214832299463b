"""A program that waits for a deploy, as a CI runs it: around the command that deploys.

It is given a deploy command that does nothing but wait until somebody else's deploy was taken by
the swarm, so several waiters can be held to one and the same deploy.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from stamplab.lab.live.recorders.program import ProgramRecorder
from stamplab.lab.model.history import HistoryWriter, Note

_BEGUN = "the deploy may begin"
_UNTIL_TOLD = ("import sys", f"print({_BEGUN!r}, file=sys.stderr, flush=True)", "sys.stdin.read()")
"""Says that its waiter has taken whatever it compares with, and returns at the end of its input."""


class Waiter(ProgramRecorder):
    """Runs ``argv``, a deploy command behind ``--``; its words are those on its standard output.

    If there are none, they are those on the other one.
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
        """Start it; its records go by ``name``. Raises LabError when it cannot be run."""
        self.has_begun = False
        """Whether it waits for the deploy; or it has ended before, and said why."""
        self._stack = stack
        deploy = (sys.executable, "-I", "-S", "-c", "; ".join(_UNTIL_TOLD))
        super().__init__(name, history, (*argv, "--", *deploy), environment, follows="stderr")

    def hear(self, line: str, *, is_first: bool) -> None:
        """The deploy command's line says that it waits."""
        del is_first
        if line.strip() == _BEGUN:
            self.has_begun = True
            self.history.append(self.source, Note(text=f"{self._stack}: {self.source} waits"))

    def words(self, lines: Sequence[str], kept: str) -> str:
        """Its standard output, or what else it has said."""
        return kept or "".join(line for line in lines if line.strip() != _BEGUN)

    def ended(self, exit_code: int, output: str, *, has_spoken: bool) -> None:
        """Nobody is to wait for its beginning any more."""
        del exit_code, output, has_spoken
        self.has_begun = True

    def deployed(self) -> None:
        """Tell it that the swarm has taken the deploy."""
        self.close_input()
