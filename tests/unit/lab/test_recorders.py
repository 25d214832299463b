"""How recorders end: lost, stopped, or stuck, each of which is said."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn, cast

import docker
import docker.errors
import pytest

from stamplab.lab.errors import LabError
from stamplab.lab.live.recorders.clients import ClientPlan, ClientRecorder
from stamplab.lab.live.recorders.memory import MemoryRecorder
from stamplab.lab.live.recorders.recorder import Recorder
from stamplab.lab.model.history import MemorySample, RecorderLost
from stamplab.lab.model.history_file import HistoryWriter, read_history
from stamplab.lab.support.clock import WorldClock
from tests.unit.lab.fake_group import FakeGroup


class Scripted(Recorder):
    def __init__(self, history: HistoryWriter, script: Callable[[Recorder], object]) -> None:
        super().__init__("scripted", history, lambda: None)
        self._script = script

    def record(self) -> None:
        self._script(self)


def fail_with(error: BaseException) -> Callable[[Recorder], NoReturn]:
    def script(_: Recorder) -> NoReturn:
        raise error

    return script


def loss_reasons(history: HistoryWriter) -> list[str]:
    records = read_history(history.path)[0]
    return [record.what.reason for record in records if isinstance(record.what, RecorderLost)]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (lambda _: None, "it ended by itself"),
        (fail_with(OSError(5, "Input/output error")), "OSError: [Errno 5] Input/output error"),
        (fail_with(LabError("said already")), "LabError: said already"),
        # rich ends the program when the terminal is gone, whichever thread it is that prints.
        (fail_with(SystemExit(1)), "SystemExit: 1"),
    ],
)
def test_a_recorder_that_ends_before_its_time_is_lost_however_it_ended(
    history: HistoryWriter, script: Callable[[Recorder], object], reason: str
) -> None:
    recorder = Scripted(history, script)
    recorder.start()
    recorder.join(20)
    with pytest.raises(LabError, match="the recorder of scripted was lost: "):
        history.take(0)
    assert loss_reasons(history) == [reason]


def test_what_breaks_because_a_recorder_is_stopped_is_no_loss(history: HistoryWriter) -> None:
    def script(recorder: Recorder) -> None:
        recorder.stopping.wait(20)
        raise OSError(9, "Bad file descriptor")

    recorder = Scripted(history, script)
    recorder.start()
    recorder.stop()
    assert history.take(0) is None
    assert loss_reasons(history) == []


def test_a_recorder_that_does_not_stop_is_named(history: HistoryWriter) -> None:
    release = threading.Event()

    class Stuck(Scripted):
        def join(self, timeout: float | None = None) -> None:
            super().join(min(timeout or 0.0, 0.01))

    recorder = Stuck(history, lambda _: release.wait(20))
    recorder.start()
    with pytest.raises(LabError, match="the recorder of scripted does not stop"):
        recorder.stop()
    release.set()
    threading.Thread.join(recorder, 20)


def test_memory_is_recorded_when_it_changes_and_only_then(history: HistoryWriter) -> None:
    sampled = threading.Event()

    class Group(FakeGroup):
        usages = iter((1, 1, 1, 2, 2, 1))

        def usage_bytes(self) -> int:
            usage = next(self.usages, None)
            if usage is None:
                sampled.set()
            return usage or 1

    recorder = MemoryRecorder(Group(), history)
    recorder.start()
    assert sampled.wait(20)
    recorder.stop()
    samples = [record.what for record in read_history(history.path)[0]]
    assert [s.usage_bytes for s in samples if isinstance(s, MemorySample)] == [1, 2, 1]


def test_clients_of_an_absent_service_are_refused(history: HistoryWriter) -> None:
    class Api:
        def inspect_service(self, service: str) -> dict[str, Any]:
            raise docker.errors.NotFound("404", explanation=f"service {service} not found")

    api = cast(docker.APIClient, Api())
    with pytest.raises(LabError, match=r"no client can ask the service shop_app: .*not found"):
        plan = ClientPlan(service="app", port=8080, image="stampload:1")
        ClientRecorder(api, history, WorldClock(), "shop", plan)


def test_the_three_clocks_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    now = {"monotonic": 1000.0, "time": 1_780_000_000.0}
    for name in now:
        monkeypatch.setattr(time, name, lambda name=name: now[name])
    clock = WorldClock()
    now["monotonic"] += 2.5
    assert clock.now_s() == 2.5
    assert clock.of_boot(1002.5) == 2.5
    assert clock.of_unix(1_780_000_002.5) == 2.5
    now["time"] -= 3600  # somebody sets the wall clock back
    assert (clock.now_s(), clock.of_unix(1_780_000_002.5)) == (2.5, 2.5)
