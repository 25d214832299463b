"""The overlay for recipes in other people's style: complete, and no more than is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from stamplab.lab.recipe import workload_overlay
from stamplab.lab.recipe.compose import Compose, ComposeService, Healthcheck
from stamplab.lab.recipe.recipe_files import read_recipe
from stamplab.lab.recipe.repository import RecipeHistory
from stamplab.lab.recipe.workload_overlay import Timing, WorkloadOverlay, workload_image
from stamplab.lab.workload.shape import MemoryShape
from tests import recipes

MEMORY = MemoryShape(steady_bytes=100 << 20, peak_bytes=300 << 20, boot_s=1.0)
PLAIN = Compose(services={"app": ComposeService()})


def read(history: RecipeHistory, folder: Path) -> Compose:
    return read_recipe(recipes.write_head(history, folder / "tree"), "shop").compose


def overlay(compose: Compose, timing: Timing = Timing()) -> dict[str, Any]:  # noqa: B008 - a value
    standin = WorkloadOverlay(heavy="app", memory=MEMORY, timing=timing)
    whole: dict[str, Any] = yaml.safe_load(standin.overlay(compose))
    return whole


@pytest.mark.parametrize("history", recipes.ALL, ids=lambda history: history.name)
def test_every_service_of_every_file_has_a_stand_in(tmp_path: Path, history: RecipeHistory) -> None:
    compose = read(history, tmp_path)
    whole = overlay(compose)
    assert whole["version"] == compose.version
    assert set(whole["services"]) == set(compose.services)
    for name, service in whole["services"].items():
        assert service["image"].startswith("stand-in/")
        assert service["entrypoint"] == ["/bin/stand-in"]
        assert "update_config" not in service["deploy"]
        assert ("STAMPLOAD_PEAK_BYTES", str(300 << 20)) in service["environment"].items() or (
            name != "app"
        )


def test_limits_and_reservations_are_those_of_the_workload(tmp_path: Path) -> None:
    services = overlay(read(recipes.N8N, tmp_path))["services"]
    assert services["app"]["user"] == "0:0"
    assert services["app"]["deploy"]["resources"] == {
        "limits": {"cpus": "1", "memory": str(664 << 20)},
        "reservations": {"memory": str(4 << 20)},
    }
    assert "resources" not in services["db"]["deploy"]
    assert "user" not in services["db"]


def test_a_program_that_is_a_config_is_the_stand_ins(tmp_path: Path) -> None:
    whole = overlay(read(recipes.TRAEFIK, tmp_path))
    assert whole["configs"] == {
        "entrypoint": {
            "name": "${STACK_NAME}_entrypoint_${ENTRYPOINT_VERSION}",
            "file": "./compose.standin.sh",
        }
    }
    # It is read as a template where the recipe has it so.
    assert "{{" not in workload_overlay.CONFIG_SCRIPT
    assert "configs" not in overlay(PLAIN)
    assert workload_overlay.script_configs(PLAIN) == {}


def test_a_service_with_ports_for_all_nodes_keeps_its_virtual_ip(tmp_path: Path) -> None:
    services = overlay(read(recipes.TRAEFIK, tmp_path))["services"]
    assert services["app"]["deploy"] == {}
    assert overlay(PLAIN)["services"]["app"]["deploy"] == {"endpoint_mode": "dnsrr"}


@pytest.mark.parametrize(
    ("own", "retries"),
    [
        (Healthcheck(), 300),
        (Healthcheck(interval="30s", retries="10"), 1000),
        (Healthcheck(interval="15s", retries="4"), 200),
        (Healthcheck(interval="100ms", retries="1"), 3),
        (Healthcheck(interval="x", retries="y"), 300),
    ],
)
def test_health_is_waited_for_as_long_as_the_recipe_would(own: Healthcheck, retries: int) -> None:
    compose = Compose(services={"app": ComposeService(healthcheck=own)})
    check = overlay(compose)["services"]["app"]["healthcheck"]
    assert check == {"interval": "300ms", "timeout": "10000ms", "retries": retries}


@pytest.mark.parametrize(
    ("image", "name", "version"),
    [
        ("postgres", "stand-in/postgres:latest", "unknown"),
        ("postgres:16", "stand-in/postgres:16", "16"),
        ("ghcr.io/A/b:1", "stand-in/ghcr.io/a/b:1", "1"),
        ("registry:5000/a/b", "stand-in/registry-5000/a/b:latest", "unknown"),
        ("registry:5000/a/b:2", "stand-in/registry-5000/a/b:2", "2"),
        ("a@sha256:0123456789abcdef", "stand-in/a:0123456789ab", "unknown"),
        ("a:3@sha256:0123456789abcdef", "stand-in/a:3-0123456789ab", "3"),
        ("", "stand-in/none:latest", "unknown"),
    ],
)
def test_the_stand_in_has_its_images_name_and_version(image: str, name: str, version: str) -> None:
    compose = Compose(services={"app": ComposeService(image=image)})
    app = overlay(compose)["services"]["app"]
    assert app["image"] == workload_image(image) == name
    assert app["environment"]["STAMPLOAD_VERSION"] == version


def test_the_heavy_service_alone_has_the_shape() -> None:
    services = overlay(Compose(services={"app": ComposeService(), "db": ComposeService()}))
    peaks = {n: s["environment"]["STAMPLOAD_PEAK_BYTES"] for n, s in services["services"].items()}
    assert peaks == {"app": str(300 << 20), "db": str(1 << 20)}


def test_the_recipes_own_monitors_stay_unless_others_are_asked_for() -> None:
    compose = Compose(services={"app": ComposeService(), "db": ComposeService()})
    timing = Timing(monitor_s=1.0, health_interval_s=0.1, health_timeout_s=2.5)
    app, db = overlay(compose, timing)["services"].values()
    assert app["deploy"] == {
        "endpoint_mode": "dnsrr",
        "update_config": {"monitor": "1000ms"},
        "rollback_config": {"monitor": "1000ms"},
    }
    assert db["deploy"] == {"endpoint_mode": "dnsrr"}
    assert app["healthcheck"] == {"interval": "100ms", "timeout": "2500ms", "retries": 900}
