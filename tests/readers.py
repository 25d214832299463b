"""The two who are asked whether a work tree is clean: git and go-git."""

from __future__ import annotations

import subprocess

import msgspec

from stamplab.lab.abra.go_git import Answer
from tests.property.repositories import Built, environment_of


class Verdict(msgspec.Struct, frozen=True):
    """The stamp's two halves, or a refusal; and a few words for a person."""

    head: str
    status: str
    reason: str = ""

    @property
    def stamp(self) -> tuple[str, str]:
        """HEAD, and clean, dirty or refused."""
        return self.head, self.status


REFUSED = "refused"


def of_gogit(answer: Answer) -> Verdict:
    """go-git's."""
    if answer.failed:
        return Verdict("", REFUSED, f"{answer.failed}: {answer.reason}")
    return _verdict(answer.head, not answer.changes, str(answer.changes))


def of_git(built: Built) -> Verdict:
    """Git's own, with the user's configuration."""
    done = subprocess.run(
        ["git", "status", "--porcelain=v2", "--branch", "--no-ahead-behind", "-z"],
        cwd=built.repository,
        env=environment_of(built.home),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    lines = done.stdout.split("\0")
    head = lines[0].removeprefix("# branch.oid ")
    if done.returncode != 0 or head == "(initial)":
        return Verdict("", REFUSED, done.stderr)
    changes = [line for line in lines if line and not line.startswith("# ")]
    return _verdict(head, not changes, str(changes))


def _verdict(head: str, is_clean: bool, reason: str) -> Verdict:
    return Verdict(head[:8], "clean" if is_clean else "dirty", reason)
