"""Records the memory of the lab's group and of each container in it."""

from __future__ import annotations

from stamplab.lab.cgroup.group import MemoryGroup
from stamplab.lab.live.recorders.recorder import Recorder
from stamplab.lab.model.history import MemorySample
from stamplab.lab.model.history_file import HistoryWriter

_SAMPLE_EVERY_S = 0.05


class MemoryRecorder(Recorder):
    """Reads the kernel's counters at a fixed rate; a sample equal to the last one is left out."""

    def __init__(self, group: MemoryGroup, history: HistoryWriter) -> None:
        super().__init__("memory", history, lambda: None)
        self._group = group

    def record(self) -> None:
        """Sample until stopped."""
        last: MemorySample | None = None
        while not self.stopping.wait(_SAMPLE_EVERY_S):
            sample = MemorySample(
                usage_bytes=self._group.usage_bytes(),
                limit_bytes=self._group.limit_bytes(),
                containers=self._group.containers(),
                peak_bytes=self._group.peak_bytes(),
                oom_kills=self._group.oom_kills(),
                stalled_s=self._group.stalled_s(),
            )
            if sample != last:
                self.history.append(self.source, sample)
                last = sample
