"""go-git as a program: which version answers, and that no repository can hurt who asks."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from stamplab.lab.abra import go_git
from stamplab.lab.abra.go_git import DEFAULT_VERSION, GOGIT, PROGRAMS, GoGit
from stamplab.lab.errors import LabError, UsageError
from stamplab.lab.support import go_build
from tests.conftest import built as built_program
from tests.property.repositories import Builder
from tests.scripts import script


@pytest.fixture
def impatient() -> Iterator[GoGit]:
    """One that is given no more than a second."""
    running = GoGit(built_program(GOGIT), timeout_s=1)
    yield running
    running.end()


@pytest.mark.usefixtures("gogit")
def test_a_reading_says_which_go_git_it_is_of_and_what_changed(builder: Builder) -> None:
    built = builder.play("for n in 1 2 3 4 5 6 7; do echo n >n$n; done; echo n >>a; rm p")
    reading = go_git.read(built.repository)
    assert reading.go_git == DEFAULT_VERSION
    assert reading.changes["a"] == " M"
    assert reading.changes["p"] == " D"
    assert reading.changes["n1"] == "??"
    assert reading.in_words == "changed since HEAD: 'a', 'n1', 'n2', 'n3', 'n4' and 4 more"
    assert go_git.read(builder.play("true").repository).in_words == "nothing changed since HEAD"


def test_a_version_that_is_not_here_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(go_git.VERSION_VARIABLE, "4.0.0")
    with pytest.raises(UsageError, match=r"is 4\.0\.0; go-git is here in the versions 5\.16\.5, "):
        go_git.read(Path("/nowhere"))


def test_a_choice_lasts_as_long_as_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(go_git.VERSION_VARIABLE, raising=False)
    with go_git.choosing("5.16.5"):
        assert go_git.chosen_version() == "5.16.5"
        with go_git.choosing("6.0.0-beta.1"):
            assert go_git.chosen_version() == "6.0.0-beta.1"
        assert go_git.chosen_version() == "5.16.5"
    assert go_git.chosen_version() == DEFAULT_VERSION
    assert go_git.VERSION_VARIABLE not in os.environ


def test_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(go_git, "_running", {})
    monkeypatch.setenv("STAMPLAB_GOGIT_5_16_5", str(built_program(GOGIT)))
    monkeypatch.setenv(go_git.VERSION_VARIABLE, "5.16.5")
    message = (
        r"STAMPLAB_GOGIT_5_16_5 names a program of go-git 5\.19\.3, where 5\.16\.5 was asked for"
    )
    with pytest.raises(UsageError, match=message):
        go_git.read(tmp_path)


def test_other_versions_are_built_by_a_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAMPLAB_TOOLS", str(tmp_path))
    monkeypatch.setattr("sys.executable", "/nowhere/bin/python")
    for name, program in PROGRAMS.items():
        monkeypatch.delenv(program.variable, raising=False)
        with pytest.raises(LabError, match=r"needs the program gogit.*, which is built by Go 1\."):
            go_build.get_program(program, tmp_path / f"cache-{name}")


def test_every_version_has_a_program_of_its_own(tmp_path: Path) -> None:
    assert len({program.variable for program in PROGRAMS.values()}) == len(PROGRAMS)
    for version, program in PROGRAMS.items():
        listed, checksums = program.module_files
        assert f" v{version}\n" in listed.read_text()
        assert checksums.is_file()


@pytest.mark.parametrize(
    ("script", "has_submodule"),
    [
        ("touch a; echo n >>b.txt; mkdir nested", False),
        # go-git makes a repository in these folders, wherever they are.
        ("git clone -q . ../c; cd ../c; git submodule --quiet init", True),
        (
            "git clone -q . ../c; cd ../c; git submodule --quiet init; mkdir .git/modules ../out; "
            "ln -s ../../../out .git/modules/sub",
            True,
        ),
        (
            "git clone -q . ../c; cd ../c; git submodule --quiet init; rmdir sub; mkdir ../out; "
            "ln -s ../out sub",
            True,
        ),
    ],
)
def test_it_only_looks(script: str, has_submodule: bool, gogit: GoGit, builder: Builder) -> None:
    built = builder.play(script, has_submodule=has_submodule)
    everything = built.home.parent
    before = {path: path.lstat().st_mtime_ns for path in everything.rglob("*")}
    gogit.ask(built.repository)
    assert {path: path.lstat().st_mtime_ns for path in everything.rglob("*")} == before


@pytest.mark.parametrize("name", ["HEAD", "config", "packed-refs", "index", "../.gitignore"])
def test_no_link_to_an_endless_file_is_followed(name: str, gogit: GoGit, builder: Builder) -> None:
    built = builder.play(f"rm -f .git/{name}; ln -s /dev/zero .git/{name}")
    assert gogit.ask(built.repository).go_git == DEFAULT_VERSION


@pytest.mark.deep
def test_an_older_go_git_that_follows_it_ends_for_want_of_memory(builder: Builder) -> None:
    built = builder.play("rm .git/HEAD; ln -s /dev/zero .git/HEAD")
    running = GoGit(built_program(PROGRAMS["5.16.5"]))
    with pytest.raises(LabError, match="out of memory"):
        running.ask(built.repository)
    assert running.ask(builder.play("true").repository).changes == {}
    running.end()


def test_what_never_answers_is_given_up(impatient: GoGit, builder: Builder) -> None:
    built = builder.play("rm .git/HEAD; mkfifo .git/HEAD")
    with pytest.raises(LabError, match=r"gogit has not answered for 1 s"):
        impatient.ask(built.repository)
    assert impatient.ask(builder.play("true").repository).changes == {}


def test_a_socket_in_the_work_tree_is_passed_over(gogit: GoGit, builder: Builder) -> None:
    built = builder.play("true")
    before = Path.cwd()
    os.chdir(built.repository)
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("socket")
            assert gogit.ask(built.repository).changes == {}
    finally:
        os.chdir(before)


def test_an_answer_that_is_none_is_said(tmp_path: Path) -> None:
    program = script(tmp_path / "gogit", "while read line; do echo '{}'; done")
    with pytest.raises(LabError, match="gogit answered in a way not understood"):
        GoGit(program).ask(tmp_path)
