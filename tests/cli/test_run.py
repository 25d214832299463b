"""``stamplab run``: one experiment by its name, on our recipe and on other people's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stamplab.lab.live.inventory import inventory
from stamplab.lab.recipe.upstream import RecipeHistory
from stamplab.scenarios.stamping.variants import EXPERIMENTS
from tests import PYTHON_PATH, recipes


def stamplab(*arguments: str, runs: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "stamplab", *arguments, "--runs", str(runs)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_prints_the_stamp_and_the_commands_that_do_the_same(tmp_path: Path) -> None:
    done = stamplab("run", "stamp_mirror", runs=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "The same by hand:" in done.stdout
    for word in ("git clone", "git -C", "'refs/tags/*:refs/tags/*'", "abra app deploy -C"):
        assert word in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be without a network")
def test_no_network_is_used(tmp_path: Path) -> None:
    command = ["unshare", "--net", sys.executable, "-P", "-m", "stamplab", "run", "stamp_mirror"]
    done = subprocess.run([*command, "--runs", str(tmp_path)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["stamp_mirror_dirty", "stamp_copy", "forgotten_checkout"])
def test_the_programs_of_the_inventory_are_enough(name: str, tmp_path: Path) -> None:
    """A package brings these and no others; what its caller has is not run."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for item in inventory():
        if item.path is not None and item.name not in {"python", "abra"}:
            (tools / item.name).symlink_to(item.path)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "stamplab", "run", name, "--runs", str(tmp_path)],
        env={
            "STAMPLAB_TOOLS": str(tools),
            "PATH": str(tmp_path),
            "PYTHONPATH": PYTHON_PATH,
            "HOME": str(tmp_path),
            "LANG": "C.UTF-8",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("history", recipes.ALL, ids=lambda history: history.name)
def test_any_recipe_is_stamped_alike(history: RecipeHistory, tmp_path: Path) -> None:
    source = recipes.bare_clone(history, tmp_path).source()
    options = ("--recipe", source.recipe, "--base", source.base, "--head", source.head)
    done = stamplab("run", "stamp_mirror_dirty", *options, "--json", runs=tmp_path / "runs")
    assert done.returncode == 0, done.stdout + done.stderr
    stamped = json.loads(done.stdout)["stamped"]
    assert stamped["whose"] == "the head's"
    assert stamped["stamp"].endswith("+U")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "nothing"), "nothing in the record is called"),
        (("run", "stamp_copy", "--base", "1.0.0"), "add --recipe"),
        (("run", "stamp_copy", "--recipe", "."), "needs --base"),
        (("run", "stamp_copy", "--abra", "/nonexistent"), "is no program"),
        (
            ("run", "stamp_copy", "--recipe", "/nonexistent", "--base", "1", "--head", "2"),
            "there is no folder",
        ),
    ],
)
def test_bad_usage_is_said_in_a_sentence(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = stamplab(*arguments, runs=tmp_path)
    assert done.returncode == 64
    assert message in done.stderr


def test_each_experiment_has_a_name_and_a_title_of_its_own() -> None:
    assert len({claim.title for claim in EXPERIMENTS.values()}) == len(EXPERIMENTS)
