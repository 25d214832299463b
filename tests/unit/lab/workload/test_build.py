"""The build: which compiler is taken, what is kept, and what is said when nothing works."""

import importlib.util
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from stamplab.lab.errors import LabError, NotPossibleHere, UsageError
from stamplab.lab.workload import build
from stamplab.lab.workload.image import is_static
from tests.scripts import script


@cache
def static_compiler() -> str | None:
    with TemporaryDirectory() as folder:
        for compiler in filter(None, map(shutil.which, ("cc", "gcc"))):
            command = [compiler, "-static", "-x", "c", "-o", f"{folder}/try", "-"]
            built = subprocess.run(command, input=b"int main(void) { return 0; }", check=False)
            if built.returncode == 0:
                return compiler
    return None


def compiler_or_skip() -> str:
    compiler = static_compiler()
    if compiler is None:
        pytest.skip("no C compiler on PATH links a static program")
    return compiler


@pytest.fixture(autouse=True)
def no_provided_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STAMPLOAD", raising=False)
    monkeypatch.delenv("CC", raising=False)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sources in the place of ours, which take a compiler next to no time."""
    folder = tmp_path / "small"
    folder.mkdir()
    main = '#include <stdio.h>\nint main(void) { return puts("stampload 1") < 0; }\n'
    for name in (*build.HEADERS, *build.SOURCES):
        (folder / name).write_text(main if name == "stampload.c" else "")
    monkeypatch.setattr(build, "SOURCE_DIR", folder)
    return folder


def test_the_program_is_static_and_knows_its_revision(stampload: Path) -> None:
    assert is_static(stampload.read_bytes())
    answer = subprocess.run([stampload, "--version"], capture_output=True, text=True)
    assert answer.stdout == f"stampload {build.source_revision()}\n"


def test_the_sources_give_no_warning() -> None:
    sources = [str(build.SOURCE_DIR / name) for name in build.SOURCES]
    strict = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wconversion", "-O2"]
    command = [compiler_or_skip(), *strict, "-fsyntax-only", *sources]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.mark.usefixtures("small")
def test_what_was_built_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = tmp_path / "calls"
    wrapper = script(tmp_path / "mycc", f'echo "$@" >> {calls}; exec {compiler_or_skip()} "$@"')
    monkeypatch.setenv("CC", str(wrapper))
    program = build.build_program(tmp_path / "cache")
    before = calls.read_text().splitlines()
    assert build.build_program(tmp_path / "cache") == program
    assert calls.read_text().splitlines()[len(before) :] == ["--version"]
    assert program.parent.parent == tmp_path / "cache" / "workload"
    assert [path.name for path in program.parent.parent.iterdir()] == [program.parent.name]


def test_other_sources_are_another_program(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = build.source_revision()
    copy = shutil.copytree(small, tmp_path / "sources")
    monkeypatch.setattr(build, "SOURCE_DIR", copy)
    assert build.source_revision() == before
    (copy / "serve.c").write_text("\n")
    assert build.source_revision() != before


@pytest.mark.usefixtures("small")
def test_two_builds_at_once_give_one_program(tmp_path: Path) -> None:
    compiler_or_skip()
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(build.build_program, [tmp_path, tmp_path])
    assert first == second
    assert [path.name for path in first.parent.parent.iterdir()] == [first.parent.name]


@pytest.mark.usefixtures("small")
def test_a_lame_compiler_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler_or_skip()
    lame = script(tmp_path / "lame", '[ "$1" = --version ] && echo 1 || exit 1')
    monkeypatch.setenv("CC", f"{lame} -O1")
    assert build.build_program(tmp_path / "cache").exists()


def test_a_compile_error_ends_with_the_compilers_last_lines(small: Path, tmp_path: Path) -> None:
    compiler_or_skip()
    (small / "client.c").write_text("int probe(char **a) { return nonsense; }\n")
    with pytest.raises(LabError, match=r"cannot compile the workload:\n(.|\n)*nonsense"):
        build.build_program(tmp_path / "cache")
    assert list((tmp_path / "cache" / "workload").iterdir()) == []


def test_no_compiler_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path / "bin" / "gcc", "exit 1")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NotPossibleHere, match=r"tried: gcc\).* install a C compiler .* ziglang"):
        build.build_program(tmp_path / "cache")


@pytest.mark.usefixtures("small")
def test_zig_is_the_last_resort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a package that only looks like Zig: the real one needs half a minute at first."""
    compiler, path = compiler_or_skip(), os.environ["PATH"]
    package = tmp_path / "site" / "ziglang"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(
        "import os, sys\n"
        "assert sys.argv[1:3] == ['cc', '-target'] and sys.argv[3].endswith('-linux-musl')\n"
        f"os.environ['PATH'] = {path!r}\n"
        f"os.execv({compiler!r}, ['cc', *sys.argv[4:]])\n"
    )
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert build.build_program(tmp_path / "cache").exists()


@pytest.mark.deep
def test_the_real_zig_builds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("the Python package ziglang is not installed")
    monkeypatch.setenv("PATH", str(tmp_path))
    program = build.build_program(tmp_path / "cache")
    assert is_static(program.read_bytes())


def test_a_ready_made_program_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    provided = script(tmp_path / "mine", "echo stampload 1")
    monkeypatch.setenv("STAMPLOAD", str(provided))
    assert build.build_program(tmp_path / "cache") == provided
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("lines", ["echo busybox", "exit 1", None])
def test_a_ready_made_program_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str | None
) -> None:
    if lines is not None:
        script(tmp_path / "mine", lines)
    monkeypatch.setenv("STAMPLOAD", str(tmp_path / "mine"))
    with pytest.raises(UsageError, match=r"STAMPLOAD names .*mine, which does not answer"):
        build.build_program(tmp_path / "cache")
