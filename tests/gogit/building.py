"""go-git as a program: found or built like the lab's own."""

from __future__ import annotations

from pathlib import Path

from stamplab.lab.support.go_build import GoProgram

GOGIT = GoProgram(
    name="gogit", sources=Path(__file__).parent, purpose="holding the stamp to go-git"
)
