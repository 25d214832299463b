"""The four plays as values, and what one play does step by step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from stamplab.harness.ci.generic import HC1Read
from stamplab.harness.ci.policy import Policy
from stamplab.lab.faults.memory_pressure import Ample, Pressure, Squeeze
from stamplab.lab.model.history import LimitSet, PolicyRead, StageBegan
from stamplab.lab.recipe import checkout
from stamplab.parity.table import scenarios_with_shape
from stamplab.runner.play_record import PlayRecord
from stamplab.runner.worlds import Virtual
from stamplab.scenarios.discourse import plays
from stamplab.scenarios.discourse.recipe import BASE_TAG, HEAD_VERSION, RECIPE
from stamplab.scenarios.scenario import Scenario
from stamplab.search.explorable import EXPLORABLE, REFERENCE
from tests.unit.harness.ci_runs import Repositories
from tests.unit.stamplab.playing import play_virtual

Play = Callable[[plays.Settings], Scenario]
ALL: tuple[Play, ...] = (plays.ample, plays.misattributed, plays.honest, plays.fixed)
DEFAULT = plays.Settings()


@pytest.mark.parametrize("scale", [0.1, 0.5, 1.0, 2.0, 100.0])
def test_the_memory_scale_multiplies_sizes_and_no_times(scale: float) -> None:
    memory = plays.Settings(memory_scale=scale).memory
    assert memory == plays.MEMORY.scaled(scale)
    assert memory.boot_s == plays.MEMORY.boot_s
    assert memory.peak_bytes == pytest.approx(3 * memory.steady_bytes, abs=2)


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_fast_shortens_boot_and_monitor_and_no_sizes(scale: float) -> None:
    fast, true = plays.Settings(fast=True, memory_scale=scale), plays.Settings(memory_scale=scale)
    assert fast.memory.boot_s == plays.FAST_BOOT_S < true.memory.boot_s
    assert fast.memory.peak_bytes == true.memory.peak_bytes
    assert fast.timing.monitor_s == 1.0


def test_the_true_timing_keeps_the_recipes_own_monitor() -> None:
    assert DEFAULT.timing.monitor_s is None


def test_the_default_pressure_is_a_squeeze() -> None:
    assert DEFAULT.pressure == Squeeze()


@pytest.mark.parametrize(
    ("play", "order", "guard", "pressure"),
    [
        (plays.ample, "start-first", True, Ample()),
        (plays.misattributed, "start-first", False, Squeeze()),
        (plays.honest, "start-first", True, Squeeze()),
        (plays.fixed, "stop-first", True, Squeeze()),
    ],
)
def test_each_play_differs_in_what_it_is_about(
    play: Play, order: str, guard: bool, pressure: Pressure
) -> None:
    scenario = play(DEFAULT)
    record = (scenario.policy.order, scenario.guard, scenario.pressure)
    assert record == (order, guard, pressure)
    assert (scenario.recipe, scenario.base, scenario.service) == (RECIPE, BASE_TAG, "app")


def test_all_plays_have_names_of_their_own() -> None:
    assert len({play(DEFAULT).name for play in ALL}) == len(ALL)


def test_the_pre_fix_play_reads_hc1_before_and_after_the_rollback() -> None:
    early, late = plays.misattributed(DEFAULT).hc1_reads
    assert early == HC1Read(pause_s=0)
    assert late.until_settled
    assert late.pause_s > DEFAULT.memory.boot_s + 5


def test_the_control_without_pressure_takes_it_off_every_play() -> None:
    settings = plays.Settings(pressure=Ample())
    assert {type(play(settings).pressure) for play in ALL} == {Ample}


@pytest.mark.parametrize("play", ALL)
def test_settings_are_alike_in_every_play(play: Play) -> None:
    settings = plays.Settings(fast=True, memory_scale=0.5)
    scenario = play(settings)
    assert (scenario.memory, scenario.timing) == (settings.memory, settings.timing)


# The recipe.


def test_the_recipe_at_head_states_the_policy_of_claim_c1(repositories: Repositories) -> None:
    policy = checkout.read_policy(repositories.mirror, "app")
    stated = (policy.failure_action, policy.order, policy.monitor, policy.start_period)
    assert stated == ("rollback", "start-first", "5s", "20m")
    assert policy.commit == repositories.head


def test_the_other_service_states_no_policy(repositories: Repositories) -> None:
    policy = checkout.read_policy(repositories.mirror, "db")
    assert (policy.failure_action, policy.order, policy.monitor) == (None, None, None)


def test_base_and_head_differ_in_version_and_image(repositories: Repositories) -> None:
    head = checkout.read_compose(repositories.mirror).services
    assert head["app"].image == "discourse/discourse:3.5.0"
    assert head["db"].image == "postgres:15"
    assert HEAD_VERSION != BASE_TAG
    assert BASE_TAG in [commit.tag for commit in RECIPE.commits]
    assert RECIPE.commits[-1].tag is None


# One play.


@pytest.mark.parametrize("which", "abcd")
def test_the_limit_is_set_between_the_stages(played: dict[str, PlayRecord], which: str) -> None:
    history = played[which].history
    limits = [r for r in history if isinstance(r.what, LimitSet)]
    stages = [r for r in history if isinstance(r.what, StageBegan)]
    assert len(limits) == 1
    assert stages[0].seq < limits[0].seq < stages[1].seq
    limit = limits[0].what
    assert isinstance(limit, LimitSet)
    assert (limit.limit_bytes is None) == (which == "a")


def test_every_play_reads_the_policy_and_names_its_abra(played: dict[str, PlayRecord]) -> None:
    for which, play in played.items():
        assert any(isinstance(record.what, PolicyRead) for record in play.history)
        assert "stand-in" in play.results.abra
        assert play.results.run_id.startswith(f"{which}-")


def test_when_the_install_fails_the_upgrade_is_skipped(virtual: Virtual, tmp_path: Path) -> None:
    refused = msgspec.structs.replace(plays.honest(DEFAULT), policy=Policy(max_failure_ratio=2))
    record = play_virtual(refused, virtual, tmp_path)
    ends = [(stage.stage, stage.end) for stage in record.results.stages]
    assert ends == [("install", "fail"), ("upgrade", "skipped")]
    assert record.results.level == 0
    assert record.upgrade.end == "skipped"
    assert record.upgrade.reason.startswith("install did not pass: the deploy was refused: ")
    observed = [line.what for line in record.history]
    assert not any(isinstance(what, LimitSet) for what in observed)
    assert StageBegan(stage="upgrade") not in observed


def test_the_same_scenario_twice_gives_the_same_history(virtual: Virtual, tmp_path: Path) -> None:
    first, second = (play_virtual(plays.honest(DEFAULT), virtual, tmp_path / name) for name in "12")
    assert len(first.history) == len(second.history)
    for first_record, other in zip(first.history, second.history, strict=True):
        assert (first_record.seen_s, type(first_record.what)) == (other.seen_s, type(other.what))
    assert first.results == second.results


def test_every_play_names_a_control_that_has_to_end_otherwise() -> None:
    """A scenario that cannot fail shows nothing."""
    played = scenarios_with_shape(DEFAULT)
    assert len(played) > len(ALL)
    for scenario in played.values():
        control = played[scenario.control]
        assert control.shape is not None
        assert control.shape != scenario.shape, f"{control.name} ends as {scenario.name} does"


def test_a_searched_schedule_says_why_it_has_no_control() -> None:
    scenario = REFERENCE.scenario(EXPLORABLE["discourse"], guard=True)
    assert scenario.control.startswith("none: ")
