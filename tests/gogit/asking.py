"""A running gogit program, which answers about one repository after the other."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from stamplab.lab.support.jsonl_process import AnsweringProgram


class Answer(msgspec.Struct, frozen=True):
    """HEAD and cleanliness, or the step that failed, and why."""

    head: str
    clean: bool
    changes: dict[str, str] | None
    failed: str
    reason: str


class GoGit:
    """The program, kept running."""

    def __init__(self, program: Path, home: Path) -> None:
        self._program = AnsweringProgram(program, os.environ | {"HOME": str(home)})

    def ask(self, repository: Path, home: Path | None = None) -> Answer:
        """What go-git says; with the global excludes of ``home`` where one is given."""
        question = {
            "path": str(repository),
            "global_excludes": home is not None,
            "home": str(home or ""),
        }
        answer = self._program.ask(msgspec.json.encode(question))
        return msgspec.json.decode(answer, type=Answer)

    def end(self) -> None:
        self._program.end()
