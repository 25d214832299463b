"""What is read of compose files, one or several."""

from __future__ import annotations

from pathlib import Path

import pytest

from stamplab.lab.errors import LabError, RecipeRefused
from stamplab.lab.recipe import compose
from stamplab.lab.recipe.compose import parse_compose
from stamplab.lab.recipe.durations import parse_seconds
from stamplab.lab.recipe.repository import RecipeHistory
from tests import recipes


def files_of(history: RecipeHistory) -> dict[str, str]:
    head = recipes.head_files(history)
    return {name: text for name, text in head.items() if name.startswith("compose")}


def test_the_later_file_wins_in_mappings_and_adds_to_lists() -> None:
    read = parse_compose(
        {
            "compose.yml": "services: {app: {image: a, ports: [{mode: host}], "
            "deploy: {update_config: {order: start-first, monitor: 5s}}}}\n",
            "compose.b.yml": 'services: {app: {image: b, ports: ["80:80"], '
            "deploy: {update_config: {order: stop-first}}}, db: {image: c}}\n",
        },
        {},
    )
    app = read.services["app"]
    assert (app.image, app.has_ingress_ports) == ("b", True)
    assert app.update_config == {"order": "stop-first", "monitor": "5s"}
    assert read.services["db"].image == "c"


def test_variables_are_put_in_as_the_client_would() -> None:
    read = parse_compose(files_of(recipes.N8N), {"TAG": "9"})
    assert read.services["app"].image == "n8nio/n8n:9"
    assert read.version == "3.8"
    assert read.external_networks == ("proxy",)
    assert read.services["app"].has_user
    assert read.services["app"].limits == {"cpus", "memory"}


def test_anchors_merge_keys_and_extensions_are_resolved() -> None:
    app = parse_compose(files_of(recipes.WIKI), {}).services["app"]
    assert app.update_config == {
        "failure_action": "rollback",
        "order": "stop-first",
        "monitor": "1m30s",
    }
    assert app.constraints == ("node.role == manager", "node.labels.disk == fast")


def test_configs_and_mounts_are_found_in_both_syntaxes() -> None:
    app = parse_compose(files_of(recipes.TRAEFIK), {}).services["app"]
    assert app.config_targets["entrypoint"] == "/custom-entrypoint.sh"
    assert app.bind_sources == ("/var/run/docker.sock",)
    wiki = parse_compose(files_of(recipes.WIKI), {}).services["app"]
    assert wiki.config_targets == {"settings": "/settings"}


@pytest.mark.parametrize(
    ("mount", "sources"),
    [
        ("/a:/b:ro", ("/a",)),
        ("data:/b", ()),
        ("./a:/b", ()),
        ("{type: bind, source: /a, target: /b}", ("/a",)),
        ("{type: bind, source: './a', target: /b}", ()),
        ("{type: bind, source: '/a:/c', target: /b}", ()),
        ("{type: volume, source: /a, target: /b}", ()),
    ],
)
def test_paths_of_the_host_are_absolute(mount: str, sources: tuple[str, ...]) -> None:
    quoted = mount if mount.startswith("{") else f"'{mount}'"
    read = parse_compose({"f": f"services: {{app: {{volumes: [{quoted}]}}}}\n"}, {})
    assert read.services["app"].bind_sources == sources


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("services: [", "is no compose file that can be read"),
        ("[]", "it is no mapping"),
        ("", "it is no mapping"),
        ("services: 7", "its services are no mappings"),
        ("services: {app: 7}", "its services are no mappings"),
        ("services: {app: {image: '${X'}}", "cannot be read: it has a [$]"),
        ("services: {app: {image: '${X:?no}'}}", "it requires the variable X"),
        ("a: " + 700 * "[", "is no compose file that can be read"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(text: str, message: str) -> None:
    with pytest.raises(LabError, match=message) as caught:
        parse_compose({"compose.yml": text}, {})
    assert "compose.yml" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("odd", ["deploy: 7", "healthcheck: [x]", "ports: {a: b}", "configs: x"])
def test_a_part_of_another_kind_is_nothing(odd: str) -> None:
    """Whether it may be so is the client's to say, and the judge of trust's."""
    read = parse_compose({"f": f"services: {{app: {{{odd}, image: x}}}}\n"}, {})
    assert read.services["app"] == compose.ComposeService(image="x")


def test_no_file_is_read_through_a_link_that_leads_out(tmp_path: Path) -> None:
    (tmp_path / "compose.yml").symlink_to("/etc/hostname")
    with pytest.raises(RecipeRefused, match="out of the recipe's folder"):
        compose.read_texts(tmp_path, ("compose.yml",))
    with pytest.raises(RecipeRefused):
        compose.read_texts(tmp_path, ("../x",))


def test_an_overlay_has_the_recipes_version_or_none() -> None:
    """The client refuses files of different versions."""
    assert compose.overlay_text("3", {"services": {}}) == "version: '3'\nservices: {}\n"
    assert compose.overlay_text(None, {"services": {}}) == "services: {}\n"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5s", 5), ("1m30s", 90), ("1.5h", 5400), ("300ms", 0.3), ("x", 7), ("5", 7), ("", 7)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_seconds(text, 7) == pytest.approx(seconds)
    assert parse_seconds(None, 7) == 7
