"""abra's command line: one driver, whichever program stands behind it.

The real abra, where there is one, or the stand-in (`lab.abra.standin`). A run of either gets a
scratch ABRA_DIR and HOME and no network; a real one also a mount namespace in which ``/run`` holds
nothing but the lab's own engine, for abra may look for the machine's there (unverified).
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

from stamplab.lab.abra.folder import AbraFolder
from stamplab.lab.errors import LabError, NotPossibleHere, UsageError
from stamplab.lab.support import programs

STAND_IN = "abra stand-in of stamplab"
CHAOS_VERSION = "app/deploy.go:372 version: taking chaos version: "
"""What the debug line says before the stamp; in the report it has this place of abra@06a57de."""
DEPLOY_FLAGS = ("-o", "-n", "-c", "--debug")
CHAOS_FLAGS = ("-C", *DEPLOY_FLAGS)
_TIMEOUT_S = 120.0
_STAMP = re.compile(r"version: taking chaos version: (\S+)")


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """A program that understands abra's command line."""

    argv: tuple[str, ...]
    whose: str
    is_real: bool


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """One run of abra."""

    arguments: tuple[str, ...]
    exit_code: int
    output: str
    took_s: float

    @property
    def stamp(self) -> str | None:
        """The stamp that its debug line names, if it has come so far."""
        return stamp_in(self.output)

    @property
    def last_line(self) -> str:
        """What it said last, which is why it failed where it did."""
        return last_line(self.output)


def last_line(output: str) -> str:
    """The last line of an output that is not blank; empty where there is none."""
    return next((line for line in reversed(output.splitlines()) if line.strip()), "")


def stamp_in(output: str) -> str | None:
    """The stamp that the last debug line of this output names."""
    found = _STAMP.findall(output)
    return found[-1] if found else None


def stand_in() -> Program:
    """The stand-in, by our own Python."""
    return Program(
        argv=(sys.executable, "-P", "-m", "stamplab.lab.abra.standin"),
        whose=STAND_IN,
        is_real=False,
    )


def find(path: Path | None = None) -> Program:
    """The abra at this path; without one the abra among the tools; else the stand-in.

    Raises UsageError where the path leads to no program.
    """
    found = shutil.which(path) if path else programs.find("abra")
    if found is None and path is not None:
        raise UsageError(f"{path} is no program that can be run")
    if found is None:
        return stand_in()
    return Program(argv=(str(Path(found).absolute()),), whose=f"abra at {found}", is_real=True)


# A real abra and the stand-in behind one command line (ADR 0022).
class Abra:
    """A program with the ABRA_DIR that it works in and the engine that it talks to."""

    def __init__(
        self,
        program: Program,
        folder: AbraFolder,
        engine: str,
        mark: Mapping[str, str] | None = None,
    ) -> None:
        self.program = program
        self.folder = folder
        self.engine = engine
        """Its address: ``unix://…``."""
        self.mark = mark or {}
        """Variables by which its processes can be told from others."""

    def run(self, *arguments: str, timeout_s: float = _TIMEOUT_S) -> Ran:
        """Run it. Raises LabError when it cannot be started, or does not end in time."""
        began_s = time.monotonic()
        try:
            done = subprocess.run(
                [*command(self.program, self.engine), *arguments],
                env={**environment(self.folder, self.engine), **self.mark},
                cwd=self.folder.path,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            said = (error.output or b"").decode(errors="replace").strip().rpartition("\n")[2]
            raise LabError(
                f"abra {' '.join(arguments)} did not end in {timeout_s:g} s; its last line: {said}"
            ) from error
        except OSError as error:
            raise LabError(f"{self.program.whose} cannot be run: {error.strerror}") from error
        return Ran(
            arguments=arguments,
            exit_code=done.returncode,
            output=done.stdout.decode(errors="replace"),
            took_s=round(time.monotonic() - began_s, 6),
        )

    def chaos_deploy(self, domain: str) -> Ran:
        """Deploy the checkout as it is: ``abra app deploy -C -o -n --debug``."""
        return self.run("app", "deploy", *CHAOS_FLAGS, domain)

    def deploy(self, domain: str, *flags: str) -> Ran:
        """Deploy the version that the app names: ``abra app deploy -o -n --debug``."""
        return self.run("app", "deploy", *DEPLOY_FLAGS, *flags, domain)


_OF_THE_TOOLS = ("GIT_EXEC_PATH", "LD_LIBRARY_PATH", "PYTHONPYCACHEPREFIX")
"""Where programs that were unpacked, not installed, find their own parts, and compiled ones."""


def environment(folder: AbraFolder, engine: str) -> dict[str, str]:
    """All that abra gets to see: nothing of the user's home, settings or credentials."""
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
        **{name: os.environ[name] for name in _OF_THE_TOOLS if name in os.environ},
    }


def command(program: Program, engine: str) -> tuple[str, ...]:
    """The program's words; a real abra behind a wall. Raises NotPossibleHere without one."""
    if not program.is_real:
        return program.argv
    unshare = programs.find("unshare")
    if unshare is None:
        raise NotPossibleHere("unshare (util-linux) is missing: a real abra needs its own network")
    as_root = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    script = str(files("stamplab.lab.abra").joinpath("confined.sh"))
    socket = engine.removeprefix("unix://")
    walls = ("--mount", "--net", "--propagation", "private")
    return (str(unshare), *as_root, *walls, "--", "sh", script, socket, *program.argv)
