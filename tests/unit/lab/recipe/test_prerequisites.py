"""The prerequisites of a stack."""

from __future__ import annotations

from pathlib import Path

from stamplab.lab.recipe.prerequisites import Prerequisites, prerequisites_of
from stamplab.lab.recipe.recipe_files import read_recipe
from stamplab.lab.recipe.repository import RecipeHistory
from tests import recipes


def prerequisites(history: RecipeHistory, folder: Path) -> Prerequisites:
    return prerequisites_of(read_recipe(recipes.write_head(history, folder / "tree"), "st").stack)


def test_networks_and_secrets(tmp_path: Path) -> None:
    needed = prerequisites(recipes.KEYCLOAK, tmp_path)
    assert needed.networks == ("proxy",)
    assert set(needed.secrets) == {"st_admin_password_v1", "st_db_password_v1"}
    assert needed.node_labels == ()


def test_the_older_form_of_external_and_other_files(tmp_path: Path) -> None:
    assert prerequisites(recipes.N8N, tmp_path) == Prerequisites(networks=("proxy",))


def test_paths_of_the_host(tmp_path: Path) -> None:
    needed = prerequisites(recipes.TRAEFIK, tmp_path)
    assert needed.host_paths == ("/var/run/docker.sock",)
    assert needed.secrets == ()


def test_labels_of_the_node(tmp_path: Path) -> None:
    needed = prerequisites(recipes.WIKI, tmp_path)
    assert needed.node_labels == (("disk", "fast"),)
    assert needed.secrets == ("st_secret_key_v1",)
