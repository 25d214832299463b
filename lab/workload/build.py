"""Builds the workload program, with whatever of this machine can link a static program.

A C compiler with a static C library does, and so does Zig's, which comes as a Python package. What
was built is kept in a cache under a name made of the sources, the compiler and the flags.
"""

import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from stamplab.lab.errors import LabError, NotPossibleHere, UsageError
from stamplab.lab.support import programs
from stamplab.lab.support.cache import only_builder

SOURCE_DIR = Path(__file__).parent
SOURCES = ("stampload.c", "serve.c", "client.c")
HEADERS = ("stampload.h",)
FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-static", "-s")

_COMPILERS = ("cc", "gcc", "musl-gcc", "clang")
_ZIG_TARGETS = {
    "aarch64": "aarch64-linux-musl",
    "armv7l": "arm-linux-musleabihf",
    "riscv64": "riscv64-linux-musl",
    "x86_64": "x86_64-linux-musl",
}
_COMPILE_TIMEOUT_S = 600  # Zig builds its C library first, which takes a slow machine minutes
_ANSWER_TIMEOUT_S = 60


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """One way to make the program, and where it is kept."""

    compiler: list[str]
    """The beginning of its command."""
    environment: dict[str, str]
    program: Path
    """There once it was built."""

    @property
    def compiler_name(self) -> str:
        """The compiler, for a person."""
        return shlex.join(self.compiler)


def build_program(cache_dir: Path) -> Path:
    """Return the path of the static program `stampload`, built now or found in the cache.

    The environment variable `STAMPLOAD` names a ready-made program, which is taken as it is. Else
    the first of these that can link a static program compiles the sources: `$CC`, `cc`, `gcc`,
    `musl-gcc`, `clang`, the Python package `ziglang`. Programs are kept in `cache_dir/workload`.

    Raises `NotPossibleHere` when nothing here can build it, `UsageError` when the ready-made
    program does not answer, `LabError` when a compiler fails on the sources.
    """
    given = ready_made()
    if given:
        return given
    build = find_build(cache_dir)
    if build.program.exists():
        return build.program
    with only_builder(build.program.parent.parent) as scratch:
        if build.program.exists():  # another process was at it before us
            return build.program
        return _compile(build, scratch)


def ready_made() -> Path | None:
    """Return the program that `STAMPLOAD` names, if it does. Raises `UsageError` as above."""
    given = os.environ.get("STAMPLOAD")
    if not given:
        return None
    program = Path(given).absolute()
    if not _answers(program):
        raise UsageError(
            f"STAMPLOAD names {program}, which does not answer to --version as stampload does"
        )
    return program


def find_build(cache_dir: Path) -> Build:
    """Return the build that this machine would make or has made. Raises `NotPossibleHere`."""
    shelf = cache_dir.absolute() / "workload"
    tried = []
    for compiler in _compilers():
        environment = _environment(cache_dir.absolute())
        identity = programs.run([*compiler, "--version"], _ANSWER_TIMEOUT_S, environment)
        if identity.returncode == 0:
            program = shelf / _name_of_build(compiler, identity.stdout) / "stampload"
            if program.exists() or _links_static_programs(compiler, environment, shelf):
                return Build(compiler=compiler, environment=environment, program=program)
        tried.append(shlex.join(compiler))
    raise NotPossibleHere(
        "cannot build the workload program, for nothing here links a static program "
        f"(tried: {', '.join(tried) or 'no C compiler was found'}): install a C compiler with a "
        "static C library (Debian: gcc and libc6-dev) or the Python package ziglang, which "
        "./run setup does"
    )


def source_revision() -> str:
    """Return 12 hex digits that change with the sources; `stampload --version` answers them."""
    digest = hashlib.sha256()
    for name in (*HEADERS, *SOURCES):
        digest.update(name.encode() + b"\0" + (SOURCE_DIR / name).read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _compilers() -> Iterator[list[str]]:
    """Yield the compilers of this machine, best first, each as the beginning of a command."""
    names = [os.environ.get("CC", ""), *_COMPILERS]
    commands = [shlex.split(name) for name in names if name.strip()]
    yield from (command for command in commands if shutil.which(command[0]))
    target = _ZIG_TARGETS.get(platform.machine())
    if target and importlib.util.find_spec("ziglang"):
        yield [sys.executable, "-m", "ziglang", "cc", "-target", target]


def _environment(cache_dir: Path) -> dict[str, str]:
    """Keep Zig's own cache in ours, and compilers' messages in the language that we quote."""
    zig = str(cache_dir / "zig")
    return {**os.environ, "ZIG_GLOBAL_CACHE_DIR": zig, "ZIG_LOCAL_CACHE_DIR": zig, "LC_ALL": "C"}


def _name_of_build(compiler: Sequence[str], identity: str) -> str:
    parts = [source_revision(), *compiler, identity, *FLAGS]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _links_static_programs(
    compiler: Sequence[str], environment: Mapping[str, str], shelf: Path
) -> bool:
    """Try it: a compiler may be there and its static C library not."""
    with only_builder(shelf) as scratch:
        source, program = scratch / "try.c", scratch / "try"
        source.write_text('#include <stdio.h>\nint main(void) { return puts("linked") < 0; }\n')
        command = [*compiler, *FLAGS, str(source), "-o", str(program)]
        if programs.run(command, _COMPILE_TIMEOUT_S, environment).returncode != 0:
            return False
        return programs.run([str(program)], _ANSWER_TIMEOUT_S).stdout == "linked\n"


def _compile(build: Build, scratch: Path) -> Path:
    """Compile next to the final place and move there at once: nobody ever sees half a program."""
    output = scratch / "build"
    output.mkdir(mode=0o755)
    sources = [str(SOURCE_DIR / name) for name in SOURCES]
    revision = f'-DSTAMPLOAD_REVISION="{source_revision()}"'
    program = output / build.program.name
    command = [*build.compiler, *FLAGS, revision, *sources, "-o", str(program)]
    built = programs.run(command, _COMPILE_TIMEOUT_S, build.environment)
    if built.returncode != 0:
        last_lines = "\n".join(built.stderr.strip().splitlines()[-15:])
        raise LabError(f"{build.compiler_name} cannot compile the workload:\n{last_lines}")
    if not _answers(program):
        raise LabError(f"what {build.compiler_name} made of the workload does not run here")
    output.rename(build.program.parent)
    return build.program


def _answers(program: Path) -> bool:
    answer = programs.run([str(program), "--version"], _ANSWER_TIMEOUT_S)
    return answer.returncode == 0 and answer.stdout.startswith("stampload ")
