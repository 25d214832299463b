"""Records OOM kills in the lab's group, from the kernel log."""

from __future__ import annotations

import os
import select
from pathlib import Path

from stamplab.lab.cgroup.kernel_log import OomReader, parse_kmsg
from stamplab.lab.errors import NotPossibleHere
from stamplab.lab.live.recorders.recorder import Recorder
from stamplab.lab.model.history import RecorderLost
from stamplab.lab.model.history_file import HistoryWriter
from stamplab.lab.support.clock import WorldClock

_KMSG = Path("/dev/kmsg")
_KMSG_DEVICE = os.makedev(1, 11)
"""Linux allocated devices (kernel: Documentation/admin-guide/devices.txt)."""
_RECORD_MAX_BYTES = 8192
_WAIT_S = 0.2


def open_kernel_log() -> int:
    """Open the kernel log at its end, non-blocking. Raises NotPossibleHere."""
    try:
        descriptor = os.open(_KMSG, os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(descriptor, 0, os.SEEK_END)
    except OSError as error:
        raise NotPossibleHere(
            f"{_KMSG} cannot be read ({error.strerror}): without the kernel's log no OOM kill "
            "can be proved; run on the machine itself, not in a container without it"
        ) from error
    if os.fstat(descriptor).st_rdev != _KMSG_DEVICE:
        os.close(descriptor)
        raise NotPossibleHere(
            f"{_KMSG} is not the kernel's log, but what a container has in its place: without the "
            "log no OOM kill can be proved; run on the machine itself"
        )
    return descriptor


class KernelRecorder(Recorder):
    """Records each OOM kill whose victim is one of the lab's containers."""

    def __init__(self, group: str, history: HistoryWriter, clock: WorldClock) -> None:
        super().__init__("kernel log", history, lambda: None)
        self._reader = OomReader(group)
        self._clock = clock
        self._file = open_kernel_log()

    def record(self) -> None:
        """Follow the log until stopped."""
        try:
            while not self.stopping.is_set():
                if select.select([self._file], [], [], _WAIT_S)[0]:
                    self._read_one()
        finally:
            os.close(self._file)

    def _read_one(self) -> None:
        try:
            raw = os.read(self._file, _RECORD_MAX_BYTES)
        except BrokenPipeError:
            # The ring buffer went round before we read it (dev-kmsg: EPIPE): a kill may be lost.
            lost = RecorderLost(recorder=self.source, reason="records were overwritten unread")
            self.history.append(self.source, lost)
            return
        parsed = parse_kmsg(raw)
        kill = self._reader.feed(parsed[1]) if parsed else None
        if parsed and kill:
            self.history.append(self.source, kill, self._clock.of_boot(parsed[0]))
