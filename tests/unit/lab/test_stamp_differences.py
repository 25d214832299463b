"""Every known difference between git and go-git, one plain state each (docs/abra.md has a table).

The template (`tests/property/repositories.py`) is clean for everybody. A line here says what was
done to it, what git says then, and what go-git says in each of the versions that are here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from stamplab.lab.abra.go_git import DEFAULT_VERSION, PROGRAMS, GoGit
from tests import readers
from tests.conftest import built as built_program
from tests.property.repositories import Builder
from tests.property.steps import RECHECKOUT


class Pin(msgspec.Struct, frozen=True):
    """A state, and what is said of it."""

    reason: str
    script: str
    git: str
    gogit: str
    """Its verdicts, in the order of `PROGRAMS`."""
    has_submodule: bool = False

    def differs(self, version: str) -> bool:
        """Whether this go-git says something else than git."""
        return self.of(version) != self.git

    def of(self, version: str) -> str:
        """What this go-git says."""
        return self.gogit.split()[list(PROGRAMS).index(version)]


TRUSTED = "touch -r a ../r; printf 'ONE MORE\\n' >a; touch -r ../r a"
"""Other content of the same size, of the same time; the index is newer."""

HOLLOW = (
    "t=$({ git ls-tree HEAD; printf '040000 tree %s\\tcc\\n' $(git mktree </dev/null); } "
    "| git mktree --missing); git update-ref HEAD $(git commit-tree -m hollow $t); "
)
"""A commit with a folder that holds nothing, which no index can have."""

CRLF = (
    "echo '*.txt text eol=crlf' >.gitattributes; git add -A; git commit -qm crlf; "
    "rm -f *.txt; git checkout -q -- .; touch -d @1600000002 *.txt; git update-index -q --refresh"
)
"""A checkout with converted files, whose times the index has."""

UNCHECKED = (
    "head -c -20 .git/index >../i; head -c 20 /dev/zero >>../i; cp ../i .git/index; "
    "touch .git/index; "
)
"""What a git with index.skipHash or feature.manyFiles writes: zeros for a checksum."""

PINS = (
    Pin("ignored elsewhere", "mkdir .git/info; echo new >.git/info/exclude; echo n >new",
        "clean", "clean dirty dirty"),
    Pin("ignored elsewhere",
        'echo new >../i; git config core.excludesFile "$PWD/../i"; echo n >new',
        "clean", "dirty dirty dirty"),
    Pin("ignored elsewhere",
        "echo new >../home/i; git config --global core.excludesFile '~/i'; echo n >new",
        "clean", "dirty dirty dirty"),
    Pin("ignored elsewhere",
        "mkdir -p ../home/xdg/git; echo new >../home/xdg/git/ignore; echo n >new",
        "clean", "dirty dirty dirty"),
    Pin("ignore dialect",
        "printf 'build/\\n!keep\\n' >.gitignore; git commit -qam i; mkdir build; "
        "echo n >build/keep",
        "clean", "dirty dirty clean"),
    Pin("ignore dialect",
        "printf '*\\n!*/\\n' >.gitignore; git commit -qam i; echo n >d/n",
        "clean", "dirty dirty dirty"),
    Pin("ignore dialect", "echo '[!a]ew' >.gitignore; git commit -qam i; echo n >new",
        "clean", "dirty dirty clean"),
    Pin("ignore dialect", "echo '[[:alpha:]]ew' >.gitignore; git commit -qam i; echo n >new",
        "clean", "dirty dirty clean"),
    Pin("ignore dialect",
        "echo '**/n/m' >.gitignore; git commit -qam i; mkdir -p n/x/n; echo n >n/x/n/m",
        "clean", "dirty dirty dirty"),
    Pin("ignore dialect",
        "printf '\\357\\273\\277new\\n' >.gitignore; git commit -qam i; echo n >new",
        "clean", "dirty dirty dirty"),
    Pin("ignore dialect",
        "git config core.ignoreCase true; echo NEW >.gitignore; git commit -qam i; echo n >new",
        "clean", "dirty dirty dirty"),
    Pin("ignore dialect",
        "git mv .gitignore i; ln -s i .gitignore; git add .gitignore; git commit -qm i; "
        "echo n >x.log",
        "dirty", "clean clean clean"),
    Pin("converted content", "git config core.autocrlf true" + RECHECKOUT + "; touch -d "
        "@1600000005 *.txt run.sh; git update-index -q --refresh; touch -d @1600000007 b.txt",
        "clean", "dirty dirty clean"),
    Pin("converted content", "git config core.autocrlf true; touch -d @1600000007 crlf.txt",
        "clean", "clean clean dirty"),
    Pin("converted content", "echo '*.txt text eol=crlf' >.gitattributes; git add -A; "
        "git commit -qm x" + RECHECKOUT + "; touch b.txt", "clean", "dirty dirty dirty"),
    Pin("converted content", "echo 'crlf.txt text' >.gitattributes; git add .gitattributes; "
        "git commit -qm x; touch crlf.txt", "dirty", "clean clean clean"),
    Pin("converted content", "echo 'id.txt ident' >.gitattributes; git add .gitattributes; "
        "git commit -qm x" + RECHECKOUT + "; rm id.txt; git checkout id.txt; touch id.txt",
        "clean", "dirty dirty dirty"),
    Pin("converted content", "git config filter.up.clean 'tr a-z A-Z'; mkdir .git/info; "
        "echo 'b.txt filter=up' >.git/info/attributes; touch b.txt", "dirty", "clean clean clean"),
    Pin("file modes ignored", "git config core.fileMode false; chmod +x a",
        "clean", "dirty dirty dirty"),
    Pin("links as files", "git config core.symlinks false; rm link; git checkout link",
        "clean", "dirty dirty dirty"),
    Pin("absolute link", "ln -sfn /nowhere link; git commit -qam x; touch -h link",
        "clean", "dirty dirty clean"),
    Pin("stat data believed", TRUSTED, "dirty", "dirty clean clean"),
    Pin("stat data believed by git", "git config core.checkStat minimal; "
        "git config core.trustctime false; touch -d @1600000001.5 ../r; printf 'ONE MORE\\n' >a; "
        "touch -r ../r a", "clean", "dirty dirty dirty"),
    Pin("assume-unchanged", "git update-index --assume-unchanged a; echo n >>a",
        "clean", "dirty dirty dirty"),
    Pin("skip-worktree", "echo n >>a; git add a; git update-index --skip-worktree a",
        "dirty", "clean clean clean"),
    Pin("skip-worktree", "git update-index --skip-worktree d/c.yml d/e/f; echo n >d/n",
        "dirty", "clean clean clean"),
    Pin("skip-worktree", HOLLOW + "git update-index --skip-worktree crlf.txt",
        "clean", "dirty dirty dirty"),
    Pin("changes inside a submodule", "echo n >>sub/l", "dirty", "clean clean clean", True),
    Pin("changes inside a submodule", "echo n >sub/untracked", "dirty", "clean clean clean", True),
    Pin("gitlink without .gitmodules", "git clone -q ../lib inner; git add inner; git commit -qm x",
        "clean", "dirty dirty dirty"),
    Pin("another submodule HEAD", "git config --remove-section submodule.sub; "
        "git -C sub commit -q --allow-empty -m moved", "dirty", "clean clean clean", True),
    Pin("submodule without a repository", "git submodule --quiet deinit -f sub; "
        "rm -rf .git/modules/sub; git config submodule.sub.url /lib; rmdir sub",
        "dirty", "clean clean clean", True),
    Pin("file in a submodule's place", "rm -rf sub; echo n >sub",
        "dirty", "clean clean refused", True),
    Pin(".gitmodules without gitlink", "mkdir empty; "
        "printf '[submodule \"o\"]\\npath = empty\\nurl = /x\\n' >.gitmodules; "
        "git add .gitmodules; git commit -qm x", "clean", "dirty dirty dirty"),
    Pin("nested repository", "git init -q nested", "dirty", "clean clean clean"),
    Pin("nested repository", "git init -q nested; echo n >nested/n; echo '*' >nested/.gitignore",
        "dirty", "clean clean clean"),
    Pin("special file", "mkfifo fifo", "clean", "dirty dirty dirty"),
    Pin("file name refused", "echo n >aux; git add aux; git commit -qm x; touch aux",
        "clean", "clean dirty dirty"),
    Pin("replaced objects", "git replace HEAD HEAD~1", "dirty", "clean clean clean"),
    Pin("work tree elsewhere", 'git config core.worktree "$PWD/d"', "dirty", "clean clean clean"),
    Pin("hidden by configuration", "git config status.showUntrackedFiles no; echo n >new",
        "clean", "dirty dirty dirty"),
    Pin("hidden by configuration", "git config submodule.sub.ignore all; "
        "git -C sub commit -q --allow-empty -m moved", "clean", "dirty dirty dirty", True),
    Pin("unresolved conflict", "h=$(git rev-parse HEAD:b.txt); git rm -q --cached b.txt; "
        "printf '100644 %s 2\\tb.txt\\n' $h | git update-index --index-info",
        "dirty", "clean clean clean"),
    Pin("bare by configuration", "git config core.bare true", "refused", "clean clean clean"),
    Pin("HEAD that holds no SHA", "echo nonsense >.git/HEAD", "refused", "dirty dirty dirty"),
    Pin("unsupported format", "git init -q --object-format=sha256 ../s; cd ../s; echo n >n; "
        "git add n; git commit -qm x", "clean", "refused refused clean"),
    Pin("unsupported format", "git sparse-checkout set d", "clean", "clean refused clean"),
    Pin("unsupported format", "git config core.repositoryFormatVersion 1; "
        "git config extensions.partialClone origin", "clean", "clean refused refused"),
    Pin("unsupported format", "git config branch.main.rebase merges",
        "clean", "clean refused refused"),
    Pin("unsupported format", "git config remote.o.fetch main", "clean", "clean refused refused"),
    Pin("linked work tree", "git worktree add -q ../linked; cd ../linked",
        "clean", "refused refused clean"),
    Pin("linked work tree", "git worktree add -q --detach ../linked; cd ../linked",
        "clean", "refused refused clean"),
    Pin("borrowed objects", "git clone -q --shared . ../shared; cd ../shared",
        "clean", "refused refused refused"),
    Pin("borrowed objects", "git clone -q --shared . ../shared; cd ../shared; echo n >n; "
        "git add n; git commit -qm x", "clean", "dirty dirty dirty"),
    Pin("commit without its objects",
        "git read-tree --empty; git commit -qm none; rm -rf * .gitignore",
        "clean", "refused refused refused"),
    Pin("index not understood", "git update-index --split-index",
        "clean", "refused refused refused"),
    Pin("folder name refused", "mkdir nul; echo n >nul/n; git add -A; git commit -qm x",
        "clean", "clean refused refused"),
    Pin("folder name refused", "mkdir 'a\tb'; echo n >'a\tb/n'; git add -A; git commit -qm x",
        "clean", "clean refused refused"),
    Pin("submodule refused", "rm -rf sub .git/modules/sub; git clone -q ../lib sub",
        "clean", "refused refused refused", True),
    Pin("submodule refused", "mv .gitmodules m; ln -s m .gitmodules; git add -A; git commit -qm x",
        "clean", "refused refused refused", True),
    Pin("converted content", CRLF, "clean", "dirty clean clean"),
    Pin("HEAD that is a link", "git pack-refs --all; rm .git/HEAD; ln -s refs/heads/main .git/HEAD",
        "clean", "refused refused refused"),
    Pin("unsupported format",
        "git sparse-checkout set --no-cone '/*'; git sparse-checkout disable",
        "clean", "clean refused clean"),
    Pin("unsupported format", "git config core.repositoryFormatVersion 1; "
        "git config extensions.preciousObjects true", "clean", "clean refused refused"),
    Pin("broken configuration", "echo '[broken' >>.git/config",
        "refused", "clean refused refused"),
    Pin("unknown format", "git config core.repositoryFormatVersion 2",
        "refused", "clean clean clean"),
    Pin("index without a checksum", UNCHECKED, "clean", "refused refused clean"),
    Pin("index not understood", "printf x | dd of=.git/index bs=1 seek=90 conv=notrunc",
        "clean", "refused refused refused"),
    Pin("git folder behind a link", "mv .git ../dot; ln -s ../dot .git",
        "clean", "clean refused refused"),
    Pin("submodule refused", "git submodule --quiet deinit -f sub; rm -rf .git/modules/sub; "
        "git config submodule.sub.url ./lib; rmdir sub", "dirty", "clean refused refused", True),
    Pin("submodule refused", "git clone -q . ../c; cd ../c; git submodule --quiet init; "
        "mkdir .git/modules ../out; ln -s ../../../out .git/modules/sub",
        "clean", "clean clean refused", True),
)  # fmt: skip


VERSIONS = [
    pytest.param(version, marks=() if version == DEFAULT_VERSION else pytest.mark.deep)
    for version in PROGRAMS
]
"""The default go-git; with --deep all of them, each of which is built once."""


@pytest.fixture(scope="module", params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def reader(version: str) -> Iterator[GoGit]:
    running = GoGit(built_program(PROGRAMS[version]))
    yield running
    running.end()


@pytest.mark.parametrize("pin", PINS, ids=lambda pin: f"{pin.reason}: {pin.script[:60]!r}")
def test_a_difference(pin: Pin, version: str, reader: GoGit, builder: Builder) -> None:
    built = builder.play(pin.script, pin.has_submodule)
    answer, git = reader.ask(built.repository), readers.of_git(built)
    gogit = readers.of_gogit(answer)
    assert answer.go_git == version
    assert (git.status, gogit.status) == (pin.git, pin.of(version)), (git, gogit)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository to somebody else")
def test_go_git_does_not_ask_whose_a_repository_is(reader: GoGit, builder: Builder) -> None:
    built = builder.play("chown -Rh 12345 .")
    assert readers.of_gogit(reader.ask(built.repository)).status == "clean"
    git = readers.of_git(built)
    assert (git.status, "dubious ownership" in git.reason) == ("refused", True)


@pytest.mark.parametrize("has_submodule", [False, True])
def test_a_plain_checkout_is_clean(reader: GoGit, builder: Builder, has_submodule: bool) -> None:
    built = builder.play("git read-tree HEAD; git update-index -q --refresh", has_submodule)
    verdicts = {readers.of_git(built).stamp, readers.of_gogit(reader.ask(built.repository)).stamp}
    assert [status for _, status in verdicts] == ["clean"]


def test_the_table_of_the_documentation_says_which_versions_differ() -> None:
    """Its first two columns: the reason, and the versions for which it holds."""
    text = (Path(__file__).parents[3] / "docs" / "abra.md").read_text()
    table = text.partition("| reason: what holds of the repository |")[2]
    rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|", table, re.MULTILINE))
    known = {pin.reason: set[str]() for pin in PINS} | {"another owner": set(PROGRAMS)}
    for pin in PINS:
        known[pin.reason] |= {version for version in PROGRAMS if pin.differs(version)}
    documented = {reason: set(PROGRAMS) if held == "all" else set(held.split(", "))
            for reason, held in rows.items()}  # fmt: skip
    assert documented == known


@pytest.mark.parametrize(
    ("script", "verdict"),
    [
        ("touch a", "clean"),
        ("touch .git/index.lock", "clean"),
        ("git pack-refs --all", "clean"),
        ("git checkout -q --detach", "clean"),
        ("rm .git/HEAD; ln -s refs/heads/main .git/HEAD", "clean"),
        ("git update-index --index-version 4", "clean"),
        ("mkdir -p empty/er", "clean"),
        ('git clone -q --depth 1 "file://$PWD" ../shallow; cd ../shallow', "clean"),
        ("rm .git/index", "dirty"),
        ("echo n >$(printf 'caf\\351')", "dirty"),
        ("echo n >new", "dirty"),
        ("echo n >>a", "dirty"),
        ("chmod +x a", "dirty"),
        ("rm a", "dirty"),
        ("git rm -q --cached a", "dirty"),
        ("rm -rf .git", "refused"),
        ("git init -q --bare ../b; cd ../b", "refused"),
        ("git checkout -q --orphan o", "refused"),
        ("echo junkjunkjunk >.git/index", "refused"),
        ("head -c 200 .git/index >../i; cp ../i .git/index", "refused"),
        ("rm -rf .git; echo 'gitdir: /nowhere' >.git", "refused"),
        ("rm -rf .git/objects; mkdir .git/objects", "refused"),
    ],
)
def test_both_agree(script: str, verdict: str, reader: GoGit, builder: Builder) -> None:
    built = builder.play(script)
    gogit = readers.of_gogit(reader.ask(built.repository))
    assert (readers.of_git(built).status, gogit.status) == (verdict, verdict)


def test_global_excludes_count_where_a_home_is_given(reader: GoGit, builder: Builder) -> None:
    built = builder.play(
        "echo new >../home/i; git config --global core.excludesFile '~/i'; echo n >new"
    )
    for _ in range(2):  # the answer with a HOME leaves nothing behind
        assert readers.of_gogit(reader.ask(built.repository)).status == "dirty"
        assert readers.of_gogit(reader.ask(built.repository, built.home)).status == "clean"
