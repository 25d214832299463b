"""abra's folder, and the stand-in's deploy."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from stamplab.lab.abra import deploy, label_names, stamp
from stamplab.lab.abra.folder import AbraFolder
from stamplab.lab.abra.go_git import DEFAULT_VERSION
from stamplab.lab.errors import LabError
from stamplab.lab.model.history import CommandRan, Note
from stamplab.lab.recipe import checkout, git
from stamplab.lab.recipe.env_file import with_values
from stamplab.scenarios.discourse.recipe import RECIPE
from tests import recipes
from tests.unit.lab.virtual.fake_sim import FakeSim
from tests.unit.lab.virtual.made import NAME
from tests.unit.lab.virtual.test_world import Stage

DOMAIN = "app.example.org"


@pytest.fixture
def folder(tmp_path: Path) -> AbraFolder:
    """An ABRA_DIR with the recipe, whose head has one file more."""
    origin = tmp_path / "upstream"
    recipes.repository(RECIPE, origin)
    (origin / "compose.x.yml").write_text("services: {}\n")
    upstream = git.open_at(origin).git
    upstream.add("--all")
    upstream.commit("--quiet", "--message", "another file")
    folder = AbraFolder(tmp_path / "abra")
    folder.create()
    checkout.fetch(origin, origin, folder.recipe("discourse"), "main")
    settings = {
        "TYPE": "discourse:0.7.0+3.3.1",
        "DOMAIN": DOMAIN,
        "COMPOSE_FILE": "compose.yml:compose.x.yml",
    }
    folder.write_env_text(DOMAIN, with_values("", settings))
    return folder


def test_a_stack_is_its_domain_with_underscores_cut_at_45() -> None:
    assert label_names.stack_name("a.b.example.org") == "a_b_example_org"
    assert len(label_names.stack_name("x" * 60)) == 45
    assert label_names.label("a_b", "chaos-version") == "coop-cloud.a_b.chaos-version"


def test_an_env_file_may_have_comments_blanks_and_quotes(folder: AbraFolder) -> None:
    file = folder.path / "servers" / "default" / "z.org.env"
    file.write_text("# TYPE=no\n\nTYPE=recipe  \nCOMPOSE_FILE=\"a.yml:b.yml\"\n  X='1'\nnonsense\n")
    assert folder.read_env("z.org") == {"TYPE": "recipe", "COMPOSE_FILE": "a.yml:b.yml", "X": "1"}


def test_an_app_that_is_not_there_is_named(folder: AbraFolder) -> None:
    with pytest.raises(LabError, match=r"there is no app none\.org"):
        deploy.chaos_deploy(Stage().world, folder, "none.org")


def test_a_chaos_deploy_deploys_the_checkout_as_it_is(folder: AbraFolder) -> None:
    stage = Stage()
    tree = folder.recipe("discourse")
    done = deploy.chaos_deploy(stage.world, folder, DOMAIN)
    assert done.stamp == stamp.chaos_version(tree)
    assert done.stack == "app_example_org"
    (stack,) = stage.asked
    assert stack.directory == tree
    assert [file.name for file in stack.compose_files] == [
        "compose.yml",
        "compose.x.yml",
        "app_example_org.yml",
    ]
    assert stack.environment["STACK_NAME"] == "app_example_org"
    assert stack.environment["DOMAIN"] == DOMAIN
    labels = yaml.safe_load(stack.compose_files[-1].read_text())["services"]["app"]["deploy"]
    assert labels["labels"] == {
        "coop-cloud.app_example_org.recipe": "discourse",
        "coop-cloud.app_example_org.chaos": "true",
        "coop-cloud.app_example_org.chaos-version": done.stamp,
    }
    assert stamp.chaos_version(tree) == done.stamp == git.open_at(tree).head.commit.hexsha[:8]


@pytest.mark.parametrize(("exit_code", "words"), [(0, f"Creating service {NAME}"), (1, "no")])
def test_everything_says_whose_abra_it_was(folder: AbraFolder, exit_code: int, words: str) -> None:
    stage = Stage(FakeSim(refuses=words if exit_code else ""))
    done = deploy.chaos_deploy(stage.world, folder, DOMAIN)
    note, ran = (what for _, what in stage.of(Note, CommandRan))
    debug = f"DEBU app/deploy.go:372 version: taking chaos version: {done.stamp}"
    whose = f"abra stand-in of stamplab (go-git {DEFAULT_VERSION})"
    assert note == Note(text=f"{debug} ({whose})")
    assert isinstance(ran, CommandRan)
    assert ran.by == whose
    assert ran.exit_code == exit_code
    assert ran.argv[:4] == ("abra", "app", "deploy", "-C")
    assert ran.output == f"{debug}\n{words}"
