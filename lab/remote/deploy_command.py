"""Runs a deploy command in a process group of its own, and ends the group as a whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from stamplab.lab.errors import SIGNAL_EXIT_BASE

_END_TIMEOUT_S = 5.0
_STDERR = 2
_CANNOT_RUN = 127
"""What a shell gives for a command that is not there."""


class DeployCommand:
    """A command that runs from its construction on; its output passes through.

    ``on_end`` is called once, at its end. Its exit code is a shell's: 128 + n where signal n ended
    it, 127 where it could not be run.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        timeout_s: float,
        on_end: Callable[[DeployCommand], None],
        *,
        output_to_stderr: bool = False,
    ) -> None:
        self._on_end = on_end
        self._timeout_s = timeout_s
        self._began_s = time.monotonic()
        self.argv = tuple(argv)
        self.exit_code: int | None = None
        self.took_s = 0.0
        self.problem = ""
        """Why the command could not be run, or did not end by itself; empty where it did."""
        self._terminal: int | None = None
        self._had_terminal = False
        try:
            self._process: subprocess.Popen[bytes] | None = subprocess.Popen(
                argv,
                env=dict(environment),
                stdout=_STDERR if output_to_stderr else None,
                process_group=0,
            )
        except OSError as error:
            self._process = None
            self.problem = f"{argv[0]} cannot be run: {error.strerror}"
            self._end(_CANNOT_RUN)
            return
        self._lend_terminal()
        threading.Thread(target=self._wait, name="deploy command", daemon=True).start()

    @property
    def was_interrupted(self) -> bool:
        """Whether Ctrl-C ended the command: with the terminal it gets Ctrl-C in our place."""
        return self._had_terminal and self.exit_code == SIGNAL_EXIT_BASE + signal.SIGINT

    def kill(self) -> None:
        """End the command's whole process group: by SIGTERM, then by SIGKILL."""
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):  # it is killed next
            self._process.wait(_END_TIMEOUT_S)
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._take_back_terminal()

    def _wait(self) -> None:
        assert self._process is not None  # noqa: S101 - this thread was started for it
        try:
            code = self._process.wait(self._timeout_s)
        except subprocess.TimeoutExpired:
            self.problem = f"it did not return within {self._timeout_s:.1f} s and was killed"
            self.kill()
            code = self._process.wait()
        self._take_back_terminal()
        self._end(code if code >= 0 else SIGNAL_EXIT_BASE - code)

    def _end(self, code: int) -> None:
        self.exit_code = code
        self.took_s = time.monotonic() - self._began_s
        self._on_end(self)

    def _signal(self, number: int) -> None:
        assert self._process is not None  # noqa: S101 - the caller has checked
        with suppress(ProcessLookupError):  # the whole group has ended
            os.killpg(self._process.pid, number)

    def _lend_terminal(self) -> None:
        """Make the group the terminal's foreground one, if there is a terminal.

        Only the foreground group may read there, and a deploy may ask for a password.
        """
        assert self._process is not None  # noqa: S101 - just started
        try:
            if not sys.stdin.isatty() or os.tcgetpgrp(0) != os.getpgrp():
                return
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # or taking it back would stop us
            os.tcsetpgrp(0, self._process.pid)
        except (OSError, ValueError):
            return  # the command goes on without the terminal
        self._terminal = os.getpgrp()
        self._had_terminal = True
        self._signal(signal.SIGCONT)  # it may have tried to read already, and been stopped

    def _take_back_terminal(self) -> None:
        if self._terminal is not None:
            with suppress(OSError):  # the terminal has gone
                os.tcsetpgrp(0, self._terminal)
            self._terminal = None
