"""The stand-in alone: what it says to bad input; it leaves the user's home as it is."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from stamplab.lab.abra.driver import Abra, AbraProgram, AbraRun, abra_environment, stand_in_program
from stamplab.lab.recipe import git
from tests.contract.conftest import DOMAIN

_IN_A_NAMESPACE = ("unshare", "--mount", "--propagation", "private", "sh", "-c")


@pytest.fixture(scope="session")
def program() -> AbraProgram:
    """The stand-in, whatever ``--abra`` says."""
    return stand_in_program()


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def refused(done: AbraRun) -> str:
    """Return the one sentence of a failure with exit code 1."""
    assert done.exit_code == 1
    lines = [line for line in done.output.splitlines() if not line.startswith("DEBU")]
    assert len(lines) == 1, done.output
    assert lines[0].startswith("FATA ")
    return lines[0]


@pytest.mark.parametrize("name", ["..", "../x", "a/../b", "a\nb", "x\x1b[2J", "", "/etc/passwd"])
@pytest.mark.parametrize(
    "command",
    [
        ("app", "deploy", "-C", "-o", "-n"),
        ("app", "new", "-o", "-n", "-C", "discourse", "-D"),
        ("recipe", "fetch", "-o", "-n"),
    ],
)
def test_a_name_that_is_no_name_is_refused(abra: Abra, command: tuple[str, ...], name: str) -> None:
    before = everything(abra.folder.path)
    assert "cannot be a file's name" in refused(abra.run(*command, name))
    assert everything(abra.folder.path) == before


def test_a_locked_index_does_not_matter_to_a_chaos_deploy(abra: Abra) -> None:
    (abra.folder.recipe("discourse") / ".git" / "index.lock").touch()
    assert abra.chaos_deploy(DOMAIN).stamp


def test_a_locked_index_is_said_where_something_must_be_checked_out(abra: Abra) -> None:
    (abra.folder.recipe("discourse") / ".git" / "index.lock").touch()
    message = refused(abra.deploy(DOMAIN))
    assert "index.lock" in message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
def test_a_repository_of_another_user_is_said(abra: Abra) -> None:
    tree = abra.folder.recipe("discourse")
    for path in (tree, *tree.rglob("*")):
        os.chown(path, 12345, 12345)
    assert "dubious ownership" in refused(abra.deploy(DOMAIN))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a folder read-only")
def test_an_abra_dir_that_is_read_only_is_said(abra: Abra) -> None:
    path = abra.folder.path
    script = f'mount --bind "{path}" "{path}" && mount -o remount,bind,ro "{path}" && exec "$@"'
    new = ("app", "new", "-o", "-n", "-C", "-D", "new.example.org", "discourse")
    done = subprocess.run(
        [*_IN_A_NAMESPACE, script, "sh", *abra.program.argv, *new],
        env=abra_environment(abra.folder, abra.engine),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("FATA ")
    assert "Read-only file system" in done.stderr
    assert not abra.folder.env_file("new.example.org").exists()


def test_an_env_file_is_made_from_the_recipes_sample(abra: Abra) -> None:
    done = abra.run("app", "new", "-o", "-n", "-D", "new.example.org", "discourse")
    assert done.exit_code == 0, done.output
    settings = abra.folder.read_env("new.example.org")
    assert settings["TYPE"] == "discourse:0.7.0+3.3.1"
    assert settings["DOMAIN"] == "new.example.org"
    text = abra.folder.env_file("new.example.org").read_text()
    assert "# length=32" in text
    second = abra.run("app", "new", "-o", "-n", "-D", "new.example.org", "discourse")
    assert "already exists" in refused(second)


def test_a_recipe_is_fetched_whole_or_not_at_all(abra: Abra, recipe: Path) -> None:
    shutil.rmtree(abra.folder.recipe("discourse"))
    fetch = ("recipe", "fetch", "-o", "-n", "discourse")
    assert "STAMPLAB_RECIPES is not set" in refused(abra.run(*fetch))
    environment = {
        **abra_environment(abra.folder, abra.engine),
        "STAMPLAB_RECIPES": str(recipe.parent),
    }
    done = subprocess.run(
        [*abra.program.argv, *fetch], env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0
    assert (abra.folder.recipe("discourse") / "compose.yml").is_file()
    assert [path.name for path in (abra.folder.path / "recipes").iterdir()] == ["discourse"]


def test_a_lightweight_tag_is_no_release(abra: Abra) -> None:
    repo = git.open_at(abra.folder.recipe("discourse"))
    repo.git.tag("1.0.0+4.0.0")
    assert "only annotated tags" in refused(abra.deploy(DOMAIN))
    assert abra.chaos_deploy(DOMAIN).stamp


def test_a_secret_that_a_person_must_insert_is_named_so(abra: Abra) -> None:
    text = "TYPE=discourse\nSECRET_DB_PASSWORD_VERSION=v1 # generate=false\n"
    abra.folder.write_env_text(DOMAIN, text)
    message = refused(abra.chaos_deploy(DOMAIN))
    assert message == "FATA secret not inserted (#generate=false): db_password"


def test_nothing_of_the_users_home_or_git_settings_is_read_or_written(
    process: Abra, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A home in which reading any setting of git's breaks it, and in which ~/.abra lies in wait."""
    home = scratch / "home"
    (home / ".abra/servers/default").mkdir(parents=True)
    (home / ".abra/servers/default" / f"{DOMAIN}.env").write_text("TYPE=poison\n")
    poison = "[core]\n\tthis is no git config\n"
    for name in (".gitconfig", ".config/git/config", ".git-credentials", "poisoned"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(poison)
    (home / ".config/git/ignore").write_text("*\n")
    before = everything(home)
    for name, value in {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "GIT_CONFIG_GLOBAL": str(home / "poisoned"),
        "GIT_CONFIG_SYSTEM": str(home / "poisoned"),
        "GIT_DIR": str(home),
        "GIT_ASKPASS": "/bin/false",
        "ABRA_DIR": str(home / ".abra"),
    }.items():
        monkeypatch.setenv(name, value)
    (process.folder.recipe("discourse") / "untracked.yml").touch()
    done = process.chaos_deploy(DOMAIN)
    assert done.stamp is not None
    assert done.stamp.endswith("+U")
    assert "secret not generated" in done.output
    assert everything(home) == before
