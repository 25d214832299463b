"""Records ``docker events``."""

from __future__ import annotations

from collections.abc import Callable

import docker

from stamplab.lab.live.api import fetch
from stamplab.lab.live.recorders.recorder import Recorder
from stamplab.lab.model.engine_json import Happened, read_container, read_event
from stamplab.lab.model.history_file import HistoryWriter
from stamplab.lab.support.clock import WorldClock

_KINDS = ["service", "container", "node"]
_NANOSECONDS = 1e9


class EventRecorder(Recorder):
    """Records each event; inspects each dead container before the engine can remove it."""

    def __init__(
        self,
        api: docker.APIClient,
        inspector: docker.APIClient,
        history: HistoryWriter,
        clock: WorldClock,
        on_event: Callable[[], None],
    ) -> None:
        self._stream = api.events(decode=True, filters={"type": _KINDS})
        super().__init__("events", history, self._stream.close)
        self._inspector = inspector
        self._clock = clock
        self._on_event = on_event

    def record(self) -> None:
        """Follow the stream to its end."""
        for item in self._stream:
            happened = read_event(item)
            event = happened.event
            if event.action.startswith("exec_"):
                continue  # health checks, several a second; their outcome has an event of its own
            self._note(happened)
            self._on_event()
            if event.kind == "container" and event.action == "die":
                self._note_end(event.actor_id)

    def _note(self, happened: Happened) -> None:
        happened_s = self._clock.of_unix(happened.unix_ns / _NANOSECONDS)
        self.history.append(self.source, happened.event, happened_s)

    def _note_end(self, container_id: str) -> None:
        answer = fetch(self._inspector, f"containers/{container_id}/json")
        if answer is None:
            return  # removed already: the die event's own exit code is all there is
        container = read_container(answer)
        finished_s = self._clock.of_unix(container.finished_unix_s)
        self.history.append(self.source, container.ended(self._clock), finished_s)
