"""The virtual world upon the real SwarmKit, as far as a scripted swarm cannot speak for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from stamplab.lab.errors import LabError
from stamplab.lab.faults.operator import (
    Act,
    NextVersion,
    Operation,
    Redeploy,
    Restamp,
    RollBack,
    Scale,
)
from stamplab.lab.model.history import ClientProbe, OperatorActed, Record, ServiceSeen, TasksSeen
from stamplab.lab.model.history_file import line_of
from stamplab.lab.model.swarm import RUNNING, Service, Task
from stamplab.lab.virtual.conditions import Conditions, NodeOptions, PeriodicTaskLists
from stamplab.lab.virtual.journal import MemoryJournal, VirtualClock
from stamplab.lab.virtual.swarmsim import SwarmSim
from stamplab.lab.virtual.world import VirtualWorld
from stamplab.lab.world import Stack
from stamplab.runner.worlds import Virtual
from tests.unit.lab.virtual.made import NAME, STACK

COMPOSE = """\
version: "3.8"
services:
  app:
    image: stand-in/a:1
    environment:
      STAMPLOAD_VERSION: "1"
      STAMPLOAD_PORT: "8080"
      STAMPLOAD_STEADY_BYTES: "1000000"
      STAMPLOAD_BOOT_S: "0.3"
      STAMPLOAD_STOP_S: "0.2"
    stop_grace_period: 1s
    deploy:
      update_config: {order: start-first, monitor: 500ms}
      placement: {constraints: ["node.labels.disk == fast"]}
"""


@pytest.fixture(scope="module")
def sim(virtual: Virtual) -> Iterator[SwarmSim]:
    """One process, in which each test begins a swarm of its own."""
    running = SwarmSim(virtual.swarmsim)
    yield running
    running.close()


class Deployment:
    """A small stack deployed at time 0, and what became of it."""

    def __init__(
        self, sim: SwarmSim, virtual: Virtual, folder: Path, conditions: Conditions | None = None
    ) -> None:
        (folder / "compose.yml").write_text(COMPOSE)
        self.stack = Stack(
            name=STACK,
            directory=folder,
            compose_files=(folder / "compose.yml",),
            environment={},
        )
        clock = VirtualClock()
        self.journal = MemoryJournal(clock)
        self.world = VirtualWorld(
            sim, clock, self.journal, "app", conditions or Conditions(), virtual.resolver.resolve
        )

    def deployed(self) -> Deployment:
        self.world.provide(self.stack)
        assert self.world.apply(self.stack).exit_code == 0
        return self

    def until(self, until_s: float) -> Deployment:
        while self.world.next(until_s) is not None:
            continue
        return self

    def act(self, operation: Operation, *, at_s: float) -> Deployment:
        self.world.schedule(NAME, [Act(after_s=at_s - self.world.now_s(), what=operation)])
        return self.until(at_s + 5)

    @property
    def records(self) -> list[Record]:
        return self.journal.records

    @property
    def lines(self) -> bytes:
        return b"".join(map(line_of, self.records))

    @property
    def service(self) -> Service:
        """As it was seen last."""
        services = [r.what.service for r in self.records if isinstance(r.what, ServiceSeen)]
        assert services[-1] is not None
        return services[-1]

    @property
    def running(self) -> list[Task]:
        """Its tasks that ran when they were seen last."""
        listed = [r.what.tasks for r in self.records if isinstance(r.what, TasksSeen)]
        return [task for task in listed[-1] if task.state == RUNNING]

    @property
    def answers(self) -> list[str]:
        """The versions that clients were answered with."""
        asked = [r.what.version for r in self.records if isinstance(r.what, ClientProbe)]
        return [version for version in asked if version is not None]

    @property
    def refusals(self) -> list[str]:
        return [r.what.refused for r in self.records if isinstance(r.what, OperatorActed)]


@pytest.fixture
def played(sim: SwarmSim, virtual: Virtual, tmp_path: Path) -> Deployment:
    return Deployment(sim, virtual, tmp_path).deployed().until(3)


@pytest.mark.parametrize("seed", [0, 7])
def test_it_can_be_repeated(sim: SwarmSim, virtual: Virtual, tmp_path: Path, seed: int) -> None:
    conditions = Conditions(
        seed=seed, visibility=PeriodicTaskLists(every_s=0.3), deploy_before_s=0.2
    )
    first, second = (played_once(sim, virtual, tmp_path, conditions) for _ in range(2))
    assert first.lines == second.lines
    assert len(first.records) > 20


def played_once(
    sim: SwarmSim, virtual: Virtual, folder: Path, conditions: Conditions
) -> Deployment:
    played = Deployment(sim, virtual, folder, conditions).deployed().until(2)
    return played.act(NextVersion(version="2", labels={}), at_s=2.5)


def test_another_seed_gives_the_same_end(sim: SwarmSim, virtual: Virtual, tmp_path: Path) -> None:
    first, second = (played_once(sim, virtual, tmp_path, Conditions(seed=seed)) for seed in (1, 2))
    assert first.service.id != second.service.id
    assert first.service.update_state == second.service.update_state == "completed"
    assert first.answers[-1] == second.answers[-1] == "2"


def test_a_moment_has_not_come_early(sim: SwarmSim, virtual: Virtual, tmp_path: Path) -> None:
    happened_s = Deployment(sim, virtual, tmp_path).deployed().until(3).records[-1].happened_s
    second = Deployment(sim, virtual, tmp_path).deployed().until(happened_s - 2e-10)
    assert second.world.now_s() == happened_s - 2e-10


def test_it_comes_up_and_answers(played: Deployment) -> None:
    assert [task.state for task in played.running] == [RUNNING]
    assert set(played.answers) == {"1"}


def test_it_waits_for_its_node(sim: SwarmSim, virtual: Virtual, tmp_path: Path) -> None:
    waiting = Deployment(sim, virtual, tmp_path)
    waiting.world.have_images(["stand-in/a:1"])
    waiting.world.apply(waiting.stack)
    assert waiting.until(10).running == []


def test_a_second_operator_scales(played: Deployment) -> None:
    assert len(played.act(Scale(replicas=2), at_s=4).running) == 2
    assert played.refusals == [""]


def test_a_restamp_touches_no_task_and_leaves_no_status(played: Deployment) -> None:
    before = played.running
    played.act(Restamp(labels={"stamp": "theirs"}), at_s=4)
    assert played.service.spec.labels["stamp"] == "theirs"
    assert played.service.update_status is None
    assert played.running == before


def test_the_same_once_more_changes_nothing_but_what_came_before(played: Deployment) -> None:
    spec = played.service.spec
    played.act(Redeploy(), at_s=4)
    assert played.service.spec == played.service.previous_spec == spec
    assert played.refusals == [""]


def test_another_version_and_its_rollback_by_hand(played: Deployment) -> None:
    first = played.service.spec
    played.act(NextVersion(version="2", labels={"stamp": "theirs"}), at_s=4)
    second = played.service.spec
    assert played.service.update_state == "completed"
    assert second.labels["stamp"] == "theirs"
    assert (played.answers[0], played.answers[-1]) == ("1", "2")
    played.act(RollBack(), at_s=10).until(20)
    assert (played.service.spec, played.service.previous_spec) == (first, second)
    assert played.service.update_state == "rollback_completed"
    assert played.answers[-1] == "1"


def test_what_swarmkit_refuses_is_told_in_its_words(played: Deployment) -> None:
    played.act(RollBack(), at_s=4)
    (refused,) = played.refusals
    assert "does not have a previous spec" in refused
    assert len(played.running) == 1


def test_an_invalid_spec_is_refused(sim: SwarmSim, virtual: Virtual, tmp_path: Path) -> None:
    world = Deployment(sim, virtual, tmp_path)
    resolved = virtual.resolver.resolve(world.stack)
    (raw,) = resolved.services
    spec = msgspec.json.decode(raw, type=dict[str, object])
    spec["Mode"] = {"Global": {}, "Replicated": {"Replicas": 1}}
    wrong = msgspec.structs.replace(resolved, services=(msgspec.Raw(msgspec.json.encode(spec)),))
    answer = world.world.deploy(STACK, wrong)
    assert answer.exit_code == 1
    assert answer.output


def test_a_swarm_follows_a_failed_begin(sim: SwarmSim, virtual: Virtual, tmp_path: Path) -> None:
    Deployment(sim, virtual, tmp_path)
    with pytest.raises(LabError, match=r"prepare_s must be from 0"):
        sim.begin(0, NodeOptions(prepare_s=-1))
    assert len(Deployment(sim, virtual, tmp_path).deployed().until(3).running) == 1
