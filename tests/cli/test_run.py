"""``stamplab run``: one experiment by its name, on our recipe and on other people's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stamplab.lab.abra.go_git import DEFAULT_VERSION, PROGRAMS, VERSION_VARIABLE
from stamplab.lab.live.inventory import inventory
from stamplab.lab.recipe.repository import RecipeCommit, RecipeHistory, build_repository
from stamplab.scenarios.stamping.variants import EXPERIMENTS
from tests import PYTHON_PATH, recipes
from tests.programs import Command, python

STAMPLAB = ("-P", "-m", "stamplab")


def test_it_prints_the_stamp_and_commands_for_it(stamplab: Command, tmp_path: Path) -> None:
    done = stamplab("run", "stamp_mirror", "--runs", tmp_path)
    assert done.code == 0, done.err
    assert "The same by hand:" in done.out
    for word in ("git clone", "git -C", "'refs/tags/*:refs/tags/*'", "abra app deploy -C"):
        assert word in done.out


@pytest.mark.parametrize(
    "version",
    [
        pytest.param(version, marks=() if version == DEFAULT_VERSION else pytest.mark.deep)
        for version in PROGRAMS
    ],
)
def test_a_stamp_says_for_which_go_git_it_speaks(version: str, tmp_path: Path) -> None:
    words = ("run", "stamp_copy", "--go-git", version, "--json", "--runs", str(tmp_path))
    done = python(*STAMPLAB, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    ran = json.loads(done.stdout)
    assert ran["stamped"]["by"] == f"abra stand-in of stamplab (go-git {version})"
    assert f"{VERSION_VARIABLE}={version} " in ran["by_hand"]
    (kept,) = Path(ran["evidence"]).glob("stamp_copy.json")
    chaos_deploy = json.loads(kept.read_text())["commands"][-1]["output"]
    assert f"DEBU the stand-in stamps as go-git {version}: nothing changed" in chaos_deploy


@pytest.mark.deep
def test_a_recipe_with_converted_files_is_dirty_for_an_older_go_git(tmp_path: Path) -> None:
    """go-git 5.16.5 hashes what lies there; from 5.17.0 on size and time are believed."""
    text = {"compose.yml": "services: {app: {image: a:1}}\n", ".env.sample": "TYPE=crlf\n"}
    converted = {"run.sh": "echo one\necho two\n", ".gitattributes": "*.sh text eol=crlf\n"}
    history = RecipeHistory(
        name="crlf",
        commits=(
            RecipeCommit(message="base", files=text | converted, tag="1.0.0+1"),
            RecipeCommit(
                message="head", files=text | {"compose.yml": "services: {app: {image: a:2}}\n"}
            ),
        ),
    )
    build_repository(history, tmp_path / "crlf")
    stamps = {}
    for version in PROGRAMS:
        options = ("--recipe", str(tmp_path / "crlf"), "--base", "1.0.0+1", "--head", "main")
        words = ("--go-git", version, "--json", "--runs", str(tmp_path / version))
        done = python(*STAMPLAB, "run", "stamp_copy", *options, *words)
        stamps[version] = json.loads(done.stdout)["stamped"]["stamp"][8:]
    assert stamps == {"5.16.5": "+U", "5.19.3": "", "6.0.0-beta.1": ""}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be without a network")
def test_no_network_is_used(tmp_path: Path) -> None:
    words = ("run", "stamp_mirror", "--runs", str(tmp_path))
    done = python(*STAMPLAB, *words, prefix=("unshare", "--net"))
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
        [sys.executable, *STAMPLAB, "run", name, "--runs", str(tmp_path)],
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
def test_any_recipe_is_stamped_alike(
    stamplab: Command, history: RecipeHistory, tmp_path: Path
) -> None:
    source = recipes.bare_clone(history, tmp_path).source()
    options = ("--recipe", source.recipe, "--base", source.base, "--head", source.head)
    done = stamplab("run", "stamp_mirror_dirty", *options, "--json", "--runs", tmp_path / "runs")
    assert done.code == 0, done
    stamped = json.loads(done.out)["stamped"]
    assert stamped["whose"] == "the head's"
    assert stamped["stamp"].endswith("+U")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "nothing"), "no bug report is called 'nothing'"),
        (("run", "6"), "may be any of"),
        (("run", "label-only", "--recipe", "x"), "a report is not stamped"),
        (("run", "stamp_copy", "--world", "virtual"), "needs no world"),
        (("bug-reports", "nothing"), "no bug report is called"),
        (("bug-reports", "--at-once", "0"), "0 is not in the range"),
        (("run", "D3", "--world", "virtual", "--engine", "/nonexistent"), "of the live world"),
        (("run", "stamp_copy", "--base", "1.0.0"), "add --recipe"),
        (("run", "stamp_copy", "--recipe", "."), "needs --base"),
        (("run", "stamp_copy", "--abra", "/nonexistent"), "is no program"),
        (("run", "stamp_copy", "--go-git", "4.0.0"), "'4.0.0' is not one of '5.16.5', "),
        (("run", "moby#43081", "--go-git", "5.16.5"), "a report is not stamped"),
        (
            ("run", "stamp_copy", "--go-git", "5.16.5", "--abra", "/bin/true"),
            "names a real abra, /bin/true, which has a go-git of its own",
        ),
        (
            ("repro", "discourse", "--go-git", "5.16.5", "--abra", "/bin/true"),
            "names a real abra, /bin/true, which has a go-git of its own",
        ),
        (
            ("run", "stamp_copy", "--recipe", "/nonexistent", "--base", "1", "--head", "2"),
            "there is no folder",
        ),
    ],
)
def test_bad_usage_is_said_in_a_sentence(
    stamplab: Command, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = stamplab(*arguments, "--runs", tmp_path)
    assert done.code == 64
    assert message in done.err


def test_each_experiment_has_a_name_and_a_title_of_its_own() -> None:
    assert len({claim.title for claim in EXPERIMENTS.values()}) == len(EXPERIMENTS)
