"""Recipes.

The same value gives the same commits anywhere, and checkouts are what they are said to be.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from git import Repo

from stamplab.lab.errors import LabError
from stamplab.lab.recipe import checkout, git
from stamplab.lab.recipe.repository import RecipeCommit, RecipeHistory, build_repository
from stamplab.scenarios.discourse.recipe import BASE_TAG, RECIPE
from tests import recipes

BASE, HEAD = "1e6dc4e54ace", "f5dbee3b86d1"
"""What RECIPE's commits come out as; they change with its text, and with nothing else."""


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    recipes.repository(RECIPE, tmp_path / "upstream")
    return tmp_path / "upstream"


@pytest.fixture
def tree(origin: Path, tmp_path: Path) -> Path:
    """A checkout at head."""
    checkout.fetch(origin, origin, tmp_path / "tree", "main")
    return tmp_path / "tree"


def test_the_same_recipe_gives_the_same_commits(tmp_path: Path) -> None:
    first = build_repository(RECIPE, tmp_path / "one")
    assert build_repository(RECIPE, tmp_path / "two") == first
    assert first[1].startswith(BASE)
    assert first[-1].startswith(HEAD)


def test_releases_are_tagged_and_head_is_not(origin: Path) -> None:
    repo = Repo(origin)
    assert {tag.name for tag in repo.tags} == {"0.6.3+3.2.0", BASE_TAG}
    assert all(tag.tag is not None for tag in repo.tags)
    assert repo.head.commit not in {tag.commit for tag in repo.tags}


def test_a_fetched_recipe_has_its_tags_and_its_ref(origin: Path, tmp_path: Path) -> None:
    git.clone(origin, tmp_path / "mirror")
    Repo(tmp_path / "mirror").git.tag("--delete", BASE_TAG)
    checkout.fetch(tmp_path / "mirror", origin, tmp_path / "tree", "main")
    repo = Repo(tmp_path / "tree")
    assert BASE_TAG in {tag.name for tag in repo.tags}
    assert repo.head.is_detached
    assert repo.head.commit.hexsha.startswith(HEAD)


def test_a_checkout_leaves_nothing_of_what_was_copied_in(tree: Path) -> None:
    checkout.write_uncommitted(tree, {"compose.ccci.yml": "x: 1\n", "compose.yml": "changed\n"})
    assert Repo(tree).is_dirty(untracked_files=True)
    assert checkout.check_out(tree, BASE_TAG).startswith(BASE)
    assert not Repo(tree).is_dirty(untracked_files=True)
    assert "discourse:3.3.1" in (tree / "compose.yml").read_text()


def test_what_is_not_there_is_said_with_gits_own_words(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(
        LabError, match=r"9\.9\.9 cannot be checked out in .*: git said: fatal: invalid reference"
    ):
        checkout.check_out(tree, "9.9.9")
    with pytest.raises(LabError, match=r"none cannot be cloned: git said: .*does not exist"):
        git.clone(tmp_path / "none", tmp_path / "tree2")
    with pytest.raises(LabError, match="is no git work tree"):
        git.open_at(tmp_path)


def test_the_policy_is_the_committed_one(tree: Path) -> None:
    (tree / "compose.yml").write_text("services: {}\n")
    policy = checkout.read_policy(tree, "app")
    assert (policy.failure_action, policy.order) == ("rollback", "start-first")
    assert (policy.monitor, policy.start_period) == ("5s", "20m")
    assert policy.commit.startswith(HEAD)


def recipe_of(compose: str, folder: Path) -> Path:
    history = RecipeHistory(
        name="x", commits=(RecipeCommit(message="x", files={"compose.yml": compose}),)
    )
    build_repository(history, folder)
    return folder


def test_a_policy_behind_anchors_and_merge_keys_is_found(tmp_path: Path) -> None:
    compose = (
        "x-policy: &policy {failure_action: rollback, order: start-first}\n"
        "services: {app: {deploy: {update_config: {<<: *policy, order: stop-first}}}}\n"
    )
    policy = checkout.read_policy(recipe_of(compose, tmp_path / "x"), "app")
    assert (policy.failure_action, policy.order) == ("rollback", "stop-first")
    assert (policy.monitor, policy.start_period) == (None, None)


@pytest.mark.parametrize(
    ("compose", "message"),
    [
        ("services: [", "is no compose file that can be read"),
        ("services: 7\n", "is no compose file that can be read"),
        ("services: {db: {image: x}}\n", "has no service app"),
    ],
)
def test_a_broken_compose_file_is_said(tmp_path: Path, compose: str, message: str) -> None:
    with pytest.raises(LabError, match=message):
        checkout.read_policy(recipe_of(compose, tmp_path / "x"), "app")


def test_images_are_read_from_the_work_tree(tree: Path, tmp_path: Path) -> None:
    services = checkout.read_compose(tree).services
    assert services["app"].image == "discourse/discourse:3.5.0"
    assert services["db"].image == "postgres:15"
    with pytest.raises(LabError, match="cannot be read"):
        checkout.read_compose(tmp_path)
