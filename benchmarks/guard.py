"""What the guard costs at a real swarm: how late it is, and how much it asks.

Late is what comes after the moment at which the swarm's own rules let it be known: after the
engine's last word on the update and, for a success, after the new task has been RUNNING for the
spec's own hold. That moment is taken by an observer of the benchmark's own, which lists tasks every
20 ms and follows the events; the guard's end is its process's. It may come some milliseconds
before that moment: what the observer lists was reported by an agent, and is stamped earlier.

What is asked is counted by a proxy, and compared with a poller that inspects each service and lists
its tasks every 0.5 s for as long.
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
from tests.live.foreign import Foreign, somebodys_swarm
from tests.live.guarding import Guarding
from tests.live.proxy import proxied

_ROUNDS = 5
_POLLER_EVERY_S = 0.5
_CALLS_A_POLL = 2
"""Of each service."""
_OBSERVED_EVERY_S = 0.02


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """An update, and how long the swarm holds it; of so many services, which are a stack."""

    name: str
    options: tuple[str, ...]
    behaves: dict[str, float]
    ends: str
    hold_s: float = 0.0
    services: int = 1


CASES = (
    Case(
        name="boot 5 s, monitor 5 s",
        options=("--update-monitor", "5s"),
        behaves={"ready_s": 5},
        ends="completed",
        hold_s=5.0,
    ),
    Case(
        name="a stack of three, boot 5 s, monitor 5 s",
        options=("--update-monitor", "5s"),
        behaves={"ready_s": 5},
        ends="completed",
        hold_s=5.0,
        services=3,
    ),
    Case(
        name="boot 20 s, monitor 5 s",
        options=("--update-monitor", "5s"),
        behaves={"ready_s": 20},
        ends="completed",
        hold_s=5.0,
    ),
    Case(
        name="boot 60 s, monitor 5 s",
        options=("--update-monitor", "5s"),
        behaves={"ready_s": 60},
        ends="completed",
        hold_s=5.0,
    ),
    Case(
        name="dies after 10 s of its boot, rolled back",
        options=(),
        behaves={"ready_s": 60, "exit_at_s": 10, "exit_code": 3},
        ends="rollback_completed",
    ),
)


class Measured(msgspec.Struct, frozen=True):
    """One wait."""

    late_s: float
    waited_s: float
    calls: int
    polled: float
    """How many calls a poller would have made meanwhile."""
    outcome: str


class Observer:
    """Sees when the swarm said its last word, and since when the last new task runs."""

    def __init__(self, swarm: Foreign, services: Sequence[str], ends: str) -> None:
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
        """Stop."""
        self._stopping.set()
        self._stream.close()
        for thread in self._threads:
            thread.join()
        self._streaming.close()
        self._api.close()

    @property
    def running_s(self) -> float:
        """Since when all new tasks run that ever did."""
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
    with somebodys_swarm(apparatus) as swarm:
        all_measured: list[Measured] = []
        for number, case in enumerate(CASES):
            measured = [_measure(swarm, case, f"b{number}r{one}") for one in range(rounds)]
            _print(case, measured)
            all_measured += measured
    calls, polled = sum(one.calls for one in all_measured), sum(one.polled for one in all_measured)
    print(f"all {len(all_measured)} waits: {calls} API calls, {calls / polled:.2f} of a poller's")


def _print(case: Case, measured: Sequence[Measured]) -> None:
    late_s = sorted(one.late_s for one in measured)
    waited_s = statistics.median(one.waited_s for one in measured)
    share = statistics.median(one.calls / one.polled for one in measured)
    median_s = statistics.median(late_s)
    outcomes = ", ".join(sorted({one.outcome for one in measured}))
    print(f"{case.name}: {outcomes}, {len(measured)} times, median wait {waited_s:.1f} s")
    print(
        f"  late by {median_s * 1000:.0f} ms (median; {late_s[0] * 1000:.0f} to "
        f"{late_s[-1] * 1000:.0f}): {median_s / waited_s:.2%} of the wait, "
        f"{median_s / (_POLLER_EVERY_S / 2):.2f} of what a poller is late on average"
    )
    print(
        f"  API calls: {statistics.median(one.calls for one in measured):.0f}, "
        f"{share:.2f} of a poller's"
    )


def _measure(swarm: Foreign, case: Case, stack: str) -> Measured:
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
        closing(Observer(swarm, services, case.ends)) as observer,
        Guarding(swarm, "--quiet", stack, "--", *past_the_proxy, host=proxy.address) as guarding,
    ):
        report = guarding.end()
        exited_s = time.monotonic()
        decided_s = max(observer.ended_s, observer.running_s + case.hold_s if case.hold_s else 0.0)
        calls = len(proxy.requests)
    swarm.docker("service", "rm", *services)
    waited_s = report["waited_s"]
    return Measured(
        late_s=exited_s - decided_s,
        waited_s=waited_s,
        calls=calls,
        polled=_CALLS_A_POLL * case.services * waited_s / _POLLER_EVERY_S,
        outcome=report["outcome"],
    )


def _wait_until_up(swarm: Foreign, service: str) -> None:
    while "1/1" not in swarm.docker(
        "service", "ls", "--filter", f"name={service}", "--format", "{{.Replicas}}"
    ):
        time.sleep(0.1)
