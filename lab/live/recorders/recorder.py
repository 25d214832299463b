"""The base of all recorders: a thread, a stop signal, and a record of its loss."""

from __future__ import annotations

import threading
from collections.abc import Callable

from stamplab.lab.errors import LabError
from stamplab.lab.model.history import RecorderLost
from stamplab.lab.model.history_file import HistoryWriter


class Recorder(threading.Thread):
    """A thread that records until it is stopped; where it ends before, the history says why.

    `stop` alone stops a recorder; it calls ``interrupt``, which must end whatever `record` awaits.
    """

    def __init__(self, name: str, history: HistoryWriter, interrupt: Callable[[], None]) -> None:
        super().__init__(name=f"recorder {name}", daemon=True)
        self.source = name
        self.history = history
        self.stopping = threading.Event()
        self._interrupt = interrupt

    def record(self) -> None:
        """Record until `stopping` is set."""
        raise NotImplementedError

    def run(self) -> None:
        """Record; write a failure into the history, because it may hide what happened next."""
        try:
            self.record()
            reason = "it ended by itself"
        except BaseException as error:  # noqa: BLE001 - a thread's end must reach the history
            reason = f"{type(error).__name__}: {error}"
        if not self.stopping.is_set():
            self.history.append(self.source, RecorderLost(recorder=self.source, reason=reason))
            self.history.fail(LabError(f"the recorder of {self.source} was lost: {reason}"))

    def stop(self) -> None:
        """Stop the thread and wait for its end. Raises LabError when it does not end."""
        self.stopping.set()
        self._interrupt()
        self.join(timeout=20)
        if self.is_alive():
            raise LabError(f"the recorder of {self.source} does not stop")
