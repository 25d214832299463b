"""Plays one stamping experiment in a scratch ABRA_DIR, and keeps what every command said."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from string import Template

import msgspec

from stamplab.lab.abra.driver import Abra, AbraProgram, stamp_in
from stamplab.lab.abra.empty_swarm import empty_swarm
from stamplab.lab.abra.folder import AbraFolder
from stamplab.lab.errors import LabError, os_errors_as
from stamplab.lab.model.history import CommandRan
from stamplab.lab.recipe import git
from stamplab.lab.support import programs
from stamplab.scenarios.stamping.experiment import ABRA_DIR, Experiment, StampingRepositories, Step

_TIMEOUT_S = 60.0


class StampRun(msgspec.Struct, frozen=True, kw_only=True):
    """What an experiment's commands did. Input of its judge."""

    commands: tuple[CommandRan, ...]
    asked: tuple[str, ...]
    """What abra asked of the swarm, in order."""
    refused: tuple[str, ...]
    """What of it would have changed something."""
    took_s: float

    @property
    def chaos_deploy(self) -> CommandRan | None:
        """The last command, if the experiment came so far."""
        last = self.commands[-1] if self.commands else None
        return last if last is not None and "-C" in last.argv else None

    @property
    def stamp(self) -> str | None:
        """The stamp that the chaos deploy took."""
        return stamp_in(self.chaos_deploy.output) if self.chaos_deploy else None


def play_stamping(
    experiment: Experiment,
    repositories: StampingRepositories,
    program: AbraProgram,
    scratch: Path,
    mark: Mapping[str, str],
) -> StampRun:
    """Play it in ``scratch``; all its processes carry ``mark``.

    Raises LabError when a command of git or cp fails.
    """
    folder = AbraFolder(scratch / "abra")
    folder.create()
    began_s = time.monotonic()
    with empty_swarm(scratch / "docker.sock") as swarm:
        abra = Abra(program, folder, swarm.address, mark)
        ran = tuple(_run(step, abra) for step in experiment.commands(repositories))
        return StampRun(
            commands=ran,
            asked=tuple(swarm.requests),
            refused=tuple(swarm.changes),
            took_s=round(time.monotonic() - began_s, 3),
        )


def _run(step: Step, abra: Abra) -> CommandRan:
    words = [_expanded(word, abra.folder) for word in step.words]
    if words[0] == "abra":
        done = abra.run(*words[1:])
        return CommandRan(
            argv=tuple(words),
            exit_code=done.exit_code,
            took_s=done.took_s,
            output=done.output,
            by=abra.program.whose,
        )
    return _plainly(step, words, abra.folder, abra.mark)


def _plainly(
    step: Step, words: list[str], folder: AbraFolder, mark: Mapping[str, str]
) -> CommandRan:
    """Run git, cp or printf: deaf to the user's settings, and it must succeed."""
    began_s = time.monotonic()
    environment = {**git.ISOLATED, **mark, "PATH": programs.search_path()}
    environment |= {"HOME": str(folder.home), "GIT_ALLOW_PROTOCOL": "file"}
    if "GIT_EXEC_PATH" in os.environ:
        environment["GIT_EXEC_PATH"] = os.environ["GIT_EXEC_PATH"]
    done = programs.run(words, _TIMEOUT_S, environment, folder.path)
    if done.returncode != 0:
        message = git.summarize_stderr(done.stderr)
        raise LabError(f"{step.pasted()} failed: {message or done.returncode}")
    if step.into is not None:
        with os_errors_as(f"{step.pasted()} cannot be done"):
            Path(_expanded(step.into, folder)).write_text(done.stdout)
    return CommandRan(
        argv=tuple(words),
        exit_code=0,
        took_s=round(time.monotonic() - began_s, 6),
        output="" if step.into else done.stdout + done.stderr,
    )


def _expanded(word: str, folder: AbraFolder) -> str:
    if not word.startswith(ABRA_DIR):
        return word
    return Template(word).safe_substitute(ABRA_DIR=str(folder.path))
