"""Runs abra's command line, by a real abra or by the stand-in (`lab.abra.standin`).

Either gets a scratch ABRA_DIR and HOME and no network. A real abra also gets a mount namespace
whose ``/run`` holds only the lab's engine: abra may look for the machine's engine there
(unverified).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import msgspec

from stamplab.lab.abra import go_git
from stamplab.lab.abra.folder import AbraFolder
from stamplab.lab.errors import LabError, NotPossibleHere, UsageError
from stamplab.lab.support import programs

CHAOS_VERSION = "app/deploy.go:372 version: taking chaos version: "
"""abra's debug line before the stamp, with its place in abra@06a57de as the field report has it."""
DEPLOY_FLAGS = ("-o", "-n", "-c", "--debug")
CHAOS_FLAGS = ("-C", *DEPLOY_FLAGS)
_TIMEOUT_S = 120.0
_STAMP = re.compile(r"version: taking chaos version: (\S+)")


class AbraProgram(msgspec.Struct, frozen=True, kw_only=True):
    """A program with abra's command line."""

    argv: tuple[str, ...]
    whose: str
    """The program's name in histories and messages."""
    is_real: bool


class AbraRun(msgspec.Struct, frozen=True, kw_only=True):
    """A finished run of abra."""

    arguments: tuple[str, ...]
    exit_code: int
    output: str
    took_s: float

    @property
    def stamp(self) -> str | None:
        """The stamp in the debug line, if abra came so far."""
        return stamp_in(self.output)

    @property
    def last_line(self) -> str:
        """The last line of the output: the reason of a failure."""
        return last_line(self.output)


def last_line(output: str) -> str:
    """Return the last line that is not blank; "" where there is none."""
    return next((line for line in reversed(output.splitlines()) if line.strip()), "")


def stamp_in(output: str) -> str | None:
    """Return the stamp in the last debug line of an output."""
    stamps = _STAMP.findall(output)
    return stamps[-1] if stamps else None


def stand_in_name() -> str:
    """Name the stand-in, with the go-git that its stamps speak for. Raises UsageError."""
    return f"abra stand-in of stamplab (go-git {go_git.chosen_version()})"


def stand_in_program() -> AbraProgram:
    """Return the stand-in, run by this Python. Raises UsageError for an unknown go-git."""
    return AbraProgram(
        argv=(sys.executable, "-P", "-m", "stamplab.lab.abra.standin"),
        whose=stand_in_name(),
        is_real=False,
    )


def find_abra(path: Path | None = None) -> AbraProgram:
    """Return the abra at a path; without a path an installed abra, else the stand-in.

    Raises UsageError where the path leads to no program.
    """
    program = shutil.which(path) if path else programs.find("abra")
    if program is None and path is not None:
        raise UsageError(f"{path} is no program that can be run")
    if program is None:
        return stand_in_program()
    argv = (str(Path(program).absolute()),)
    return AbraProgram(argv=argv, whose=f"abra at {program}", is_real=True)


# A real abra and the stand-in behind one command line (ADR 0022).
class Abra(msgspec.Struct, frozen=True):
    """An abra program with its ABRA_DIR and its engine."""

    program: AbraProgram
    folder: AbraFolder
    engine: str
    """The engine's address: ``unix://…``."""
    mark: Mapping[str, str] = {}
    """Variables that identify abra's processes."""

    def run(self, *arguments: str, timeout_s: float = _TIMEOUT_S) -> AbraRun:
        """Run abra. Raises LabError when abra cannot be started, or does not end in time."""
        own = {} if self.program.is_real else go_git.handed_on()
        began_s = time.monotonic()
        try:
            completed = subprocess.run(
                [*confined_command(self.program, self.engine), *arguments],
                env={**abra_environment(self.folder, self.engine), **own, **self.mark},
                cwd=self.folder.path,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            output = (error.output or b"").decode(errors="replace")
            raise LabError(
                f"abra {' '.join(arguments)} did not end in {timeout_s:g} s; its last line: "
                f"{last_line(output)}"
            ) from error
        except OSError as error:
            raise LabError(f"{self.program.whose} cannot be run: {error.strerror}") from error
        return AbraRun(
            arguments=arguments,
            exit_code=completed.returncode,
            output=completed.stdout.decode(errors="replace"),
            took_s=round(time.monotonic() - began_s, 6),
        )

    def chaos_deploy(self, domain: str) -> AbraRun:
        """Deploy the checkout as it is: ``abra app deploy -C -o -n --debug``."""
        return self.run("app", "deploy", *CHAOS_FLAGS, domain)

    def deploy(self, domain: str, *flags: str) -> AbraRun:
        """Deploy the version that the app names: ``abra app deploy -o -n --debug``."""
        return self.run("app", "deploy", *DEPLOY_FLAGS, *flags, domain)


_TOOL_VARIABLES = ("GIT_EXEC_PATH", "LD_LIBRARY_PATH", "PYTHONPYCACHEPREFIX")
"""Where programs that were unpacked, not installed, find their own parts, and compiled ones."""


def abra_environment(folder: AbraFolder, engine: str) -> dict[str, str]:
    """Return abra's whole environment, without the user's home, settings or credentials."""
    return {
        "ABRA_DIR": str(folder.path),
        "HOME": str(folder.home),
        "PATH": programs.search_path(),
        "PYTHONPATH": programs.python_path(),
        "DOCKER_HOST": engine,
        "GIT_ALLOW_PROTOCOL": "file",
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "NO_COLOR": "1",
        **{name: os.environ[name] for name in _TOOL_VARIABLES if name in os.environ},
    }


def confined_command(program: AbraProgram, engine: str) -> tuple[str, ...]:
    """Return the command that runs abra, confined where it is a real abra.

    Raises NotPossibleHere where unshare is missing.
    """
    if not program.is_real:
        return program.argv
    unshare = programs.find("unshare")
    if unshare is None:
        raise NotPossibleHere("unshare (util-linux) is missing: a real abra needs its own network")
    user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    script = str(files("stamplab.lab.abra").joinpath("confined.sh"))
    socket = engine.removeprefix("unix://")
    namespaces = (*user, "--mount", "--net", "--propagation", "private")
    return (str(unshare), *namespaces, "--", "sh", script, socket, *program.argv)
