"""Which Go there is, and the program that it builds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).parent
MODULES_TIMEOUT_S = 280


class NoGo(Exception):
    """There is no Go here that is new enough, or it cannot build."""


def find_go() -> str:
    """This machine's own Go, or the one that ``./run test`` installed. Raises NoGo."""
    wanted = wanted_version()
    seen = []
    for program in (shutil.which("go"), str(Path(sys.executable).parent / "go")):
        if program is None or not Path(program).exists():
            continue
        version = version_of(program)
        if version >= wanted:
            return program
        seen.append(f"{program} is {shown(version)}")
    reason = "; ".join(seen) or "there is no go on PATH"
    raise NoGo(f"tests/gogit needs Go {shown(wanted)}: {reason} (./run test installs one)")


def build(folder: Path) -> Path:
    """Build the program; modules come as this machine's Go is configured. Raises NoGo.

    ``$STAMPLAB_GOGIT`` names one that was built already.
    """
    given = os.environ.get("STAMPLAB_GOGIT")
    if given:
        return Path(given)
    program = folder / "gogit"
    command = [find_go(), "build", "-trimpath", "-mod=readonly", "-o", str(program), "."]
    try:
        built = subprocess.run(
            command,
            cwd=SOURCES,
            env=os.environ | {"GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "0"},
            capture_output=True,
            text=True,
            check=False,
            timeout=MODULES_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise NoGo(f"{' '.join(command)} took over {MODULES_TIMEOUT_S} s") from error
    if built.returncode != 0:
        raise NoGo(f"{' '.join(command)}: {built.stderr.strip()[-500:]}")
    return program


def wanted_version() -> tuple[int, ...]:
    """What go.mod asks for."""
    found = re.search(r"^go (\S+)$", (SOURCES / "go.mod").read_text(), re.MULTILINE)
    assert found
    return parsed(found[1])


def version_of(program: str) -> tuple[int, ...]:
    """The version of a Go; () where it does not say."""
    said = subprocess.run(
        [program, "env", "GOVERSION"],
        env=os.environ | {"GOTOOLCHAIN": "local"},
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    return parsed(said.strip().removeprefix("go"))


def parsed(version: str) -> tuple[int, ...]:
    numbers = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, numbers[0].split("."))) if numbers else ()


def shown(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version)) or "of unknown version"
