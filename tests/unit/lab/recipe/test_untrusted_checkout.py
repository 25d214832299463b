"""A recipe's repository is somebody else's: no link, hook or filter in it reaches past it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stamplab.lab.abra.folder import AbraFolder
from stamplab.lab.abra.stamp import chaos_version
from stamplab.lab.errors import LabError, RecipeRefused, UsageError
from stamplab.lab.recipe import checkout, git
from stamplab.lab.recipe.containment import escape_target
from stamplab.lab.recipe.env_file import with_values
from stamplab.lab.recipe.repository import RecipeCommit, RecipeHistory, build_repository
from tests.scripts import put, script

OVERLAY = {"compose.ccci.yml": "services: {}\n"}


@pytest.fixture
def host_file(tmp_path: Path) -> Path:
    """A file of the host that no recipe may read or write."""
    file = tmp_path / "passwd"
    file.write_text("services: {root: {image: secret}}\n")
    return file


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    git.create(tmp_path / "origin")
    (tmp_path / "origin" / "compose.yml").write_text("services: {app: {image: a:1}}\n")
    return tmp_path / "origin"


def commit(origin: Path) -> None:
    repo = git.open_at(origin)
    repo.git.add("--all")
    repo.git.commit("--quiet", "--message", "evil")


def fetched(origin: Path, tmp_path: Path) -> Path:
    commit(origin)
    checkout.fetch(origin, origin, tmp_path / "tree", "main")
    return tmp_path / "tree"


def test_an_overlay_takes_a_links_place(origin: Path, host_file: Path, tmp_path: Path) -> None:
    (origin / "compose.ccci.yml").symlink_to(host_file)
    tree = fetched(origin, tmp_path)
    assert (tree / "compose.ccci.yml").is_symlink()
    before = host_file.read_text()
    checkout.write_uncommitted(tree, OVERLAY)
    assert host_file.read_text() == before
    assert not (tree / "compose.ccci.yml").is_symlink()
    assert (tree / "compose.ccci.yml").read_text() == OVERLAY["compose.ccci.yml"]


def test_no_overlay_goes_by_a_linked_folder(origin: Path, host_file: Path, tmp_path: Path) -> None:
    (origin / "overlays").symlink_to(tmp_path)
    tree = fetched(origin, tmp_path)
    before = host_file.read_text()
    with pytest.raises(RecipeRefused, match=r"overlays leads to .*, out of the recipe's folder"):
        checkout.write_uncommitted(tree, {"overlays/passwd": "mine\n"})
    assert host_file.read_text() == before


def test_an_overlay_cannot_take_the_place_of_a_folder(origin: Path, tmp_path: Path) -> None:
    (origin / "compose.ccci.yml").mkdir()
    (origin / "compose.ccci.yml" / "file").write_text("")
    with pytest.raises(LabError, match=r"compose\.ccci\.yml cannot be written"):
        checkout.write_uncommitted(fetched(origin, tmp_path), OVERLAY)


def test_no_image_is_read_through_a_link_out(origin: Path, host_file: Path, tmp_path: Path) -> None:
    (origin / "compose.yml").unlink()
    (origin / "compose.yml").symlink_to(host_file)
    with pytest.raises(RecipeRefused, match=r"compose\.yml leads to .*passwd"):
        checkout.read_compose(fetched(origin, tmp_path))


def test_a_link_within_the_recipe_is_followed(origin: Path, tmp_path: Path) -> None:
    (origin / "compose.yml").rename(origin / "real.yml")
    (origin / "compose.yml").symlink_to("real.yml")
    assert checkout.read_compose(fetched(origin, tmp_path)).services["app"].image == "a:1"


def test_of_a_linked_policy_the_text_is_read(origin: Path, host_file: Path, tmp_path: Path) -> None:
    (origin / "compose.yml").unlink()
    (origin / "compose.yml").symlink_to(host_file)
    with pytest.raises(LabError, match="is no compose file that can be read") as caught:
        checkout.read_policy(fetched(origin, tmp_path), "root")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "clause"),
    [
        ("compose.yml", None),
        ("not/there/yet", None),
        ("loop", "leads nowhere"),
        ("out", "leads to /etc/hostname, out of the recipe's folder"),
        ("folder/hostname", "leads to /etc/hostname, out of the recipe's folder"),
        ("../origin/compose.yml", None),
        ("/etc/hostname", "leads to /etc/hostname, out of the recipe's folder"),
        (".git/config", "leads into git's own folder"),
        ("git", "leads into git's own folder"),
        ("nul\0", "leads nowhere"),
    ],
)
def test_where_a_path_leads(origin: Path, path: str, clause: str | None) -> None:
    (origin / "loop").symlink_to("loop")
    (origin / "out").symlink_to("/etc/hostname")
    (origin / "folder").symlink_to("/etc")
    (origin / "git").symlink_to(".git")
    target = escape_target(origin, origin / path)
    assert target == clause if target is None or clause is None else target.startswith(clause)


def armed(repository: Path, marker: Path) -> None:
    """Put into a repository all that could run a program of its author's."""
    lines = f"touch {marker}\ncat"
    hooks = ("post-checkout", "post-merge", "post-index-change", "reference-transaction")
    put(repository / ".git" / "hooks", *hooks, lines=lines)
    program = script(repository.parent / "program", lines)
    for key in ("core.fsmonitor", "uploadpack.packObjectsHook", "filter.evil.smudge"):
        subprocess.run(["git", "config", key, str(program)], cwd=repository, check=True)


def committed_traps(repository: Path, marker: Path) -> None:
    """Commit what a repository can carry to whoever checks it out."""
    (repository / ".gitattributes").write_text("* filter=evil diff=evil merge=evil\n")
    (repository / ".gitmodules").write_text(
        f'[submodule "evil"]\n\tpath = sub\n\turl = ext::touch {marker}\n'
        f"\tupdate = !touch {marker}\n"
    )
    (repository / ".gitconfig").write_text(f'[filter "evil"]\n\tsmudge = touch {marker}\n')


def test_nothing_of_a_mirror_is_run(origin: Path, tmp_path: Path) -> None:
    marker = tmp_path / "was-run"
    committed_traps(origin, marker)
    commit(origin)
    armed(origin, marker)
    tree = tmp_path / "tree"
    checkout.fetch(origin, origin, tree, "main")
    checkout.check_out(tree, "main")
    checkout.write_uncommitted(tree, OVERLAY)
    assert chaos_version(tree).endswith("+U")
    checkout.read_policy(tree, "app")
    assert not marker.exists()
    assert [file.name for file in (tree / ".git").glob("hooks/*")] == []


def test_no_hook_or_watcher_of_a_given_work_tree_is_run(origin: Path, tmp_path: Path) -> None:
    """A recipe's folder may be given as it is, with a .git that somebody prepared."""
    marker = tmp_path / "was-run"
    commit(origin)
    armed(origin, marker)
    checkout.check_out(origin, "main")
    checkout.write_uncommitted(origin, OVERLAY)
    assert chaos_version(origin).endswith("+U")
    checkout.read_policy(origin, "app")
    assert not marker.exists()


@pytest.mark.parametrize("name", ["../up", "absolute", ".git/hooks/post-checkout"])
def test_a_recipe_is_not_built_out_of_its_folder(tmp_path: Path, name: str) -> None:
    name = str(tmp_path / "up") if name == "absolute" else name
    history = RecipeHistory(name="x", commits=(RecipeCommit(message="m", files={name: "text"}),))
    with pytest.raises(RecipeRefused, match="the recipe is refused"):
        build_repository(history, tmp_path / "origin")
    assert not (tmp_path / "up").exists()
    assert not (tmp_path / "origin" / name).is_file()


@pytest.mark.parametrize("name", ["../up", "/up", "..", "", "a/b", "a\0"])
def test_a_name_does_not_lead_out_of_the_abra_folder(tmp_path: Path, name: str) -> None:
    folder = AbraFolder(tmp_path / "abra")
    folder.create()
    with pytest.raises(UsageError, match="cannot be a file's name"):
        folder.recipe(name)
    with pytest.raises(UsageError, match="cannot be a file's name"):
        folder.write_env_text(name, with_values("", {"TYPE": "x"}))
    with pytest.raises(UsageError, match="cannot be a file's name"):
        folder.read_env(name)
