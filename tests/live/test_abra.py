"""abra's command line on a real swarm: the stand-in from its env file to its undeploy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

import stamplab
from stamplab.lab.abra import go_git
from stamplab.lab.abra.driver import Abra, find_abra, stand_in_program
from stamplab.lab.abra.folder import AbraFolder
from stamplab.lab.live.lab import Apparatus, live_lab
from stamplab.lab.model.history import CommandRan
from stamplab.lab.recipe import checkout, git
from stamplab.lab.recipe.repository import RecipeCommit, RecipeHistory, build_repository
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.staging import Stage, play_staged
from stamplab.scenarios.discourse import plays

pytestmark = pytest.mark.live

DOMAIN = "light.example.org"
STACK = "light_example_org"
VERSION = "1.0.0+1.0.0"
_COMPOSE = """\
version: "3.8"
services:
  app:
    image: {image}
    entrypoint: ["/bin/sleep", "3600"]
    secrets: [db_password]
    networks: [internal]
    deploy:
      endpoint_mode: dnsrr
      labels: ["coop-cloud.${{STACK_NAME}}.version={version}"]
secrets:
  db_password:
    external: true
    name: ${{STACK_NAME}}_db_password_${{SECRET_DB_PASSWORD_VERSION}}
networks:
  internal:
"""
_SAMPLE = "TYPE=light\nDOMAIN=light.example.com\nSECRET_DB_PASSWORD_VERSION=v1 # length=20\n"


def light_recipe(image: str) -> RecipeHistory:
    compose = _COMPOSE.format(image=image, version=VERSION)
    return RecipeHistory(
        name="light",
        commits=(
            RecipeCommit(
                message="chore: publish",
                files={"compose.yml": compose, ".env.sample": _SAMPLE},
                tag=VERSION,
            ),
            RecipeCommit(message="docs: say more", files={"README.md": "# light\n"}),
        ),
    )


def test_an_app_from_its_env_file_to_its_undeploy(apparatus: Apparatus, tmp_path: Path) -> None:
    with live_lab(apparatus, tmp_path, "app", 8080) as world:
        folder = AbraFolder(world.scratch / "abra")
        folder.create()
        build_repository(light_recipe(apparatus.image), world.scratch / "light")
        git.clone(world.scratch / "light", folder.recipe("light"))
        abra = Abra(stand_in_program(), folder, world.daemon.url)
        api: Any = world.daemon.api
        app = ("app", "deploy", "-o", "-n", "--debug")

        assert abra.run("app", "new", "-o", "-n", "-D", DOMAIN, "light").exit_code == 0
        assert "secret not generated: db_password" in abra.run(*app, DOMAIN).output
        assert abra.run("app", "secret", "generate", "-o", "-n", "-a", DOMAIN).exit_code == 0
        secrets = [secret["Spec"]["Name"] for secret in api.secrets()]
        assert secrets == [f"{STACK}_db_password_v1"]

        done = abra.run(*app, DOMAIN)
        assert (done.exit_code, done.last_line) == (0, "deploy succeeded"), done.output
        assert folder.read_env(DOMAIN)["TYPE"] == f"light:{VERSION}"
        assert labels(api.inspect_service(f"{STACK}_app")) == {
            "recipe": "light",
            "chaos": "false",
            "version": VERSION,
        }
        repeated = abra.run(*app, DOMAIN)
        assert (repeated.exit_code, repeated.last_line) == (1, f"FATA {DOMAIN} is already deployed")

        head = checkout.check_out(folder.recipe("light"), "main")
        assert abra.chaos_deploy(DOMAIN).exit_code == 0
        service = api.inspect_service(f"{STACK}_app")
        assert labels(service)["chaos-version"] == head[:8]

        assert abra.run("app", "undeploy", "-n", DOMAIN).exit_code == 0
        assert api.services() == []
        inserted = abra.run("app", "secret", "insert", "-n", DOMAIN, "smtp", "v2", "hush")
        assert inserted.exit_code == 0
        assert f"{STACK}_smtp_v2" in [secret["Spec"]["Name"] for secret in api.secrets()]


def labels(service: dict[str, dict[str, dict[str, str]]]) -> dict[str, str]:
    prefix = f"coop-cloud.{STACK}."
    items = service["Spec"]["Labels"].items()
    return {name.removeprefix(prefix): value for name, value in items if name.startswith(prefix)}


def test_a_given_abra_deploys_plays(stage: Stage, evidence: EvidenceFolder, tmp_path: Path) -> None:
    """A file that is called as a real abra is: behind a wall, with no network, its own HOME."""
    program = tmp_path / "abra"
    root = Path(stamplab.__path__[0]).parent
    program.write_text(
        f'#!/bin/sh\nexport PYTHONPATH="{root}" STAMPLAB_GOGIT="{go_git.prepare()}"\n'
        f'exec "{sys.executable}" -P -m stamplab.lab.abra.standin "$@"\n'
    )
    program.chmod(0o755)
    by_it = msgspec.structs.replace(stage, abra=find_abra(program))
    settings = plays.Settings(fast=True)
    played = play_staged(plays.ample(settings), by_it, evidence.part("a"))
    assert (played.upgrade.end, played.upgrade.reason) == ("pass", "")
    assert played.results.abra == f"abra at {program}"
    deploys = [
        record.what
        for record in played.history
        if isinstance(record.what, CommandRan) and str(program) in record.what.argv
    ]
    assert len(deploys) == 2
    assert all("--net" in deploy.argv for deploy in deploys)
