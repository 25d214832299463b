"""What swarmsim says is the engine API's JSON: our readers read it; it has a real one's keys."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from stamplab.lab.model.docker_json import parse_service, parse_services, parse_tasks
from stamplab.runner.worlds import Virtual
from tests.unit.lab.golden import swarm_json

Json = dict[str, Any]


class Asked:
    """The program itself, without a client of ours between."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def __call__(self, do: str, **what: object) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **what}).encode() + b"\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert answer.keys() == {"ok"}, answer
        return answer["ok"]


@pytest.fixture(scope="module")
def asked(virtual: Virtual) -> Iterator[Asked]:
    with subprocess.Popen(
        [virtual.swarmsim], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield Asked(process)
    assert process.returncode == 0


@pytest.fixture(params=["completed", "rollback_completed"])
def played(request: pytest.FixtureRequest, asked: Asked) -> Iterator[tuple[Asked, str]]:
    """The golden update, which ended as its name says, played again: the very specs."""
    ended: str = request.param
    real = json.loads(swarm_json("updating"))
    (network,) = {network["Target"] for network in real["Spec"]["TaskTemplate"]["Networks"]}
    asked("begin", seed=3)
    asked(
        "provide",
        images=[real["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]],
        networks=[{"id": network, "name": "shop_default"}],
    )
    for spec in (real["PreviousSpec"], real["Spec"]):
        spec["TaskTemplate"]["ContainerSpec"]["Healthcheck"]["StartInterval"] = 100_000_000
    asked("create", spec=real["PreviousSpec"])
    settle(asked, 20)
    if ended == "rollback_completed":
        asked("limit", bytes=350_000_000)
    asked("update", service="shop_web", spec=real["Spec"])
    settle(asked, 40)
    yield asked, ended
    asked("end")


def settle(asked: Asked, until_s: float) -> None:
    while asked("advance", until_s=until_s)["happened"]:
        continue


def test_our_readers_understand_it(played: tuple[Asked, str]) -> None:
    asked, ended = played
    service = parse_service(json.dumps(asked("inspect", service="shop_web")).encode())
    ((listed, _),) = parse_services(json.dumps(asked("services")).encode())
    tasks = parse_tasks(json.dumps(asked("tasks")).encode())
    assert listed == service
    assert service.update_state == ended
    assert service.spec.labels["stamp"] == ("1" if ended == "rollback_completed" else "2")
    assert service.spec.update.monitor_s == 1.0
    (running,) = (task for task in tasks if task.state == "running")
    assert running.spec_digest == service.spec.task_digest
    failed = [task for task in tasks if task.error == "task: non-zero exit (137)"]
    assert len(failed) == (ended == "rollback_completed")
    assert all(task.exit_code == 137 and task.container_id for task in failed)


def test_a_real_engines_keys_are_there(played: tuple[Asked, str]) -> None:
    asked, ended = played
    service = asked("inspect", service="shop_web")
    assert missing(json.loads(swarm_json(ended)), service) == []
    by_state = {task["Status"]["State"]: task for task in asked("tasks")}
    real = {task["Status"]["State"]: task for task in json.loads(swarm_json("tasks"))}
    both = sorted(by_state.keys() & real.keys())
    assert "running" in both
    assert [missing(real[state], by_state[state]) for state in both] == [[] for _ in both]


def missing(wanted: Json, actual: Json, path: str = "") -> list[str]:
    """Keys of one object that another lacks, however deep."""
    absent = [f"{path}{key}" for key in wanted.keys() - actual.keys()]
    for key in wanted.keys() & actual.keys():
        if isinstance(wanted[key], dict) and isinstance(actual[key], dict):
            absent += missing(wanted[key], actual[key], f"{path}{key}.")
    return sorted(absent)
