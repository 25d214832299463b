"""An untrusted recipe on a real lab: refused before the daemon hears of it, deployed if trusted."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import yaml

from stamplab.lab.errors import RecipeRefused
from stamplab.lab.live.api import fetch
from stamplab.lab.live.lab import Apparatus, live_lab
from stamplab.lab.model.history import CommandRan, Finding, Note
from stamplab.lab.model.history_file import read_history
from stamplab.lab.recipe.trust import Grant
from stamplab.lab.world import Stack

pytestmark = pytest.mark.live


def evil(folder: Path, image: str) -> Stack:
    """A stack that mounts the host's /etc, half hidden in a variable and an anchor."""
    folder.mkdir()
    service = {"image": image, "command": ["serve"], "volumes": ["${FROM:-/et}c:/mnt:ro"]}
    text = yaml.safe_dump({"version": "3.8", "x-hidden": {"app": service}})
    text = text.replace("x-hidden:", "x-hidden: &hidden") + "services: *hidden\n"
    (folder / "compose.yml").write_text(text)
    return Stack(
        name="evil",
        directory=folder,
        compose_files=(folder / "compose.yml",),
        environment={"FROM": "/et"},
    )


def test_the_daemon_never_hears_of_an_evil_recipe(apparatus: Apparatus, tmp_path: Path) -> None:
    with live_lab(apparatus, tmp_path, "app", 8080) as world:
        stack = evil(world.scratch / "recipe", apparatus.image)
        networks = {network["Id"] for network in world.daemon.api.networks()}
        with pytest.raises(RecipeRefused, match="--trust host-paths would allow that") as refused:
            world.apply(stack)
        assert fetch(world.daemon.api, "services") == b"[]"
        assert {network["Id"] for network in world.daemon.api.networks()} == networks
    history, _ = read_history(tmp_path / "history.jsonl")
    findings = [record.what for record in history if isinstance(record.what, Finding)]
    assert findings == [Finding(step="require_trusted", passed=False, text=str(refused.value))]
    assert not any(isinstance(record.what, CommandRan) for record in history)


def test_a_trusted_one_is_deployed_and_that_is_told(apparatus: Apparatus, tmp_path: Path) -> None:
    trust = frozenset({Grant.HOST_PATHS})
    with live_lab(apparatus, tmp_path, "app", 8080, trust=trust) as world:
        deployed = world.apply(evil(world.scratch / "recipe", apparatus.image))
        assert deployed.exit_code == 0, deployed.output
        service = msgspec.json.decode(fetch(world.daemon.api, "services/evil_app") or b"{}")
        (mount,) = service["Spec"]["TaskTemplate"]["ContainerSpec"]["Mounts"]
        assert (mount["Type"], mount["Source"]) == ("bind", "/etc")
    history, _ = read_history(tmp_path / "history.jsonl")
    notes = [record.what.text for record in history if isinstance(record.what, Note)]
    assert notes == [
        "trusted (host-paths): compose.yml, services.app.volumes[0] (/etc:/mnt:ro) "
        "mounts a path of the host"
    ]
