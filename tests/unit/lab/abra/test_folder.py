"""An app's env file says what was written, or refuses to be written; a deploy needs its recipe."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from stamplab.lab.abra.deploy import chaos_deploy
from stamplab.lab.abra.folder import AbraFolder
from stamplab.lab.abra.stamp import chaos_version
from stamplab.lab.errors import LabError, UsageError
from stamplab.lab.recipe import checkout, git
from stamplab.lab.recipe.env_file import with_values
from stamplab.lab.world import World

names = st.from_regex(r"[A-Z_][A-Z0-9_]*", fullmatch=True)
values = st.text(st.characters(exclude_categories=["Cs"])).filter(
    lambda text: text == text.strip().strip("\"'")
)


@pytest.fixture
def folder(tmp_path: Path) -> AbraFolder:
    folder = AbraFolder(tmp_path / "abra")
    folder.create()
    return folder


@how(max_examples=50)
@given(st.dictionaries(names, values, max_size=5))
def test_what_was_written_is_what_is_read_unless_it_is_refused(settings: dict[str, str]) -> None:
    with TemporaryDirectory() as root:
        folder = AbraFolder(Path(root) / "abra")
        folder.create()
        try:
            folder.write_env_text("x.org", with_values("", settings))
        except UsageError:
            assert any(len(value.splitlines()) > 1 for value in settings.values())
            return
        assert folder.read_env("x.org") == settings


@pytest.mark.parametrize("line_break", ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x85", "\u2028"])
@pytest.mark.parametrize("where", ["A{}TYPE", "{}A", "A{}"])
def test_no_kind_of_line_break_is_written(folder: AbraFolder, line_break: str, where: str) -> None:
    text = where.format(line_break)
    for settings in ({"NAME": text}, {text: "value"}):
        with pytest.raises(UsageError, match="holds a line break"):
            folder.write_env_text("x.org", with_values("", settings))
    assert not (folder.path / "servers" / "default" / "x.org.env").exists()


def test_an_app_without_a_recipe_is_said_in_a_sentence(folder: AbraFolder) -> None:
    folder.write_env_text("x.org", with_values("", {"DOMAIN": "x.org"}))
    with pytest.raises(LabError, match=r"the app x\.org .* names no recipe \(TYPE\)"):
        chaos_deploy(cast(World, object()), folder, "x.org")


def test_an_env_file_that_is_no_text_is_said_in_a_sentence(folder: AbraFolder) -> None:
    (folder.path / "servers" / "default" / "x.org.env").write_bytes(b"TYPE=\xff\n")
    with pytest.raises(LabError, match=r"x\.org .*cannot be read"):
        folder.read_env("x.org")


# The stamp.


@pytest.fixture(scope="module")
def made_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("stamp") / "tree"
    repo = git.create(tree)
    (tree / ".gitignore").write_text("*.log\n")
    (tree / "compose.yml").write_text("services: {}\n")
    repo.git.add("--all")
    repo.git.commit("--quiet", "--message", "all")
    return tree


@pytest.fixture
def tree(made_tree: Path) -> Iterator[Path]:
    yield made_tree
    git.open_at(made_tree).git.reset("--quiet", "--hard", "main")
    checkout.check_out(made_tree, "main")


def test_a_detached_head_is_stamped_like_any_other(tree: Path) -> None:
    on_branch = chaos_version(tree)
    checkout.check_out(tree, "main")
    assert git.open_at(tree).head.is_detached
    assert chaos_version(tree) == on_branch


@pytest.mark.parametrize(
    "script",
    [
        "echo changed >compose.yml",
        "rm compose.yml",
        "git rm --quiet --cached compose.yml",
        "chmod +x compose.yml",
        "mkdir new; touch new/file",
    ],
)
def test_every_way_of_being_dirty_is_marked(tree: Path, script: str) -> None:
    clean = chaos_version(tree)
    subprocess.run(["sh", "-c", script], cwd=tree, check=True)
    assert chaos_version(tree) == clean + "+U"


def test_what_the_recipe_itself_ignores_does_not_make_it_dirty(tree: Path) -> None:
    clean = chaos_version(tree)
    (tree / "debug.log").touch()
    assert chaos_version(tree) == clean


def test_a_folder_that_is_no_repository_has_no_stamp(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="is no git work tree"):
        chaos_version(tmp_path)
    with pytest.raises(LabError, match="is no git work tree"):
        chaos_version(tmp_path / "none")
