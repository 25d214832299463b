"""What the guard costs at a real swarm: how late it is, and how many API calls it makes.

The guard is late by what comes after the moment at which the swarm's own rules let the outcome be
known: the engine's last word on the update and, for a success, the end of the spec's hold after the
new task came to be RUNNING. An observer of the benchmark's own takes that moment: it lists tasks
every 20 ms and follows the events. The guard's end is its process's. It may come some milliseconds
before that moment: an agent reported what the observer lists, and stamped it earlier.

Calls are counted by a proxy between the guard and the engine. The goals are a median of less than
100 ms late in each case, and at most 2 calls a second on average over each wait.
"""

from __future__ import annotations

import shlex
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import docker
import msgspec

from stamplab.lab.errors import NotPossibleHere
from stamplab.lab.live.lab import prepare
from stamplab.lab.model.swarm import STACK_LABEL
from stamplab.lab.remote.poll_schedule import CALLS_PER_S
from tests.live.proxy import proxied
from tests.live.remote_swarm import RemoteSwarm, remote_swarm
from tests.live.running_guard import RunningGuard

_ROUNDS = 5
_LATE_GOAL_S = 0.1
_OBSERVED_EVERY_S = 0.02


class UpdateCase(msgspec.Struct, frozen=True, kw_only=True):
    """An update of a stack: its services, its options, and how the swarm ends it."""

    name: str
    behaves: dict[str, float]
    options: tuple[str, ...] = ("--update-monitor", "5s")
    ends: str = "completed"
    hold_s: float = 5.0
    services: int = 1


CASES = (
    UpdateCase(name="boot 5 s, monitor 5 s", behaves={"ready_s": 5}),
    UpdateCase(name="a stack of three, boot 5 s, monitor 5 s", behaves={"ready_s": 5}, services=3),
    UpdateCase(name="boot 20 s, monitor 5 s", behaves={"ready_s": 20}),
    UpdateCase(name="boot 60 s, monitor 5 s", behaves={"ready_s": 60}),
    UpdateCase(
        name="dies after 10 s of its boot, rolled back",
        behaves={"ready_s": 60, "exit_at_s": 10, "exit_code": 3},
        options=(),
        ends="rollback_completed",
        hold_s=0.0,
    ),
)


class MeasuredWait(msgspec.Struct, frozen=True):
    """One run of the guard."""

    late_s: float
    waited_s: float
    calls: int
    outcome: str

    @property
    def calls_per_s(self) -> float:
        """API calls a second, on average over the wait."""
        return self.calls / self.waited_s


class UpdateObserver:
    """Notes when the swarm settled the update, and since when the last new task runs."""

    def __init__(self, swarm: RemoteSwarm, services: Sequence[str], ends: str) -> None:
        self._services = services
        self._ends = ends
        self._stopping = threading.Event()
        self._running_s: dict[str, float] = {}
        """By task."""
        self.ended_s = 0.0
        self._api = docker.APIClient(base_url=swarm.url, version="1.41")
        self._streaming = docker.APIClient(base_url=swarm.url, version="1.41")
        self._stream = self._streaming.events(decode=True, filters={"type": ["service"]})
        self._known = {task["ID"] for task in self._tasks()}
        self._threads = [
            threading.Thread(target=work, daemon=True) for work in (self._follow, self._list)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop observing."""
        self._stopping.set()
        self._stream.close()
        for thread in self._threads:
            thread.join()
        self._streaming.close()
        self._api.close()

    @property
    def running_s(self) -> float:
        """When the last new task came to be RUNNING."""
        return max(self._running_s.values(), default=0.0)

    def _tasks(self) -> list[dict[str, Any]]:
        return self._api.tasks({"service": list(self._services)})

    def _follow(self) -> None:
        for event in self._stream:
            attributes = event["Actor"]["Attributes"]
            is_end = attributes.get("updatestate.new") == self._ends
            if is_end and attributes.get("name") in self._services:
                self.ended_s = time.monotonic()

    def _list(self) -> None:
        while not self._stopping.wait(_OBSERVED_EVERY_S):
            for task in self._tasks():
                is_new = task["ID"] not in self._known
                if is_new and task["Status"]["State"] == "running":
                    self._running_s.setdefault(task["ID"], time.monotonic())


def main(arguments: Sequence[str]) -> None:
    """Measure and print; an argument is the number of rounds."""
    rounds = int(arguments[0]) if arguments else _ROUNDS
    try:
        apparatus = prepare()
    except NotPossibleHere as reason:
        print(f"not measured: {reason}")
        return
    with remote_swarm(apparatus) as swarm:
        met = 0
        for number, case in enumerate(CASES):
            waits = [_measure(swarm, case, f"b{number}r{round_}") for round_ in range(rounds)]
            met += _print(case, waits)
    print(f"both goals met in {met} of {len(CASES)} cases")


def _print(case: UpdateCase, measured: Sequence[MeasuredWait]) -> bool:
    """Print a case's figures; return whether both goals are met."""
    late_s = sorted(wait.late_s for wait in measured)
    waited_s = statistics.median(wait.waited_s for wait in measured)
    calls_per_s = max(wait.calls_per_s for wait in measured)
    median_s = statistics.median(late_s)
    outcomes = ", ".join(sorted({wait.outcome for wait in measured}))
    print(f"{case.name}: {outcomes}, {len(measured)} times, median wait {waited_s:.1f} s")
    print(
        f"  late by {median_s * 1000:.0f} ms (median; {late_s[0] * 1000:.0f} to "
        f"{late_s[-1] * 1000:.0f})"
    )
    print(
        f"  API calls: {statistics.median(wait.calls for wait in measured):.0f} (median), at most "
        f"{calls_per_s:.2f} a second on average over a wait",
        flush=True,
    )
    return median_s < _LATE_GOAL_S and calls_per_s <= CALLS_PER_S


def _measure(swarm: RemoteSwarm, case: UpdateCase, stack: str) -> MeasuredWait:
    services = [f"{stack}_{number}" for number in range(case.services)]
    for service in services:
        swarm.create(service, "--label", f"{STACK_LABEL}={stack}")
        _wait_until_up(swarm, service)
    updates = [swarm.update(service, *case.options, **case.behaves) for service in services]
    deploy = " && ".join(shlex.join(words) for words in updates)
    past_the_proxy = ("env", f"DOCKER_HOST={swarm.url}", "sh", "-c", deploy)
    with (
        tempfile.TemporaryDirectory(prefix="stamplab-") as folder,
        proxied(swarm.url, Path(folder)) as proxy,
        closing(UpdateObserver(swarm, services, case.ends)) as observer,
        RunningGuard(swarm, "--quiet", stack, "--", *past_the_proxy, host=proxy.address) as running,
    ):
        report = running.end()
        exited_s = time.monotonic()
        decided_s = max(observer.ended_s, observer.running_s + case.hold_s if case.hold_s else 0.0)
        calls = len(proxy.requests)
    swarm.docker("service", "rm", *services)
    return MeasuredWait(
        late_s=exited_s - decided_s,
        waited_s=report["waited_s"],
        calls=calls,
        outcome=report["outcome"],
    )


def _wait_until_up(swarm: RemoteSwarm, service: str) -> None:
    while "1/1" not in swarm.docker(
        "service", "ls", "--filter", f"name={service}", "--format", "{{.Replicas}}"
    ):
        time.sleep(0.1)
