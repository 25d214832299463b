"""Recipes in other people's style on a real engine: base, squeeze, head, as bare clones.

tests/unit/stamplab/test_recipe.py plays all of them in virtual seconds.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from stamplab.cli.repro_recipe import PreparedRecipe, RecipeRequest, prepare
from stamplab.harness.verdict import Verdict
from stamplab.lab.live.lab import Apparatus
from stamplab.lab.model.history import Note
from stamplab.lab.recipe.repository import RecipeHistory
from stamplab.lab.recipe.trust import Grant
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.staging import Stage, play_staged
from stamplab.scenarios.discourse import plays
from tests import recipes
from tests.live import traces
from tests.programs import python

FAST = plays.Settings(fast=True)
TRUST = frozenset({Grant.HOST_PATHS})
pytestmark = pytest.mark.live


def looked_at(history: RecipeHistory, folder: Path) -> PreparedRecipe:
    (folder / "scratch").mkdir()
    request = RecipeRequest(
        source=recipes.bare_clone(history, folder).source(),
        service="app",
        settings=FAST,
        runs=folder,
        argv=("stamplab", "test"),
        trust=TRUST,
    )
    return prepare(request, folder / "scratch")


def with_image_for(prepared: PreparedRecipe, stage: Stage) -> Stage:
    means = stage.means.with_commands(prepared.commands)
    return msgspec.structs.replace(stage, means=means, trust=TRUST)


def test_pressure_reproduces_it(stage: Stage, evidence: EvidenceFolder, tmp_path: Path) -> None:
    """Secrets, the proxy's network, bash's own health check, and an entrypoint of the image's."""
    prepared = looked_at(recipes.KEYCLOAK, tmp_path)
    scenario = plays.honest(FAST, prepared.subject)
    played = play_staged(scenario, with_image_for(prepared, stage), evidence.part("c"))
    assert played.signature.verdict is Verdict.PASS, str(played.signature)
    end, reason = played.upgrade.end, played.upgrade.reason
    assert end == "fail"
    assert "head spec applied then swarm-rolled-back" in reason
    laid = sorted(path.name for path in (played.folder / "overlays").iterdir())
    base, head = prepared.acquired.base[:12], prepared.acquired.head[:12]
    assert laid == sorted([f"{base}-compose.standin.yml", f"{head}-compose.standin.yml"])


def test_ample_memory_lets_it_pass(stage: Stage, evidence: EvidenceFolder, tmp_path: Path) -> None:
    """Published ports, a path of the host, templates, and a program that is a config."""
    prepared = looked_at(recipes.TRAEFIK, tmp_path)
    scenario = plays.ample(FAST, prepared.subject)
    played = play_staged(scenario, with_image_for(prepared, stage), evidence.part("a"))
    assert (played.upgrade.end, played.upgrade.reason) == ("pass", "")
    assert played.attribution is not None
    assert played.attribution.probes.failed == 0
    notes = [record.what.text for record in played.history if isinstance(record.what, Note)]
    assert "provided: network proxy" in notes
    assert played.attribution.last.service.spec.image == "stand-in/traefik:v2.11.0"


@pytest.mark.deep
@pytest.mark.parametrize("history", recipes.ALL, ids=lambda history: history.name)
def test_the_command_exits_0_for_each_and_leaves_nothing(
    apparatus: Apparatus, tmp_path: Path, history: RecipeHistory
) -> None:
    clone = recipes.bare_clone(history, tmp_path)
    before = traces.everything()
    command = ("-m", "stamplab", "repro", "recipe", "--fast", "--json", "--quiet")
    source = ("--recipe", str(clone.path), "--base", clone.shas[0], "--head", "main")
    done = python(*command, *source, "--trust", "host-paths", "--runs", str(tmp_path / "runs"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert msgspec.json.decode(done.stdout)["verdict"] == "pass"
    assert done.stderr == ""
    assert traces.left_since(before) == {}
