"""Every known difference between git and go-git, one plain state each (docs/abra.md has a table).

The template (`tests/property/repositories.py`) is clean for everybody. A line here says what was
done to it, what git says then, what go-git says, and so what the stamp says.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from stamplab.lab.abra import stamp
from stamplab.lab.abra.gogit.differences import DIFFERENCES, explain
from tests import readers
from tests.gogit.asking import GoGit
from tests.property.repositories import Builder, Built, State
from tests.property.steps import RECHECKOUT, Step


class Pin(msgspec.Struct, frozen=True):
    """A state, and what is said of it; ``only`` the one reader that differs from go-git."""

    reason: str
    script: str
    git: str
    gogit: str
    has_submodule: bool = False
    reader: str = "git"


TRUSTED = "touch -r a ../r; printf 'ONE MORE\\n' >a; touch -r ../r a"
"""Other content of the same size, of the same time; the index is newer."""

HOLLOW = (
    "t=$({ git ls-tree HEAD; printf '040000 tree %s\\tcc\\n' $(git mktree </dev/null); } "
    "| git mktree --missing); git update-ref HEAD $(git commit-tree -m hollow $t); "
)
"""A commit with a folder that holds nothing, which no index can have."""

PINS = (
    Pin("ignored elsewhere", "mkdir .git/info; echo new >.git/info/exclude; echo n >new",
        "clean", "dirty"),
    Pin("ignored elsewhere",
        'echo new >../i; git config core.excludesFile "$PWD/../i"; echo n >new', "clean", "dirty"),
    Pin("ignored elsewhere",
        "echo new >../home/i; git config --global core.excludesFile '~/i'; echo n >new",
        "clean", "dirty"),
    Pin("ignored elsewhere",
        "mkdir -p ../home/xdg/git; echo new >../home/xdg/git/ignore; echo n >new",
        "clean", "dirty"),
    Pin("ignore dialect",
        "printf 'build/\\n!keep\\n' >.gitignore; git commit -qam i; mkdir build; "
        "echo n >build/keep",
        "clean", "dirty"),
    Pin("ignore dialect",
        "printf '*\\n!*/\\n' >.gitignore; git commit -qam i; echo n >d/n", "clean", "dirty"),
    Pin("ignore dialect", "echo '[!a]ew' >.gitignore; git commit -qam i; echo n >new",
        "clean", "dirty"),
    Pin("ignore dialect", "echo '[[:alpha:]]ew' >.gitignore; git commit -qam i; echo n >new",
        "clean", "dirty"),
    Pin("ignore dialect",
        "echo '**/n/m' >.gitignore; git commit -qam i; mkdir -p n/x/n; echo n >n/x/n/m",
        "clean", "dirty"),
    Pin("ignore dialect",
        "printf '\\357\\273\\277new\\n' >.gitignore; git commit -qam i; echo n >new",
        "clean", "dirty"),
    Pin("ignore dialect",
        "git config core.ignoreCase true; echo NEW >.gitignore; git commit -qam i; echo n >new",
        "clean", "dirty"),
    Pin("ignore dialect",
        "git mv .gitignore i; ln -s i .gitignore; git add .gitignore; git commit -qm i; "
        "echo n >x.log",
        "dirty", "clean"),
    Pin("converted content", "git config core.autocrlf true" + RECHECKOUT + "; touch b.txt",
        "clean", "dirty"),
    Pin("converted content", "echo '*.txt text eol=crlf' >.gitattributes; git add -A; "
        "git commit -qm x" + RECHECKOUT + "; touch b.txt", "clean", "dirty"),
    Pin("converted content", "echo 'crlf.txt text' >.gitattributes; git add .gitattributes; "
        "git commit -qm x; touch crlf.txt", "dirty", "clean"),
    Pin("converted content", "echo 'id.txt ident' >.gitattributes; git add .gitattributes; "
        "git commit -qm x" + RECHECKOUT + "; rm id.txt; git checkout id.txt; touch id.txt",
        "clean", "dirty"),
    Pin("converted content", "git config filter.up.clean 'tr a-z A-Z'; mkdir .git/info; "
        "echo 'b.txt filter=up' >.git/info/attributes; touch b.txt", "dirty", "clean"),
    Pin("file modes ignored", "git config core.fileMode false; chmod +x a", "clean", "dirty"),
    Pin("links as files", "git config core.symlinks false; rm link; git checkout link",
        "clean", "dirty"),
    Pin("absolute link", "ln -sfn /nowhere link; git commit -qam x; touch -h link",
        "clean", "dirty"),
    Pin("stat data believed", TRUSTED, "dirty", "clean"),
    Pin("stat data believed by git", "git config core.checkStat minimal; "
        "git config core.trustctime false; touch -d @1600000001.5 ../r; printf 'ONE MORE\\n' >a; "
        "touch -r ../r a", "clean", "dirty"),
    Pin("assume-unchanged", "git update-index --assume-unchanged a; echo n >>a", "clean", "dirty"),
    Pin("skip-worktree", "echo n >>a; git add a; git update-index --skip-worktree a",
        "dirty", "clean"),
    Pin("skip-worktree", "git update-index --skip-worktree d/c.yml d/e/f; echo n >d/n",
        "dirty", "clean"),
    Pin("skip-worktree", HOLLOW + "git update-index --skip-worktree crlf.txt", "clean", "dirty"),
    Pin("changes inside a submodule", "echo n >>sub/l", "dirty", "clean", True),
    Pin("changes inside a submodule", "echo n >sub/untracked", "dirty", "clean", True),
    Pin("gitlink without .gitmodules", "git clone -q ../lib inner; git add inner; git commit -qm x",
        "clean", "dirty"),
    Pin("another submodule HEAD", "git config --remove-section submodule.sub; "
        "git -C sub commit -q --allow-empty -m moved", "dirty", "clean", True),
    Pin("submodule without a repository", "git submodule --quiet deinit -f sub; "
        "rm -rf .git/modules/sub; git config submodule.sub.url /lib; rmdir sub",
        "dirty", "clean", True),
    Pin("file in a submodule's place", "rm -rf sub; echo n >sub", "dirty", "clean", True),
    Pin(".gitmodules without gitlink", "mkdir empty; "
        "printf '[submodule \"o\"]\\npath = empty\\nurl = /x\\n' >.gitmodules; "
        "git add .gitmodules; git commit -qm x", "clean", "dirty"),
    Pin("nested repository", "git init -q nested", "dirty", "clean"),
    Pin("nested repository", "git init -q nested; echo n >nested/n; echo '*' >nested/.gitignore",
        "dirty", "clean"),
    Pin("special file", "mkfifo fifo", "clean", "dirty"),
    Pin("file name refused", "echo n >aux; git add aux; git commit -qm x; touch aux",
        "clean", "dirty"),
    Pin("replaced objects", "git replace HEAD HEAD~1", "dirty", "clean"),
    Pin("work tree elsewhere", 'git config core.worktree "$PWD/d"', "dirty", "clean"),
    Pin("hidden by configuration", "git config status.showUntrackedFiles no; echo n >new",
        "clean", "dirty"),
    Pin("hidden by configuration", "git config submodule.sub.ignore all; "
        "git -C sub commit -q --allow-empty -m moved", "clean", "dirty", True),
    Pin("unresolved conflict", "h=$(git rev-parse HEAD:b.txt); git rm -q --cached b.txt; "
        "printf '100644 %s 2\\tb.txt\\n' $h | git update-index --index-info", "dirty", "clean"),
    Pin("no index", "git rm -qr .; git commit -qm none; git reset -q --soft HEAD~1; rm .git/index",
        "clean", "dirty", reader="GitPython"),
    Pin("bare by configuration", "git config core.bare true", "refused", "clean"),
    Pin("bare by configuration", "git config core.bare true; echo n >new",
        "clean", "dirty", reader="GitPython"),
    Pin("HEAD that holds no SHA", "echo nonsense >.git/HEAD", "refused", "dirty"),
    Pin("name that is no UTF-8", "echo n >$(printf 'caf\\351')",
        "refused", "dirty", reader="GitPython"),
    Pin("unsupported format", "git init -q --object-format=sha256 ../s; cd ../s; echo n >n; "
        "git add n; git commit -qm x", "clean", "refused"),
    Pin("unsupported format", "git sparse-checkout set d", "clean", "refused"),
    Pin("unsupported format", "git config core.repositoryFormatVersion 1; "
        "git config extensions.partialClone origin", "clean", "refused"),
    Pin("unsupported format", "git config branch.main.rebase merges", "clean", "refused"),
    Pin("unsupported format", "git config remote.o.fetch main", "clean", "refused"),
    Pin("linked work tree", "git worktree add -q ../linked; cd ../linked", "clean", "refused"),
    Pin("linked work tree", "git worktree add -q --detach ../linked; cd ../linked",
        "clean", "refused"),
    Pin("borrowed objects", "git clone -q --shared . ../shared; cd ../shared", "clean", "refused"),
    Pin("borrowed objects", "git clone -q --shared . ../shared; cd ../shared; echo n >n; "
        "git add n; git commit -qm x", "clean", "dirty"),
    Pin("commit without its objects",
        "git read-tree --empty; git commit -qm none; rm -rf * .gitignore", "clean", "refused"),
    Pin("index not understood", "git update-index --split-index", "clean", "refused"),
    Pin("folder name refused", "mkdir nul; echo n >nul/n; git add -A; git commit -qm x",
        "clean", "refused"),
    Pin("folder name refused", "mkdir 'a\tb'; echo n >'a\tb/n'; git add -A; git commit -qm x",
        "clean", "refused"),
    Pin("submodule refused", "rm -rf sub .git/modules/sub; git clone -q ../lib sub",
        "clean", "refused", True),
    Pin("submodule refused", "mv .gitmodules m; ln -s m .gitmodules; git add -A; git commit -qm x",
        "clean", "refused", True),
)  # fmt: skip


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    return Builder(tmp_path_factory.mktemp("pinned"))


def made(builder: Builder, script: str, has_submodule: bool = False) -> Built:
    return builder.build(State((Step("pinned", script),), has_submodule))


@pytest.mark.parametrize("pin", PINS, ids=lambda pin: f"{pin.reason}: {pin.script[:60]!r}")
def test_a_difference(pin: Pin, gogit: GoGit, builder: Builder) -> None:
    built = made(builder, pin.script, pin.has_submodule)
    ours, git = readers.of_ours(built), readers.of_git(built)
    reasons = explain(built.repository, built.home)
    theirs = readers.of_gogit(gogit.ask(built.repository))
    other = git if pin.reader == "git" else readers.of_gitpython(built)
    assert (other.said, theirs.said, ours.said) == (pin.git, pin.gogit, pin.gogit), (other, theirs)
    assert ours.stamp == theirs.stamp
    pairs = {reason.name: reason.pairs for reason in reasons}
    assert (pin.git, pin.gogit) in pairs[pin.reason]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository to somebody else")
def test_go_git_does_not_ask_whose_a_repository_is(gogit: GoGit, builder: Builder) -> None:
    built = made(builder, "chown -Rh 12345 .")
    assert readers.of_ours(built).said == "clean"
    assert readers.of_gogit(gogit.ask(built.repository)).said == "clean"
    git = readers.of_git(built)
    assert (git.said, "dubious ownership" in git.reason) == ("refused", True)
    assert [reason.name for reason in explain(built.repository, built.home)] == ["another owner"]


def test_every_reason_is_pinned() -> None:
    assert {pin.reason for pin in PINS} | {"another owner"} == {one.name for one in DIFFERENCES}


@pytest.mark.parametrize("has_submodule", [False, True])
def test_an_ordinary_checkout_is_clean_for_all_three(
    gogit: GoGit, builder: Builder, has_submodule: bool
) -> None:
    """Where a predicate holds of the template already, it would explain too much."""
    built = made(builder, "git read-tree HEAD; git update-index -q --refresh", has_submodule)
    verdicts = {
        readers.of_ours(built).stamp,
        readers.of_git(built).stamp,
        readers.of_gogit(gogit.ask(built.repository)).stamp,
        readers.of_gitpython(built).stamp,
    }
    assert [said for _, said in verdicts] == ["clean"]
    held = {reason.name for reason in explain(built.repository, built.home)}
    assert held <= {"changes inside a submodule"}


def test_the_table_of_the_documentation_has_every_reason() -> None:
    text = (Path(__file__).parents[3] / "docs" / "abra.md").read_text()
    assert [one.name for one in DIFFERENCES if f"\n| {one.name} |" not in text] == []


@pytest.mark.parametrize("script", ["touch a", "touch .git/index.lock", "git pack-refs --all",
    "git checkout -q --detach", "git update-index --index-version 4", "mkdir -p empty/er",
    'git clone -q --depth 1 "file://$PWD" ../shallow; cd ../shallow'])  # fmt: skip
def test_what_makes_no_difference(script: str, gogit: GoGit, builder: Builder) -> None:
    built = made(builder, script)
    assert readers.of_ours(built).said == readers.of_git(built).said == "clean"
    assert readers.of_gogit(gogit.ask(built.repository)).said == "clean"


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("rm -rf .git", "is no git work tree: it has no .git"),
        ("git init -q --bare ../b; cd ../b", "is a bare repository, which has no work tree"),
        ("git checkout -q --orphan o", "cannot be read: it names a branch that has no commit yet"),
        ("echo junkjunkjunk >.git/index", "cannot be read as go-git would: it is no index file"),
        ("head -c 200 .git/index >../i; cp ../i .git/index", "it is cut off"),
        ("printf x | dd of=.git/index bs=1 seek=90 conv=notrunc", "its checksum is wrong"),
        ("rm -rf .git; echo 'gitdir: /nowhere' >.git", "there is no /nowhere, which its .git"),
        ("rm -rf .git/objects; mkdir .git/objects", "git cannot list it"),
        ("echo '[broken' >>.git/config", "cannot be read: git said: fatal: bad config line"),
        ("git worktree add -q ../l; cd ../l", "made by `git worktree add`, which go-git cannot"),
    ],
)
def test_what_has_no_stamp_is_said_in_a_sentence(
    script: str, sentence: str, gogit: GoGit, builder: Builder
) -> None:
    built = made(builder, script)
    ours = readers.of_ours(built)
    assert readers.of_gogit(gogit.ask(built.repository)).said == ours.said == "refused"
    assert sentence in ours.reason
    assert "\n" not in ours.reason


def test_the_global_excludes_of_a_home_count_only_where_it_is_given(
    gogit: GoGit, builder: Builder
) -> None:
    built = made(
        builder, "echo new >../home/i; git config --global core.excludesFile '~/i'; echo n >new"
    )
    assert not stamp.is_clean(built.repository)
    assert stamp.is_clean(built.repository, built.home)
    assert readers.of_gogit(gogit.ask(built.repository, built.home)).said == "clean"


def test_looking_changes_nothing(builder: Builder) -> None:
    """GitPython's stamper rewrote the index by looking (`git diff` refreshes it)."""
    built = made(builder, "touch a; echo n >>b.txt; mkdir nested")
    before = {path: path.lstat().st_mtime_ns for path in built.repository.rglob("*")}
    assert not stamp.is_clean(built.repository)
    assert {path: path.lstat().st_mtime_ns for path in built.repository.rglob("*")} == before
