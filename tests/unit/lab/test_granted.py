"""What a stack takes for granted."""

from __future__ import annotations

from pathlib import Path

import msgspec

from stamplab.lab.recipe.prerequisites import Granted, granted_to
from stamplab.lab.recipe.source import acquire, read_at
from stamplab.lab.recipe.upstream import RecipeHistory
from tests import recipes


def granted(history: RecipeHistory, folder: Path) -> Granted:
    clone = recipes.bare_clone(history, folder)
    (folder / "scratch").mkdir()
    acquired = acquire(clone.source(), folder / "scratch")
    reading = read_at(acquired, acquired.head, folder / "tree")
    return granted_to(msgspec.structs.replace(reading.stack, name="st"))


def test_networks_and_secrets(tmp_path: Path) -> None:
    found = granted(recipes.KEYCLOAK, tmp_path)
    assert found.networks == ("proxy",)
    assert set(found.secrets) == {"st_admin_password_v1", "st_db_password_v1"}
    assert found.node_labels == ()


def test_the_older_form_of_external_and_other_files(tmp_path: Path) -> None:
    assert granted(recipes.N8N, tmp_path) == Granted(networks=("proxy",))


def test_paths_of_the_host(tmp_path: Path) -> None:
    found = granted(recipes.TRAEFIK, tmp_path)
    assert found.host_paths == ("/var/run/docker.sock",)
    assert found.secrets == ()


def test_labels_of_the_node(tmp_path: Path) -> None:
    found = granted(recipes.WIKI, tmp_path)
    assert found.node_labels == (("disk", "fast"),)
    assert found.secrets == ("st_secret_key_v1",)
