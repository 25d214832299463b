"""A recipe that is not ours: acquired whole, both commits found, or refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from stamplab.lab.errors import LabError, UsageError
from stamplab.lab.recipe import checkout, git
from stamplab.lab.recipe.repository import RecipeCommit, RecipeHistory, build_repository
from stamplab.lab.recipe.source import AcquiredRecipe, RecipeSource, acquire, read_at_commit
from tests.recipes import KEYCLOAK, Cloned, bare_clone

BASE = "1.0.0+25.0.1"


@pytest.fixture
def clone(tmp_path: Path) -> Cloned:
    return bare_clone(KEYCLOAK, tmp_path)


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


@pytest.mark.parametrize("base", [BASE, f"refs/tags/{BASE}", None])
@pytest.mark.parametrize("head", ["main", "refs/heads/main", None])
def test_a_ref_is_a_tag_a_branch_or_a_commit(
    clone: Cloned, scratch: Path, base: str | None, head: str | None
) -> None:
    acquired = acquire(clone.source(base, head or clone.shas[-1]), scratch)
    assert (acquired.base, acquired.head) == clone.shas
    assert acquired.name == "keycloak"
    assert acquired.notes == ()


@pytest.mark.parametrize("form", ["path", "work tree", "its .git", "URL", "relative"])
def test_every_form_of_an_address(
    clone: Cloned, scratch: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clone.origin)
    address = {
        "path": str(clone.path),
        "work tree": f"{clone.origin}/",
        "its .git": str(clone.origin / ".git"),
        "URL": f"file://{clone.path}",
        "relative": ".",
    }[form]
    acquired = acquire(RecipeSource(recipe=address, base=BASE, head="main"), scratch)
    assert (acquired.name, acquired.head) == ("keycloak", clone.shas[-1])


def test_a_tag_may_be_lightweight_or_annotated(clone: Cloned, scratch: Path) -> None:
    git.open_at(clone.path).git.tag("light", clone.shas[0])
    assert acquire(clone.source("light"), scratch).base == clone.shas[0]


def test_a_head_on_no_branch_is_fetched_by_its_name(clone: Cloned, scratch: Path) -> None:
    repo = git.open_at(clone.path)
    tree = repo.git.rev_parse("main^{tree}")
    unreachable = repo.git.commit_tree(tree, "-p", "main", "-m", "on no branch")
    acquired = acquire(clone.source(head=unreachable), scratch)
    assert acquired.head == unreachable
    read = read_at_commit(acquired, acquired.head, scratch / "tree")
    assert read.compose.services["app"].image == "keycloak/keycloak:26.0.0"
    assert checkout.resolve(scratch / "tree", "HEAD") == unreachable


def test_tags_come_from_the_upstream(clone: Cloned, scratch: Path) -> None:
    git.open_at(clone.path).git.tag("--delete", BASE)
    acquired = acquire(clone.source(BASE, upstream=clone.origin), scratch)
    assert acquired.base == clone.shas[0]
    read_at_commit(acquired, acquired.base, scratch / "tree")
    assert BASE in checkout.tags(scratch / "tree")


def test_a_base_that_only_the_upstream_has(clone: Cloned, scratch: Path) -> None:
    """A mirror that is behind: the base is a branch there, on no ref here."""
    repo = git.open_at(clone.origin)
    tree = repo.git.rev_parse("main^{tree}")
    later = repo.git.commit_tree(tree, "-p", "main", "-m", "later")
    repo.git.update_ref("refs/heads/next", later)
    acquired = acquire(clone.source("next", upstream=clone.origin), scratch)
    assert acquired.base == later
    assert read_at_commit(acquired, later, scratch / "tree").compose.services


def acquire_changed(clone: Cloned, scratch: Path) -> AcquiredRecipe:
    """Acquire the work tree, in which a file differs from what is committed."""
    (clone.origin / "compose.yml").write_text("services: {}\n")
    return acquire(RecipeSource(recipe=str(clone.origin), base=BASE, head="main"), scratch)


def test_what_is_not_committed_is_said_and_not_played(clone: Cloned, scratch: Path) -> None:
    acquired = acquire_changed(clone, scratch)
    note = f"{clone.origin} has changes that are not committed: only commits are played"
    assert acquired.notes == (note,)
    assert read_at_commit(acquired, acquired.head, scratch / "tree").compose.services


def test_looking_at_a_work_tree_runs_no_filter_of_its_own(clone: Cloned, scratch: Path) -> None:
    mark = scratch.parent / "mark"
    git.open_at(clone.origin).git.config("filter.evil.clean", f"touch {mark}; cat")
    (clone.origin / ".gitattributes").write_text("* filter=evil\n")
    assert len(acquire_changed(clone, scratch).notes) == 1
    assert not mark.exists()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("", "is no address"),
        ("-x", "is no address"),
        ("--upload-pack=touch x", "is no address"),
        ("a\nb", "is no address"),
        ("/no/such/folder", "there is no folder"),
        ("ext::sh -c touch% mark", "would have git run a program"),
        ("ssh://host.invalid/x", "would need a key of yours"),
        ("git@host.invalid:x/y.git", "would need a key of yours"),
        ("ftp://host.invalid/x", "is no address for git"),
        ("https://user:secret@host.invalid/x", "holds credentials"),
        ("file:///etc/..", "no name"),
        ("file:///no/such/thing", "is 'file:///no/such/thing' a git repository"),
    ],
)
@pytest.mark.parametrize("which", ["recipe", "upstream"])
def test_what_is_no_source_is_said_in_one_sentence(
    clone: Cloned, scratch: Path, address: str, message: str, which: str
) -> None:
    places = {"recipe": str(clone.path), which: address}
    if (which, message) == ("upstream", "no name"):
        message = "cannot be cloned"
    with pytest.raises(UsageError, match=message) as caught:
        acquire(RecipeSource(base=BASE, head="main", **places), scratch)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_folder_that_is_no_repository(scratch: Path) -> None:
    with pytest.raises(UsageError, match="a git repository"):
        acquire(RecipeSource(recipe=str(scratch.parent), base="a", head="b"), scratch)


@pytest.mark.parametrize("ref", ["9.9.9", "0" * 40, "main~1", "", "-x", "a..b", "x\ny", "f" * 39])
@pytest.mark.parametrize("which", ["base", "head"])
def test_a_ref_that_there_is_not(clone: Cloned, scratch: Path, ref: str, which: str) -> None:
    refs = {"base": BASE, "head": "main", which: ref}
    with pytest.raises(UsageError, match="no tag, branch or commit") as caught:
        acquire(RecipeSource(recipe=str(clone.path), **refs), scratch)
    assert "\n" not in str(caught.value)


def test_base_and_head_alike_are_no_upgrade(clone: Cloned, scratch: Path) -> None:
    with pytest.raises(UsageError, match="there is nothing to upgrade"):
        acquire(clone.source("main", clone.shas[-1]), scratch)


def test_an_empty_repository_has_no_refs(tmp_path: Path, scratch: Path) -> None:
    git.create(tmp_path / "empty")
    with pytest.raises(UsageError, match="no tag, branch or commit"):
        acquire(RecipeSource(recipe=str(tmp_path / "empty"), base="a", head="main"), scratch)


def test_nobodys_credentials_are_looked_for(
    clone: Cloned, scratch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text('[url "/no/such"]\ninsteadOf = /\n')
    (home / ".netrc").write_text("machine host.invalid login x password y\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_SSH_COMMAND", f"touch {tmp_path}/mark")
    monkeypatch.setenv("SSH_ASKPASS", "/bin/false")
    assert acquire(clone.source(), scratch).head == clone.shas[-1]
    assert git.ISOLATED["HOME"] == "/dev/null"
    assert sorted(path.name for path in home.iterdir()) == [".gitconfig", ".netrc"]


def test_a_recipe_without_a_compose_file(tmp_path: Path, scratch: Path) -> None:
    history = RecipeHistory(
        name="none",
        commits=(
            RecipeCommit(message="a", files={"README.md": "a"}),
            RecipeCommit(message="b", files={".env.sample": "COMPOSE_FILE=a.yml:b.yml\n"}),
        ),
    )
    shas = build_repository(history, tmp_path / "none")
    source = RecipeSource(recipe=str(tmp_path / "none"), base=shas[0], head="main")
    acquired = acquire(source, scratch)
    with pytest.raises(UsageError, match=r"there is no compose\.yml in it"):
        read_at_commit(acquired, acquired.base, scratch / "base")
    with pytest.raises(UsageError, match=r"no a\.yml and no b\.yml"):
        read_at_commit(acquired, acquired.head, scratch / "head")


def test_a_mirror_that_has_moved_a_tag_is_said(clone: Cloned, scratch: Path) -> None:
    git.open_at(clone.path).git.tag("--force", BASE, "main")
    acquired = acquire(clone.source(BASE, upstream=clone.origin), scratch)
    assert acquired.base == clone.shas[0]
    with pytest.raises(LabError, match="would clobber existing tag"):
        read_at_commit(acquired, acquired.head, scratch / "tree")
