"""Builds the workload program with a compiler of this machine that links static programs.

Such a compiler is a C compiler with a static C library, or Zig's, which comes as a Python package.
Built programs are cached under a name made of the sources, the compiler and the flags.
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
from stamplab.lab.support.cache import build_once, exclusive_build

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
    """A way to build the program, and the program's path in the cache."""

    compiler: list[str]
    """The beginning of the compiler's command."""
    environment: dict[str, str]
    program: Path
    """Exists after the build."""

    @property
    def compiler_name(self) -> str:
        """The compiler as the user would type it."""
        return shlex.join(self.compiler)


def build_program(cache_dir: Path) -> Path:
    """Return the path of the static program `stampload`, built now or found in the cache.

    The environment variable `STAMPLOAD` may name a built program. Otherwise the first of these
    that can link a static program compiles the sources: `$CC`, `cc`, `gcc`, `musl-gcc`, `clang`,
    the Python package `ziglang`. Programs are kept in `cache_dir/workload`.

    Raises `NotPossibleHere` without such a compiler, `UsageError` when the program of `STAMPLOAD`
    does not answer, `LabError` when a compiler fails on the sources.
    """
    provided = provided_program()
    if provided:
        return provided
    build = find_build(cache_dir)
    return build_once(build.program, lambda folder: _compile(build, folder))


def provided_program() -> Path | None:
    """Return the program that `STAMPLOAD` names, if any. Raises `UsageError` as above."""
    path = os.environ.get("STAMPLOAD")
    if not path:
        return None
    program = Path(path).absolute()
    if not _is_stampload(program):
        raise UsageError(
            f"STAMPLOAD names {program}, which does not answer to --version as stampload does"
        )
    return program


def find_build(cache_dir: Path) -> Build:
    """Choose a compiler, and the program's path in the cache. Raises `NotPossibleHere`."""
    shelf = cache_dir.absolute() / "workload"
    unfit = []
    for compiler in _compilers():
        environment = _environment(cache_dir.absolute())
        identity = programs.run([*compiler, "--version"], _ANSWER_TIMEOUT_S, environment)
        if identity.returncode == 0:
            program = shelf / _name_of_build(compiler, identity.stdout) / "stampload"
            if program.exists() or _links_static_programs(compiler, environment, shelf):
                return Build(compiler=compiler, environment=environment, program=program)
        unfit.append(shlex.join(compiler))
    raise NotPossibleHere(
        "cannot build the workload program, for nothing here links a static program "
        f"(tried: {', '.join(unfit) or 'no C compiler was found'}): install a C compiler with a "
        "static C library (Debian: gcc and libc6-dev) or the Python package ziglang, which "
        "./run setup does"
    )


def source_revision() -> str:
    """Return 12 hex digits of the sources' hash; `stampload --version` prints them too."""
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
    """Return a compiler's environment: Zig's cache inside ``cache_dir``, messages in English."""
    zig = str(cache_dir / "zig")
    return {**os.environ, "ZIG_GLOBAL_CACHE_DIR": zig, "ZIG_LOCAL_CACHE_DIR": zig, "LC_ALL": "C"}


def _name_of_build(compiler: Sequence[str], identity: str) -> str:
    parts = [source_revision(), *compiler, identity, *FLAGS]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _links_static_programs(
    compiler: Sequence[str], environment: Mapping[str, str], shelf: Path
) -> bool:
    """Link and run a static program: a compiler may lack its static C library."""
    with exclusive_build(shelf) as scratch:
        source, program = scratch / "try.c", scratch / "try"
        source.write_text('#include <stdio.h>\nint main(void) { return puts("linked") < 0; }\n')
        command = [*compiler, *FLAGS, str(source), "-o", str(program)]
        if programs.run(command, _COMPILE_TIMEOUT_S, environment).returncode != 0:
            return False
        return programs.run([str(program)], _ANSWER_TIMEOUT_S).stdout == "linked\n"


def _compile(build: Build, folder: Path) -> None:
    sources = [str(SOURCE_DIR / name) for name in SOURCES]
    revision = f'-DSTAMPLOAD_REVISION="{source_revision()}"'
    program = folder / build.program.name
    command = [*build.compiler, *FLAGS, revision, *sources, "-o", str(program)]
    done = programs.run(command, _COMPILE_TIMEOUT_S, build.environment)
    if done.returncode != 0:
        last_lines = "\n".join(done.stderr.strip().splitlines()[-15:])
        raise LabError(f"{build.compiler_name} cannot compile the workload:\n{last_lines}")
    if not _is_stampload(program):
        raise LabError(f"the workload that {build.compiler_name} compiled does not run here")


def _is_stampload(program: Path) -> bool:
    answer = programs.run([str(program), "--version"], _ANSWER_TIMEOUT_S)
    return answer.returncode == 0 and answer.stdout.startswith("stampload ")
