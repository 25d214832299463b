"""Ours and go-git itself, asked about the same repositories: each state is one that git differs on,
or one that a recipe's checkout is often in.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lab.abra.stamp import chaos_version
from lab.errors import LabError
from tests.gogit.asking import GoGit

_MADE = """
git init -q -b main repo && cd repo
mkdir d && echo one >a && echo two >d/b.txt && echo '*.log' >.gitignore && ln -s a link
git add -A && git commit -qm first && git tag -am v v1
echo more >>a && git commit -qam second
"""

STATES = {
    "clean": ":",
    "edited": "echo x >>a",
    "staged": "echo x >>a; git add a",
    "deleted": "rm d/b.txt",
    "untracked": "echo x >new",
    "ignored": "echo x >x.log",
    "ignored by info/exclude": "echo new >.git/info/exclude; echo x >new",
    "ignored by the user": "git config core.excludesFile $PWD/../i; echo new >../i; echo x >new",
    "tracked, ignored and edited": "echo a >>.gitignore; git commit -qam i; echo x >>a",
    "line ends are converted": "git config core.autocrlf true; rm a; git checkout -q -- a",
    "executable": "chmod +x a",
    "modes do not matter": "git config core.fileMode false; chmod +x a",
    "a link elsewhere": "ln -sfn d link",
    "touched": "touch -d @1600000000 a",
    "assumed unchanged": "git update-index --assume-unchanged a; echo x >>a",
    "a nested repository": "git init -q nested; echo x >nested/x",
    "a submodule": "git -c protocol.file.allow=always submodule -q add $PWD sub; git commit -qm s",
    "packed refs": "git pack-refs --all",
    "detached at a tag": "git checkout -q v1",
    "an unborn head": "git checkout -q --orphan fresh",
    "no repository": "rm -rf .git",
    "a head that is no commit": "echo HEAD >.git/HEAD",
    "a locked index": "touch .git/index.lock",
    "an index of version 4": "git update-index --index-version 4",
    "a linked work tree": "git worktree add -q --detach ../linked; cd ../linked",
    "a shallow clone": "git clone -q --depth 1 file://$PWD ../shallow; cd ../shallow",
    "another's": "chown -Rh 12345 . || :",
}


@pytest.mark.parametrize("name", STATES)
def test_ours_says_what_gogit_says(name: str, gogit: GoGit, tmp_path: Path) -> None:
    repository = made(STATES[name], tmp_path)
    answer = gogit.ask(repository)
    theirs = None if answer.failed else answer.head[:8] + ("" if answer.clean else "+U")
    assert stamp_of(repository) == theirs, answer


def made(script: str, folder: Path) -> Path:
    """Make a state; return the folder in which its script ended."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    own = {"HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    names = {
        f"GIT_{who}_{what}": "a@a" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    done = subprocess.run(
        ["sh", "-c", f"exec 9>&1 >/dev/null\n{_MADE}\n{script}\npwd -P >&9"],
        cwd=folder,
        env=kept | own | names,
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(done.stdout.strip())


def stamp_of(repository: Path) -> str | None:
    """The stamp; None where ours refuses, in one sentence."""
    try:
        return chaos_version(repository)
    except LabError as error:
        refusal = str(error)
    assert "\n" not in refusal
    return None
