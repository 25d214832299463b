"""Single plays on a real engine, each in a lab of its own.

tests/cli/test_repro.py plays all of them, by the command.
"""

from __future__ import annotations

import msgspec
import pytest

from stamplab.harness.verdict import Verdict
from stamplab.lab.faults.memory_pressure import Ample
from stamplab.lab.live.recorders.clients import ClientPlan, ClientRecorder
from stamplab.lab.model.history import ServiceSeen
from stamplab.lab.world import World
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.staging import Stage, play_staged
from stamplab.scenarios.discourse import plays

FAST = plays.Settings(fast=True)
pytestmark = pytest.mark.live


def test_the_true_monitor_of_five_seconds(stage: Stage, evidence: EvidenceFolder) -> None:
    played = play_staged(plays.honest(plays.Settings()), stage, evidence.part("c"))
    assert played.signature.verdict is Verdict.PASS, str(played.signature)
    assert played.attribution is not None
    assert played.attribution.head is not None
    assert played.attribution.head.update.monitor_s == 5.0
    assert played.attribution.failure is not None
    assert played.attribution.failure.window == "before RUNNING"


@pytest.mark.parametrize("scale", [pytest.param(0.5, marks=pytest.mark.deep), 2.0])
def test_sizes_are_not_what_does_it(stage: Stage, evidence: EvidenceFolder, scale: float) -> None:
    settings = plays.Settings(fast=True, memory_scale=scale)
    pressed = play_staged(plays.honest(settings), stage, evidence.part("c"))
    assert pressed.signature.verdict is Verdict.PASS, str(pressed.signature)
    fixed = play_staged(plays.fixed(settings), stage, evidence.part("d"))
    assert (fixed.upgrade.end, fixed.upgrade.reason) == ("pass", "")


def test_without_pressure_nothing_is_reproduced(stage: Stage, evidence: EvidenceFolder) -> None:
    settings = plays.Settings(fast=True, pressure=Ample())
    played = play_staged(plays.misattributed(settings), stage, evidence.part("b"))
    assert played.signature.verdict is Verdict.FAIL
    assert "not reproduced: missing sign «rolled back» (seen: " in str(played.signature)
    assert [read.passed for read in played.findings("hc1")] == [True, True]


def test_the_live_world_is_a_world() -> None:
    from stamplab.lab.live.world import LiveWorld

    world: type[World] = LiveWorld
    assert world is LiveWorld


def test_twice_the_time_scale_is_twice_the_times_and_the_same_end(
    stage: Stage, evidence: EvidenceFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read from the swarm's own answers, and from the clients that were started."""
    plans: list[ClientPlan] = []

    class Noted(ClientRecorder):
        def _start_prober(self, service: str) -> str:
            plans.append(self._plan)
            return super()._start_prober(service)

    monkeypatch.setattr("stamplab.lab.live.world.ClientRecorder", Noted)
    settings = plays.Settings(fast=True, time_scale=2)
    played = play_staged(plays.honest(settings), stage, evidence.part("c"))
    assert played.signature.verdict is Verdict.PASS, str(played.signature)
    assert played.attribution is not None
    assert played.attribution.head is not None
    assert played.attribution.head.update.monitor_s == 2.0
    seen = [record.what for record in played.history if isinstance(record.what, ServiceSeen)]
    raw = next(s.raw for s in reversed(seen) if s.name == played.app.service and s.raw)
    spec = msgspec.json.decode(raw)["Spec"]
    assert spec["RollbackConfig"]["Monitor"] == 2_000_000_000
    container = spec["TaskTemplate"]["ContainerSpec"]
    assert container["StopGracePeriod"] == 10_000_000_000
    health = container["Healthcheck"]
    assert (health["Interval"], health["Timeout"]) == (600_000_000, 20_000_000_000)
    assert [(plan.interval_s, plan.timeout_s) for plan in plans] == [(0.1, 2.0)]
