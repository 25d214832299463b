"""The guard at a swarm of two nodes, of which it sees the tasks of one only by their lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from stamplab.lab.live.lab import Apparatus
from tests.live.nodes import Worker, two_nodes
from tests.live.remote_swarm import RemoteSwarm, wait_until_running
from tests.live.running_guard import RunningGuard

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def nodes(apparatus: Apparatus) -> Iterator[tuple[RemoteSwarm, Worker]]:
    with two_nodes(apparatus) as nodes:
        yield nodes


def guard(swarm: RemoteSwarm, name: str, *words: str) -> dict[str, Any]:
    with RunningGuard(swarm, name, *words) as running:
        return running.end()


def test_an_upgrade_on_another_node_converges(nodes: tuple[RemoteSwarm, Worker]) -> None:
    swarm, worker = nodes
    swarm.create("there", "--constraint", f"node.id=={worker.node}")
    document = guard(swarm, "there", "--", *swarm.update("there", ready_s=2))
    assert document["outcome"] == "converged", document
    swarm.docker("service", "rm", "there")


def test_an_oom_kill_on_another_node_is_partly_unknown(nodes: tuple[RemoteSwarm, Worker]) -> None:
    swarm, worker = nodes
    swarm.create("thirsty", "--constraint", f"node.id=={worker.node}")
    words = swarm.update(
        "thirsty", "--limit-memory", "32M", peak_bytes=100_000_000, boot_s=0.5, ready_s=5
    )
    document = guard(swarm, "thirsty", "--", *words)
    assert document["outcome"] == "rolled back", document
    failure = document["services"][0]["failure"]
    assert failure["node"] == worker.node
    assert failure["exit_code"] == 137
    assert failure["oom_killed"] is None
    assert failure["oom_known_by"] == f"not known: it ran on another node ({worker.node})"
    assert "it ran on another node" in document["reason"]
    swarm.docker("service", "rm", "thirsty")


def test_a_global_service_runs_on_both(nodes: tuple[RemoteSwarm, Worker]) -> None:
    swarm, _ = nodes
    swarm.create("everywhere", "--mode", "global")
    document = guard(swarm, "everywhere", "--", *swarm.update("everywhere"))
    assert document["outcome"] == "converged", document
    assert "2 of 2 tasks" in document["reason"]
    swarm.docker("service", "rm", "everywhere")


def test_a_node_that_dies_is_noticed_by_a_hold_that_is_longer_than_its_manager_takes(
    nodes: tuple[RemoteSwarm, Worker],
) -> None:
    """It hears of it by three heartbeats that do not come, 5 s each.

    The last test, for the worker does not come back.
    """
    swarm, worker = nodes
    swarm.create("lost", "--constraint", f"node.id=={worker.node}")
    words = swarm.update("lost", "--update-monitor", "10s")
    with RunningGuard(swarm, "lost", "--hold", "25", "--timeout", "35", "--", *words) as running:
        wait_until_running(swarm, "lost")
        worker.kill()
        document = running.end()
    assert document["outcome"] in ("stalled", "timed out"), document
