"""Programs that are scripts in sh."""

from __future__ import annotations

from pathlib import Path

VERSION = "echo Docker version 1.2.3, build abc"


def script(path: Path, lines: str) -> Path:
    """Write a program, and the folders that it lies in; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)
    return path


def put(folder: Path, *names: str, lines: str = VERSION) -> Path:
    """Write several programs of the same text, by default a docker's version; return the folder."""
    for name in names:
        script(folder / name, lines)
    return folder
