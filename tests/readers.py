"""The three who are asked whether a work tree is clean: git, GitPython, go-git."""

from __future__ import annotations

import gc
import subprocess
import warnings
from pathlib import Path

import msgspec

from stamplab.lab.abra import stamp
from stamplab.lab.errors import LabError
from stamplab.lab.recipe import git
from tests.gogit.asking import Answer
from tests.property.repositories import Built, environment_of


class Verdict(msgspec.Struct, frozen=True):
    """The stamp's two halves, or a refusal; and a few words for a person."""

    head: str
    said: str
    reason: str = ""

    @property
    def stamp(self) -> tuple[str, str]:
        """HEAD, and clean, dirty or refused."""
        return self.head, self.said


REFUSED = "refused"


def _said(head: str, is_clean: bool, reason: object = "") -> Verdict:
    return Verdict(head[:8], "clean" if is_clean else "dirty", str(reason))


def of_gogit(answer: Answer) -> Verdict:
    """go-git's."""
    if answer.failed:
        return Verdict("", REFUSED, f"{answer.failed}: {answer.reason}")
    return _said(answer.head, answer.clean, answer.changes)


def of_ours(built: Built, home: Path | None = None) -> Verdict:
    """The stamp's."""
    try:
        version = stamp.chaos_version(built.repository, home)
    except LabError as error:
        return Verdict("", REFUSED, str(error))
    head, mark, rest = version.partition("+U")
    assert rest == ""
    return _said(head, not mark)


def of_git(built: Built) -> Verdict:
    """Git's own, with the user's configuration."""
    answers = []
    for command in (["rev-parse", "--verify", "HEAD"], ["status", "--porcelain", "-z"]):
        done = subprocess.run(
            ["git", *command],
            cwd=built.repository,
            env=environment_of(built.home),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            return Verdict("", REFUSED, done.stderr)
        answers.append(done.stdout)
    return _said(answers[0].strip(), not answers[1], answers[1])


def of_gitpython(built: Built) -> Verdict:
    """What the lab's stamp was: GitPython, deaf to the user's configuration."""
    try:
        with git.told("GitPython"), git.open_at(built.repository) as repository:
            repository.git.update_environment(GIT_OPTIONAL_LOCKS="0")
            head = repository.head.commit.hexsha
            return _said(head, not repository.is_dirty(untracked_files=True))
    except LabError as error:
        refused = Verdict("", REFUSED, str(error))
    # The process of a git that gave up is left to the garbage collector, which complains.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    return refused
