"""Whatever a user's git is told to do elsewhere, recipes come out the same, and only here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from stamplab.lab.abra.stamp import chaos_version
from stamplab.lab.errors import LabError
from stamplab.lab.recipe import checkout, git
from stamplab.lab.recipe.repository import build_repository
from stamplab.scenarios.discourse.recipe import BASE_TAG, RECIPE
from tests import recipes
from tests.scripts import script

SHAS = (
    "77b52643d0d634395fadaf23f2cfb45633c5ba04",
    "1e6dc4e54acee57d5371c8d0018714e97a1546b6",
    "25a07136e738c9123dd3daa1238004bf356c5eb5",
    "772d7c6309c3589154f2b27d3d7f3ba8c37a7df7",
    "f5dbee3b86d1bd7e9bf2cb4f84b24cc729c0a64f",
)
"""RECIPE's commits: evidence names them, so a change of them must be meant."""

TAG_FORMAT = "%(objecttype) %(taggername) %(taggerdate:unix)"

Poison = Callable[[Path], dict[str, str]]


def config_in_the_environment(folder: Path) -> dict[str, str]:
    del folder
    settings = {
        "commit.gpgsign": "true",
        "core.autocrlf": "true",
        "status.showUntrackedFiles": "no",
    }
    numbered = list(enumerate(settings.items()))
    return {
        "GIT_CONFIG_COUNT": str(len(settings)),
        **{f"GIT_CONFIG_KEY_{n}": key for n, (key, _) in numbered},
        **{f"GIT_CONFIG_VALUE_{n}": value for n, (_, value) in numbered},
    }


def config_of_a_command_line(folder: Path) -> dict[str, str]:
    del folder
    return {"GIT_CONFIG_PARAMETERS": "'core.fileMode=false' 'commit.gpgsign=true'"}


def templates_with_a_hook(folder: Path) -> dict[str, str]:
    script(folder / "templates" / "hooks" / "pre-commit", "exit 1")
    return {"GIT_TEMPLATE_DIR": str(folder / "templates")}


def templates_by_config(folder: Path) -> dict[str, str]:
    templates = templates_with_a_hook(folder)["GIT_TEMPLATE_DIR"]
    (folder / "config").write_text(f"[init]\ntemplateDir = {templates}\n")
    return {"GIT_CONFIG_GLOBAL": str(folder / "config")}


def ignored_everywhere(folder: Path) -> dict[str, str]:
    """The file that git reads for ``core.excludesFile`` when no configuration names one."""
    (folder / "git").mkdir()
    (folder / "git" / "ignore").write_text(".env*\n*.ccci.yml\n")
    return {"XDG_CONFIG_HOME": str(folder)}


def attributes_everywhere(folder: Path) -> dict[str, str]:
    (folder / "git").mkdir()
    (folder / "git" / "attributes").write_text("*.yml text eol=crlf\n")
    return {"XDG_CONFIG_HOME": str(folder)}


def a_home_of_settings(folder: Path) -> dict[str, str]:
    (folder / ".gitconfig").write_text(
        "[user]\nname = Somebody\n[commit]\ngpgsign = true\n[core]\nautocrlf = true\n"
        "[init]\ndefaultBranch = other\ntemplateDir = /no/such\n"
    )
    return {"HOME": str(folder), "GIT_CONFIG_GLOBAL": str(folder / ".gitconfig")}


def somebody_else(folder: Path) -> dict[str, str]:
    del folder
    values = {"NAME": "Else", "EMAIL": "else@example.org", "DATE": "2001-01-01T00:00:00Z"}
    roles = ("AUTHOR", "COMMITTER")
    return {f"GIT_{role}_{key}": value for role in roles for key, value in values.items()}


def other_hashes(folder: Path) -> dict[str, str]:
    del folder
    return {"GIT_DEFAULT_HASH": "sha256"}


def other_language(folder: Path) -> dict[str, str]:
    del folder
    return {"LANG": "de_DE.UTF-8", "LC_ALL": "de_DE.UTF-8", "TZ": "Asia/Kolkata"}


POISONS = (
    config_in_the_environment,
    config_of_a_command_line,
    templates_with_a_hook,
    templates_by_config,
    ignored_everywhere,
    attributes_everywhere,
    a_home_of_settings,
    somebody_else,
    other_hashes,
    other_language,
)


def poison_with(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("poison", POISONS)
def test_nothing_that_a_user_set_changes_a_recipe_or_its_stamp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, poison: Poison
) -> None:
    (tmp_path / "poison").mkdir()
    poison_with(monkeypatch, poison(tmp_path / "poison"))
    before = state(tmp_path / "poison")
    origin, tree = tmp_path / "upstream", tmp_path / "tree"
    assert build_repository(RECIPE, origin) == SHAS
    tags = git.open_at(origin).git.for_each_ref("refs/tags", format=TAG_FORMAT).splitlines()
    assert tags == ["tag stamplab 1780272000", "tag stamplab 1780275600"]
    checkout.fetch(origin, origin, tree, BASE_TAG)
    assert chaos_version(tree) == SHAS[1][:8]
    assert b"\r" not in (tree / "compose.yml").read_bytes()
    checkout.write_uncommitted(tree, {"compose.ccci.yml": "services: {}\n"})
    assert chaos_version(tree) == f"{SHAS[1][:8]}+U"
    assert checkout.check_out(tree, "main") == SHAS[-1]
    assert not (tree / "compose.ccci.yml").exists()
    assert state(tmp_path / "poison") == before


@pytest.fixture
def other_repository(tmp_path: Path) -> Path:
    """A repository of the user's, with a file that is not committed."""
    other_repository = tmp_path / "other_repository"
    git.create(other_repository)
    (other_repository / "draft").write_text("not committed\n")
    return other_repository


def state(repository: Path) -> dict[str, bytes]:
    """Every file of a repository, git's own included."""
    files = (path for path in repository.rglob("*") if path.is_file())
    return {str(path.relative_to(repository)): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    "exported",
    [
        ("GIT_DIR",),
        ("GIT_DIR", "GIT_WORK_TREE"),
        ("GIT_INDEX_FILE",),
        ("GIT_DIR", "GIT_INDEX_FILE", "GIT_PREFIX"),
        ("GIT_OBJECT_DIRECTORY",),
    ],
)
def test_run_by_a_hook_we_leave_the_repository_of_that_hook_alone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    other_repository: Path,
    exported: tuple[str, ...],
) -> None:
    before = state(other_repository)
    values = {
        "GIT_DIR": other_repository / ".git",
        "GIT_WORK_TREE": other_repository,
        "GIT_INDEX_FILE": other_repository / ".git" / "index",
        "GIT_OBJECT_DIRECTORY": other_repository / ".git" / "objects",
        "GIT_PREFIX": "",
    }
    poison_with(monkeypatch, {name: str(values[name]) for name in exported})
    origin, tree = tmp_path / "upstream", tmp_path / "tree"
    (sha,) = build_repository(msgspec.structs.replace(RECIPE, commits=RECIPE.commits[:1]), origin)
    assert sha == SHAS[0]
    checkout.fetch(origin, origin, tree, "main")
    assert checkout.check_out(tree, "main") == sha
    assert checkout.read_policy(tree, "app").commit == sha
    assert state(other_repository) == before


def test_a_recipe_is_not_built_over_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("something\n")
    recipes.repository(RECIPE, tmp_path / "repository")
    with pytest.raises(LabError, match=r"the repository .*file cannot be made"):
        build_repository(RECIPE, tmp_path / "file")
    with pytest.raises(LabError, match="cannot be made"):
        build_repository(RECIPE, tmp_path / "repository")


def test_no_git_is_said_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="git is not on PATH"):
        git.require_git()
    with pytest.raises(LabError, match="git is not on PATH"):
        git.create(tmp_path / "new")
    assert git.describe(tmp_path) is None


def test_a_branch_without_a_commit_has_no_policy_and_no_stamp(tmp_path: Path) -> None:
    git.create(tmp_path / "unborn")
    with pytest.raises(LabError, match=r"compose\.yml cannot be read at HEAD of .*unborn"):
        checkout.read_policy(tmp_path / "unborn", "app")
    with pytest.raises(
        LabError, match=r"unborn has no stamp: .*its HEAD names a branch that has no commit"
    ):
        chaos_version(tmp_path / "unborn")


@pytest.mark.parametrize("ref", ["--help", "--orphan=x", ""])
def test_what_looks_like_an_option_is_no_ref(tmp_path: Path, ref: str) -> None:
    recipes.repository(RECIPE, tmp_path / "upstream")
    with pytest.raises(LabError, match="cannot be checked out"):
        checkout.check_out(tmp_path / "upstream", ref)


def test_a_compose_file_with_an_impossible_date_is_said(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    git.create(tree)
    (tree / "compose.yml").write_text("services: {app: {image: 2026-99-99}}\n")
    with pytest.raises(LabError, match=r"compose\.yml is no compose file that can be read"):
        checkout.read_compose(tree)
