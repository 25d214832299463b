"""``stamplab vet``: what it judges, prints, and exits with; and ``--trust`` of ``repro``."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from stamplab.claims.plan import Choice
from stamplab.cli import repro
from stamplab.cli.repro_discourse import Report, Request, repro_discourse
from stamplab.lab.errors import RecipeRefused
from stamplab.lab.recipe.folder_stack import stack_of_folder
from stamplab.lab.recipe.trust import Grant
from stamplab.scenarios.discourse.plays import Settings
from stamplab.scenarios.discourse.recipe import RECIPE
from tests.programs import Command, Ended
from tests.unit.lab.judging import in_service, write
from tests.unit.stamplab.playing import APPARATUS


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe whose overlay mounts the engine's socket."""
    folder = tmp_path / "recipe"
    folder.mkdir()
    write(
        folder,
        compose=in_service("privileged: true"),
        compose_socket=in_service("volumes: ['/var/run/docker.sock:/x']"),
    )
    return folder


def test_each_request_is_a_line_with_what_would_allow_it(recipe: Path, stamplab: Command) -> None:
    ended = stamplab("vet", recipe)
    assert ended.code == 1
    assert ended.out.splitlines() == [
        f"{recipe}: compose.yml, services.app.privileged (true) is a privileged container: "
        "--trust privileges",
        f"{recipe}: compose.socket.yml, services.app.volumes[0] (/var/run/docker.sock:/x) "
        "mounts a path of the host: --trust host-paths",
    ]


def test_what_is_trusted_is_not_printed(recipe: Path, stamplab: Command) -> None:
    ended = stamplab("vet", "--trust", "privileges", recipe)
    assert (ended.code, len(ended.out.splitlines())) == (1, 1)
    ended = stamplab("vet", "--trust", "privileges", "--trust", "host-paths", recipe)
    assert ended == Ended(0, f"{recipe}: nothing is refused\n", "")


def test_json_has_file_place_value_reason_and_grant(recipe: Path, stamplab: Command) -> None:
    ended = stamplab("vet", "--json", recipe, recipe / "compose.socket.yml")
    assert ended.code == 1
    whole, single = msgspec.json.decode(ended.out)
    assert whole["path"] == str(recipe)
    assert len(whole["refused"]) == 2
    assert single["refused"] == [
        {
            "file": "compose.socket.yml",
            "place": "services.app.volumes[0]",
            "value": "/var/run/docker.sock:/x",
            "reason": "mounts a path of the host",
            "grant": "host-paths",
        }
    ]


@pytest.mark.parametrize("arguments", [(), ("/no/such/recipe",), ("--trust", "everything", ".")])
def test_bad_arguments_exit_64(arguments: tuple[str, ...], stamplab: Command) -> None:
    ended = stamplab("vet", *arguments)
    assert (ended.code, ended.out) == (64, "")


def test_a_folder_without_compose_files_exits_64(tmp_path: Path, stamplab: Command) -> None:
    assert stamplab("vet", tmp_path).code == 64


def test_the_recipe_of_the_incident_needs_no_trust(tmp_path: Path, stamplab: Command) -> None:
    for commit in RECIPE.commits:
        for name, text in commit.files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
    assert stamplab("vet", tmp_path) == Ended(0, f"{tmp_path}: nothing is refused\n", "")


def test_a_folder_is_read_with_the_sample_of_its_env_file(recipe: Path) -> None:
    sample = 'DATA=/etc\nCOMPOSE_FILE="compose.yml:$COMPOSE_FILE:../up.yml"\n#OTHER=1\n'
    (recipe / ".env.sample").write_text(sample)
    stack = stack_of_folder(recipe)
    assert [str(file.relative_to(recipe)) for file in stack.compose_files] == [
        "compose.yml",
        "../up.yml",
        "compose.socket.yml",
    ]
    assert stack.environment["DATA"] == "/etc"


def test_a_sample_that_links_out_is_found(recipe: Path, tmp_path: Path, stamplab: Command) -> None:
    (tmp_path / "env").write_text("SECRET=x\n")
    (recipe / ".env.sample").symlink_to(tmp_path / "env")
    assert stack_of_folder(recipe).environment == {}
    ended = stamplab("vet", recipe)
    assert ended.code == 1
    line = ended.out.splitlines()[0]
    assert f".env.sample, the whole file leads to {tmp_path / 'env'}" in line
    assert line.endswith("nothing allows it")


def test_trust_is_carried_into_the_request(
    stamplab: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[Request] = []

    def play(request: Request, _: object) -> Report:
        requests.append(request)
        raise RecipeRefused("the recipe is refused")

    monkeypatch.setattr(repro, "repro_discourse", play)
    ended = stamplab("repro", "discourse", "--trust", "devices", "--trust", "sysctls")
    assert ended.code == 64
    assert requests[0].trust == {Grant.DEVICES, Grant.SYSCTLS}


def test_a_refusal_makes_the_verdict_unknown_and_the_manifest_says_what_was_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RecipeRefused("the recipe is refused: /etc")

    monkeypatch.setattr("stamplab.lab.live.lab.prepare", lambda _: APPARATUS)
    monkeypatch.setattr("stamplab.lab.live.lab.live_lab", refuse)
    request = Request(
        choice=Choice(settings=Settings(), claims=("C4",)),
        runs=tmp_path,
        argv=("stamplab",),
        trust=frozenset({Grant.SYSCTLS, Grant.DEVICES}),
    )
    with pytest.raises(RecipeRefused):
        repro_discourse(request, lambda _: None)
    folder = tmp_path / "repro-discourse" / "latest"
    verdict = msgspec.json.decode((folder / "verdict.json").read_bytes())
    assert (verdict["verdict"], verdict["note"]) == ("unknown", "the recipe is refused: /etc")
    manifests = sorted(folder.rglob("manifest.json"))
    assert len(manifests) == 2
    for file in manifests:
        options = msgspec.json.decode(file.read_bytes())["options"]
        assert options["trust"] == ["devices", "sysctls"]
