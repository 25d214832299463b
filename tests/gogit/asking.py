"""A running gogit program, which answers about one repository after the other."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import msgspec


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
        self._process = subprocess.Popen(
            [program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"HOME": str(home)},
        )

    def ask(self, repository: Path, home: Path | None = None) -> Answer:
        """What go-git says; with the global excludes of ``home`` where one is given."""
        question = {
            "path": str(repository),
            "global_excludes": home is not None,
            "home": str(home or ""),
        }
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(msgspec.json.encode(question) + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"gogit ended with {self._process.wait()} when asked about {repository}"
        return msgspec.json.decode(line, type=Answer)

    def end(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        assert self._process.stdout
        self._process.stdout.close()
        assert self._process.wait(timeout=10) == 0
