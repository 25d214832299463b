"""What go-git refuses is said in a sentence with its cause, and what the sentence advises helps."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pytest

from stamplab.lab.abra import go_git, stamp
from stamplab.lab.abra.go_git import PROGRAMS
from stamplab.lab.abra.refusal import find_cause
from stamplab.lab.errors import LabError
from tests.conftest import built as built_program
from tests.property.repositories import OUTSET, Builder, Built, environment_of
from tests.unit.lab.test_stamp_differences import UNCHECKED, VERSIONS

V5, OLD, DEFAULT, NEW = ("5.16.5", "5.19.3"), "5.16.5", "5.19.3", "6.0.0-beta.1"
COMMITTED = "cd ../s; echo n >n; git add n; git commit -qm x"
SPARSE = "git sparse-checkout set d"
EXTENSION = "git config core.repositoryFormatVersion 1; git config extensions."


class Refused(msgspec.Struct, frozen=True):
    """A state that these versions refuse, in these words."""

    script: str
    words: str
    versions: tuple[str, ...] = tuple(PROGRAMS)
    after: str = "clean"
    """What it is when the advice was followed, and for the other versions."""
    others: str = ""
    """What is said of it for the other versions, where they refuse it too."""


REFUSED = (
    Refused(SPARSE, "extensions.worktreeconfig", (DEFAULT,)),
    Refused(
        "git sparse-checkout set --no-cone '/*'; git sparse-checkout disable",
        "extensions.worktreeconfig",
        (DEFAULT,),
    ),
    Refused(EXTENSION + "partialClone origin", "extensions.partialclone", (DEFAULT, NEW)),
    Refused(EXTENSION + "preciousObjects 1", "extensions.preciousobjects", (DEFAULT, NEW)),
    Refused(
        f"{SPARSE}; {EXTENSION}partialClone origin",
        "extensions.partialclone, extensions.worktreeconfig",
        (DEFAULT,),
    ),
    Refused("git config index.skipHash true; " + UNCHECKED, "index has no checksum", V5),
    Refused(
        "git config --global feature.manyFiles true; echo n >new; git add new; " + UNCHECKED,
        "index has no checksum",
        V5,
        after="dirty",
    ),
    Refused("echo junkjunkjunk >.git/index", "index is damaged"),
    Refused("head -c 200 .git/index >../i; cp ../i .git/index", "index is damaged"),
    Refused("printf x | dd of=.git/index bs=1 seek=90 conv=notrunc", "index is damaged"),
    Refused("git update-index --split-index", "index is split in two"),
    Refused(
        "git config core.splitIndex true; git update-index --split-index", "index is split in two"
    ),
    Refused(
        "git sparse-checkout set --sparse-index d/e",
        "index is a sparse one",
        (OLD, NEW),
        others="extensions.worktreeconfig",
    ),
    Refused("git clone -q --shared . ../shared; cd ../shared", "borrows objects"),
)
HOPELESS = (
    Refused(f"git init -q --object-format=sha256 ../s; {COMMITTED}", "extensions.objectformat", V5),
    Refused("git worktree add -q ../l; cd ../l", "made by `git worktree add`", V5),
    Refused("git worktree add -q --detach ../l; cd ../l", "made by `git worktree add`", V5),
    Refused("rm -rf .git", "is no git work tree: it has no .git"),
    Refused("rm .git/HEAD", "it has no HEAD in its .git"),
    Refused("git init -q --bare ../b; cd ../b", "is a bare repository, which has no work tree"),
    Refused("git checkout -q --orphan o", "a branch that has no commit yet"),
    Refused(
        "rm -rf .git; echo 'gitdir: /nowhere' >.git", "its .git names a folder that is no repos"
    ),
    Refused("mv .git ../dot; ln -s ../dot .git", "leads out of it", (DEFAULT, NEW)),
    Refused("rm -rf .git/objects; mkdir .git/objects", "has what it refuses"),
    Refused("git config branch.main.rebase merges", "has what it refuses", (DEFAULT, NEW)),
)
"""Where no advice helps."""


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The go-git that is chosen."""
    built_program(PROGRAMS[request.param])
    monkeypatch.setenv(go_git.VERSION_VARIABLE, request.param)
    return str(request.param)


def shell(built: Built, script: str) -> None:
    """Run commands in the checkout, as its user."""
    subprocess.run(
        ["sh", "-c", OUTSET.replace("$PWD", str(built.home.parent)) + script],
        cwd=built.repository,
        env=environment_of(built.home),
        check=True,
        capture_output=True,
    )


@pytest.mark.parametrize("refused", [*REFUSED, *HOPELESS], ids=lambda case: case.script[:70])
def test_a_refusal_and_its_advice(refused: Refused, version: str, builder: Builder) -> None:
    built = builder.play(refused.script)
    words = refused.words if version in refused.versions else refused.others
    if not words:
        assert stamp.is_clean(built.repository) == (refused.after == "clean")
        return
    with pytest.raises(LabError) as caught:
        go_git.read(built.repository)
    sentence = str(caught.value)
    assert words in sentence
    assert f"go-git {version} refuses it" in sentence
    assert "\n" not in sentence
    remedy = sentence.partition("what helps, in that folder: ")[2]
    assert bool(remedy) == (refused in REFUSED)
    if remedy:
        shell(built, remedy)
        shell(built, "git status")  # which may write the index anew
        assert stamp.is_clean(built.repository) == (refused.after == "clean")


def test_a_reftable_repository_is_migrated(gogit: go_git.GoGit, builder: Builder) -> None:
    built = builder.play(f"git init -q --ref-format=reftable ../s; {COMMITTED}")
    if built.repository.name != "s" or not (built.repository / ".git" / "reftable").exists():
        pytest.skip("this git knows no reftable")
    cause = find_cause(built.repository, gogit.ask(built.repository).failed)
    assert cause
    assert cause.remedy
    shell(built, cause.remedy)
    assert gogit.ask(built.repository).changes == {}


def test_of_what_cannot_be_looked_at_go_gits_own_words_are_told(tmp_path: Path) -> None:
    dot = tmp_path / ".git"
    dot.mkdir()
    (dot / "HEAD").write_text("ref: refs/heads/main\n")
    (dot / "config").symlink_to("config")
    assert find_cause(tmp_path, "open") is None
    assert find_cause(tmp_path, "panic") is None
