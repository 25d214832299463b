"""``--time-scale``: what it stretches, who gets it, and where it is written down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
import yaml
from click.testing import CliRunner

from stamplab.claims.plan import Choice, plan_of_choice
from stamplab.cli import main, repro, repro_discourse
from stamplab.cli.repro_discourse import Report, Request
from stamplab.harness.verdict import Verdict
from stamplab.lab.errors import LabError
from stamplab.lab.recipe.compose import Compose, ComposeService
from stamplab.lab.recipe.workload_overlay import WorkloadOverlay
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.staging import Stage, play_staged
from stamplab.runner.worlds import Live, Virtual
from stamplab.scenarios.discourse import plays
from stamplab.scenarios.discourse.recipe import OWN_TIMING, RECIPE
from stamplab.scenarios.scenario import Scenario
from tests.unit.stamplab.playing import APPARATUS, play_virtual


def plan(settings: plays.Settings) -> dict[str, Scenario]:
    """Every play that there is."""
    return {entry.folder: entry.scenario for entry in plan_of_choice(Choice(settings=settings))}


def durations(value: object, path: str = "") -> Iterator[tuple[str, float | None]]:
    """Every field of a value whose name ends in ``_s``, however deep, by its path."""
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            part = getattr(value, name)
            if name.endswith("_s"):
                yield f"{path}.{name}", part
            yield from durations(part, f"{path}.{name}")
    elif isinstance(value, tuple):
        for number, part in enumerate(value):
            yield from durations(part, f"{path}[{number}]")


# What it stretches.


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("factor", [2.0, 10.0])
def test_every_duration_of_every_play_is_stretched(factor: float, *, fast: bool) -> None:
    usual = plan(plays.Settings(fast=fast))
    slow = plan(plays.Settings(fast=fast, time_scale=factor))
    own = {f".timing{path}": seconds for path, seconds in durations(OWN_TIMING)}
    assert usual.keys() == slow.keys()
    for name, scenario in usual.items():
        slowed = dict(durations(slow[name]))
        assert slowed.keys() == dict(durations(scenario)).keys() >= {".timeout_s", ".memory.boot_s"}
        for path, seconds in durations(scenario):
            before_s = own.get(path) if seconds is None else seconds
            wanted_s = None if before_s is None else pytest.approx(before_s * factor)
            assert slowed[path] == wanted_s, f"{name}{path}"


def test_nothing_but_times_is_stretched() -> None:
    for name, scenario in plan(plays.Settings(time_scale=10)).items():
        usual = plan(plays.Settings())[name]
        back = msgspec.structs.replace(
            scenario,
            memory=msgspec.structs.replace(scenario.memory, boot_s=usual.memory.boot_s),
            timing=usual.timing,
            hc1_reads=usual.hc1_reads,
            timeout_s=usual.timeout_s,
            upgrade_timeout_s=usual.upgrade_timeout_s,
            time_scale=1.0,
        )
        assert back == usual


@pytest.mark.parametrize("fast", [False, True])
def test_by_one_every_play_is_as_it_was(*, fast: bool) -> None:
    for scenario in plan(plays.Settings(fast=fast, time_scale=1)).values():
        assert scenario.timing == (plays.FAST_TIMING if fast else plays.TRUE_TIMING)
        assert scenario.timing.stop_grace_s is None
        assert scenario.memory.boot_s == (plays.FAST_BOOT_S if fast else plays.MEMORY.boot_s)
        assert (scenario.timeout_s, scenario.time_scale) == (120.0, 1.0)
        assert [read.pause_s for read in scenario.hc1_reads] in ([], [0.0, 60.0])


def overlay(time_scale: float) -> dict[str, dict[str, Any]]:
    scenario = plays.honest(plays.Settings(time_scale=time_scale))
    standin = WorkloadOverlay(heavy="app", memory=scenario.memory, timing=scenario.timing)
    services: dict[str, dict[str, Any]] = yaml.safe_load(
        standin.overlay(
            Compose(
                services={
                    "app": ComposeService(image="discourse/discourse:3.5.0"),
                    "db": ComposeService(image="postgres:15"),
                }
            )
        )
    )["services"]
    return services


def test_the_overlay_stretches_what_the_recipe_states() -> None:
    services = overlay(10)
    assert services["app"]["deploy"]["update_config"] == {"monitor": "50000ms"}
    assert services["app"]["deploy"]["rollback_config"] == {"monitor": "50000ms"}
    assert services["app"]["environment"]["STAMPLOAD_BOOT_S"] == "10"
    for service in services.values():
        assert service["stop_grace_period"] == "50000ms"
        assert service["healthcheck"] == {
            "interval": "3000ms",
            "timeout": "100000ms",
            "retries": 30,
        }


def test_by_one_the_overlay_leaves_to_the_recipe_what_it_left() -> None:
    for service in overlay(1).values():
        assert "stop_grace_period" not in service
        assert "update_config" not in service["deploy"]
        assert "rollback_config" not in service["deploy"]


def test_the_recipes_own_times_are_those_that_it_states() -> None:
    services = yaml.safe_load(RECIPE.commits[-1].files["compose.yml"])["services"]
    app = services["app"]
    assert app["healthcheck"]["interval"] == f"{OWN_TIMING.health_interval_s:g}s"
    assert app["healthcheck"]["timeout"] == f"{OWN_TIMING.health_timeout_s:g}s"
    assert app["deploy"]["update_config"]["monitor"] == f"{OWN_TIMING.monitor_s:g}s"
    for service in services.values():
        assert service["stop_grace_period"] == f"{OWN_TIMING.stop_grace_s:g}s"


def test_a_stretched_play_comes_to_the_same_end(virtual: Virtual, tmp_path: Path) -> None:
    played = play_virtual(plays.honest(plays.Settings(time_scale=10)), virtual, tmp_path)
    assert played.signature.verdict is Verdict.PASS, str(played.signature)


# Who gets it, and where it is written down.


def test_a_play_makes_its_lab_as_patient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}

    def no_lab(*_: object, **options: object) -> None:
        given.update(options)
        raise LabError("there is no lab in a test")

    monkeypatch.setattr("stamplab.lab.live.lab.live_lab", no_lab)
    stage = Stage(means=Live(APPARATUS), argv=("stamplab",), on_progress=lambda _: None)
    folder = EvidenceFolder.create(tmp_path, "time-scale")
    with pytest.raises(LabError, match="no lab in a test"):
        play_staged(plays.honest(plays.Settings(time_scale=10)), stage, folder)
    assert given["time_scale"] == 10
    options = msgspec.json.decode((folder.path / "manifest.json").read_bytes())["options"]
    assert options["time_scale"] == 10
    assert options["timing"]["monitor_s"] == 50


def test_the_whole_run_writes_it_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_play(*_: object, **__: object) -> None:
        raise LabError("there is no play in a test")

    monkeypatch.setattr("stamplab.lab.live.lab.prepare", lambda _: APPARATUS)
    monkeypatch.setattr(repro_discourse, "play_staged", no_play)
    choice = Choice(settings=plays.Settings(time_scale=10), claims=("C4",))
    request = Request(choice=choice, runs=tmp_path, argv=("stamplab",))
    with pytest.raises(LabError, match="no play in a test"):
        repro_discourse.repro_discourse(request, lambda _: None)
    written = (tmp_path / "repro-discourse" / "latest" / "manifest.json").read_bytes()
    assert msgspec.json.decode(written)["options"]["settings"]["time_scale"] == 10


def asked(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[list[Request], str]:
    """Run the command line without playing; return what it asked for, and what it printed."""
    requests: list[Request] = []

    def no_run(request: Request, _: object) -> Report:
        requests.append(request)
        return Report(
            verdict=Verdict.UNKNOWN,
            reproduced="not played",
            claims=(),
            negative_controls=(),
            trials=(),
            evidence="",
            replay="",
            abra="nobody",
        )

    monkeypatch.setattr(repro, "repro_discourse", no_run)
    result = CliRunner().invoke(
        main.stamplab,
        ["repro", "discourse", *arguments],
        standalone_mode=False,
        catch_exceptions=False,
    )
    return requests, result.output


def test_the_command_line_gives_it_on_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    (request,), output = asked(monkeypatch, "--time-scale", "10")
    assert request.choice.settings == plays.Settings(time_scale=10)
    assert "--time-scale 10: all times and time-outs are 10 times as long\n" in output


def test_without_it_nothing_is_said_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    (request,), output = asked(monkeypatch)
    assert request.choice.settings == plays.Settings()
    assert "time-scale" not in output


@pytest.mark.parametrize("factor", ["0.5", "0", "101", "-1", "ten"])
def test_a_factor_out_of_range_is_refused(monkeypatch: pytest.MonkeyPatch, factor: str) -> None:
    with pytest.raises(click.BadParameter):
        asked(monkeypatch, "--time-scale", factor)
