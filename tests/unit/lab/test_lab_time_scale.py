"""A lab's patience reaches its daemon and its clients; without any they are as they were."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, cast

import docker
import pytest

from stamplab.lab.errors import LabError
from stamplab.lab.live.daemon import Daemon
from stamplab.lab.live.engine import DockerEngine
from stamplab.lab.live.lease import LabFolder
from stamplab.lab.live.recorders.clients import ClientPlan, ClientRecorder
from stamplab.lab.model.history_file import HistoryWriter
from stamplab.lab.support.clock import WorldClock
from stamplab.lab.support.time_scale import scale_durations

ENGINE = DockerEngine(tools={}, environment={}, version="20.10.24", source="a test")
PLAN = ClientPlan(service="app", port=8080, image="stampload:1")


class Api:
    """A swarm of one service, on which nothing ever runs."""

    def __init__(self) -> None:
        self.created: list[dict[str, Any]] = []

    def inspect_service(self, service: str) -> dict[str, Any]:
        del service
        return {"Spec": {"TaskTemplate": {"Networks": [{"Target": "internal"}]}}}

    def create_service(self, template: dict[str, Any], name: str) -> dict[str, str]:
        del name
        self.created.append(template)
        return {"ID": "prober"}


def prober(plan: ClientPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """The command that the prober is started with, and what is said when it does not start."""
    now_s = iter(range(0, 1_000_000, 7))
    monkeypatch.setattr(
        "stamplab.lab.live.recorders.clients.time.monotonic", lambda: float(next(now_s))
    )
    monkeypatch.setattr("stamplab.lab.live.recorders.clients.time.sleep", lambda _: None)
    monkeypatch.setattr("stamplab.lab.live.recorders.clients.fetch", lambda *_: b"[]")
    api = Api()
    history = HistoryWriter(tmp_path / "history.jsonl", lambda: 0.0)
    with pytest.raises(LabError) as refused:
        ClientRecorder(cast(docker.APIClient, api), history, WorldClock(), "shop", plan)
    history.close()
    (template,) = api.created
    return " ".join(template["ContainerSpec"]["Command"]), str(refused.value)


@pytest.mark.parametrize(
    ("time_scale", "timing", "clause"),
    [
        (1, "--interval-ms 50 --timeout-ms 1000", "did not start in 60 s: no task yet"),
        (10, "--interval-ms 500 --timeout-ms 10000", "did not start in 600 s: no task yet"),
    ],
)
def test_clients_ask_as_often_and_wait_as_long_as_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, time_scale: float, timing: str, clause: str
) -> None:
    command, refusal = prober(scale_durations(PLAN, time_scale), tmp_path, monkeypatch)
    assert command == f"/bin/stampload client --host shop_app --port 8080 {timing}"
    assert clause in refusal


@pytest.mark.parametrize(("time_scale", "timeout_s"), [(1.0, 60), (2.5, 150)])
def test_the_daemons_api_clients_wait_as_long_as_it_is_patient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, time_scale: float, timeout_s: int
) -> None:
    given: list[object] = []

    class Client:
        def __init__(self, **options: object) -> None:
            given.append(options["timeout"])

        def ping(self) -> None:
            pass

        def close(self) -> None:
            pass

    monkeypatch.setattr("stamplab.lab.live.daemon.docker.APIClient", Client)
    daemon = Daemon(ENGINE, LabFolder(tmp_path / "lab-1"), time_scale)
    daemon.client()
    daemon.wait_ready()
    assert given == [timeout_s, timeout_s]


def test_the_command_line_may_take_as_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(argv: list[str], **options: Any) -> None:
        raise subprocess.TimeoutExpired(argv, options["timeout"])

    monkeypatch.setattr("stamplab.lab.live.daemon.subprocess.run", never)
    daemon = Daemon(ENGINE, LabFolder(tmp_path / "lab-1"), 10)
    with pytest.raises(LabError, match="docker info did not return in 600 s"):
        daemon.run_client(["info"], {}, tmp_path)


def test_a_silent_daemon_is_given_as_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = iter(range(0, 1_000_000, 7))
    monkeypatch.setattr("stamplab.lab.live.daemon.time.monotonic", lambda: float(next(now_s)))
    monkeypatch.setattr("stamplab.lab.live.daemon.time.sleep", lambda _: None)
    daemon = Daemon(ENGINE, LabFolder(tmp_path / "lab-1"), 10)
    with pytest.raises(LabError, match=r"did not answer within 1200 s"):
        daemon.wait_ready()
