"""A program that waits for a deploy, as a CI runs it: around the command that deploys.

It is given a deploy command that does nothing but wait until somebody else's deploy was taken by
the swarm, so several waiters can be held to one and the same deploy. What it says is a part of what
happened, so it is recorded like everything else.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence

from lab.errors import LabError
from lab.history import CommandRan, HistoryWriter, Note
from lab.live.recorders.recorder import Recorder

_BEGUN = "the deploy may begin"
_UNTIL_TOLD = ("import sys", f"print({_BEGUN!r}, file=sys.stderr, flush=True)", "sys.stdin.read()")
"""Says that its waiter has taken whatever it compares with, and returns at the end of its input."""
_ENDS_S = 10.0


class Waiter(Recorder):
    """Runs ``argv``, a deploy command behind ``--``; `CommandRan` is put down at its end.

    Its words are those on its standard output, or if there are none, those on the other one.
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
        deploy = (sys.executable, "-I", "-S", "-c", "; ".join(_UNTIL_TOLD))
        self.argv = (*argv, "--", *deploy)
        self.has_begun = False
        """Whether it waits for the deploy; or it has ended before, and said why."""
        self._stack = stack
        self._started_s = time.monotonic()
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        try:
            self._process = subprocess.Popen(
                self.argv,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=self._words,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            self._words.close()
            raise LabError(f"{argv[0]} cannot be run: {error.strerror}") from error
        super().__init__(name, history, self.give_up)

    def record(self) -> None:
        """Follow what it says, to its end; then wait to be stopped."""
        assert self._process.stderr is not None  # noqa: S101 - a pipe was asked for
        said: list[str] = []
        with self._process.stderr as lines:
            for line in lines:
                if line.strip() == _BEGUN:
                    self._begin()
                else:
                    said.append(line)
        exit_code = self._process.wait(_ENDS_S)
        took_s = round(time.monotonic() - self._started_s, 6)
        with self._words as words:
            words.seek(0)
            output = words.read().decode(errors="replace") or "".join(said)
        ran = CommandRan(argv=self.argv, exit_code=exit_code, took_s=took_s, output=output)
        self.has_begun = True
        self.history.append(self.source, ran)
        self.stopping.wait()

    def deployed(self) -> None:
        """Tell it that the swarm has taken the deploy."""
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        self._process.stdin.close()

    def give_up(self) -> None:
        """End it, if it still waits, and then what it has started."""
        if self._process.poll() is None:
            self._process.kill()
        self.deployed()

    def _begin(self) -> None:
        self.has_begun = True
        self.history.append(self.source, Note(text=f"{self._stack}: {self.source} waits"))
