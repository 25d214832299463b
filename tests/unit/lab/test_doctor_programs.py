"""What doctor says of the programs and the disk, and that no check hides another."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import NoReturn

import pytest

from stamplab.lab.errors import LabError, NotPossibleHere, UsageError
from stamplab.lab.live import doctor
from stamplab.lab.live.doctor import check, disk, groups, programs
from stamplab.lab.live.doctor.check import Check, State, guarded
from stamplab.lab.live.engine import OPTIONAL, REQUIRED
from stamplab.lab.live.inventory import IN_GO
from stamplab.lab.recipe.resolver import STACKSPEC
from stamplab.lab.workload.build import Build

STATIC = b"\x7fELF\x02\x01".ljust(54, b"\0") + struct.pack("<HH", 56, 0).ljust(10, b"\0")
"""The header of a program of 64 bits without segments, so without a loader."""
VERSION = "#!/bin/sh\necho Docker version 1.2.3, build abc\n"


def put(folder: Path, *names: str, text: str = VERSION) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on PATH and an empty cache."""
    monkeypatch.setenv("PATH", str(tmp_path / "host"))
    monkeypatch.setenv("STAMPLAB_CACHE", str(tmp_path / "cache"))
    for ready_made in ("STAMPLOAD", *(one.variable for one in IN_GO)):
        monkeypatch.delenv(ready_made, raising=False)
    monkeypatch.setattr("stamplab.lab.live.engine._SYSTEM_FOLDERS", ())
    return tmp_path


def whole_engine(bare: Path) -> Path:
    host = bare / "host"
    put(host, *REQUIRED, *OPTIONAL)
    (host / "busybox").write_bytes(STATIC)
    return host


# The engine.


def test_a_whole_engine_is_named_with_its_version_and_place(bare: Path) -> None:
    whole_engine(bare)
    assert programs.engine(None) == Check(name="engine", state=State.OK, found="1.2.3 (PATH)")


def test_each_missing_tool_is_named(bare: Path) -> None:
    found = programs.engine(None)
    assert (found.state, found.found) == (State.LACK, "none that runs")
    assert all(name in found.means for name in REQUIRED)
    assert found.means.startswith("No docker engine that the lab could run: ")


def test_an_engine_that_does_not_run_is_a_lack(bare: Path) -> None:
    put(whole_engine(bare), "dockerd", text="#!/bin/sh\necho no libc >&2; exit 1\n")
    found = programs.engine(None)
    assert found.state is State.LACK
    assert "does not run: no libc." in found.means


@pytest.mark.parametrize(
    ("missing", "state", "means"),
    [
        ("setpriv", State.LACK, "install util-linux"),
        ("docker-proxy", State.NOTE, "refuse to start without docker-proxy"),
        ("iptables-save", State.OK, ""),
    ],
)
def test_what_a_missing_optional_tool_means(
    bare: Path, missing: str, state: State, means: str
) -> None:
    (whole_engine(bare) / missing).unlink()
    found = programs.engine(None)
    assert (found.state, found.found) == (state, f"1.2.3 (PATH); without {missing}")
    assert means in found.means


def test_a_busybox_with_libraries_is_a_lack(bare: Path) -> None:
    put(whole_engine(bare), "busybox")
    found = programs.engine(None)
    assert found.state is State.LACK
    assert "host/busybox is not static" in found.found


# Git and the workload.


def test_git_its_version_and_its_absence(bare: Path) -> None:
    assert programs.git_program().state is State.LACK
    put(bare / "host", "git", text="#!/bin/sh\necho git version 2.39.5\n")
    assert programs.git_program() == Check(name="git", state=State.OK, found="2.39.5")
    put(bare / "host", "git", text="#!/bin/sh\necho no libc >&2; exit 127\n")
    assert programs.git_program().found == "it does not run: no libc"
    assert programs.git_program().state is State.LACK


def test_a_workload_that_was_built_is_not_built_again(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = bare / "program"
    build = Build(compiler=["cc", "-m64"], environment={}, program=program)
    monkeypatch.setattr(programs, "find_build", lambda _: build)
    found = programs.workload(bare)
    assert (found.state, found.found) == (State.OK, "not built yet; cc -m64 can")
    assert not program.exists()
    program.touch()
    assert programs.workload(bare).found == f"built already: {program}"


def test_no_compiler_is_a_lack(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stamplab.lab.workload.build._compilers", lambda: iter(()))
    found = programs.workload(bare)
    assert found.state is State.LACK
    assert "no C compiler was found" in found.means


def test_a_ready_made_workload_must_answer(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(bare, "mine", text="#!/bin/sh\necho stampload 1\n")
    monkeypatch.setenv("STAMPLOAD", str(bare / "mine"))
    assert programs.workload(bare).found == f"{bare}/mine ($STAMPLOAD)"
    put(bare, "mine", text="#!/bin/sh\necho something else\n")
    assert programs.workload(bare).state is State.LACK


def test_a_program_in_go_that_cannot_be_built_is_a_note(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", str(bare / "python"))
    found = programs.in_go(STACKSPEC, bare)
    assert (found.name, found.state) == ("stackspec", State.NOTE)
    assert "needs the program stackspec, " in found.means
    put(bare / "host", "go", text="#!/bin/sh\necho go1.99.1 linux amd64\n")
    found = programs.in_go(STACKSPEC, bare)
    assert found.found == "not built yet; go1.99.1 linux amd64 can"
    put(bare, "mine")
    monkeypatch.setenv("STAMPLAB_STACKSPEC", str(bare / "mine"))
    assert programs.in_go(STACKSPEC, bare).found == f"ready: {bare}/mine"


# The disk.


def room(
    free_bytes: int = 10**12,
    *,
    is_writable: bool = True,
    is_executable: bool = True,
    owner: int | None = None,
) -> disk.Room:
    return disk.Room(
        free_bytes=free_bytes, is_writable=is_writable, is_executable=is_executable, owner=owner
    )


@pytest.mark.parametrize(
    ("name", "free_bytes", "state"),
    [
        ("labs", 300 * 10**6, State.OK),
        ("labs", 100 * 10**6, State.NOTE),
        ("labs", 10**6, State.LACK),
        ("cache", 2 * 10**9, State.OK),
        ("cache", 300 * 10**6, State.NOTE),
        ("cache", 10**6, State.LACK),
        ("runs", 300 * 10**6, State.OK),
        ("runs", 100 * 10**6, State.NOTE),
        ("runs", 0, State.LACK),
    ],
)
def test_how_much_room_is_enough(
    monkeypatch: pytest.MonkeyPatch, name: str, free_bytes: int, state: State
) -> None:
    monkeypatch.setattr(disk, "look", lambda _: room(free_bytes))
    found = getattr(disk, name)(Path("/somewhere"))
    assert found.name == f"disk: {name}"
    assert (found.state, found.found) == (state, f"/somewhere, {check.size(free_bytes)} free")


@pytest.mark.parametrize("name", ["labs", "cache", "runs"])
def test_what_cannot_be_written_is_a_lack(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(disk, "look", lambda _: room(is_writable=False))
    found = getattr(disk, name)(Path("/somewhere"))
    assert (found.state, found.found) == (State.LACK, "/somewhere cannot be written")
    assert f"Set STAMPLAB_{ {'labs': 'DIR'}.get(name, name.upper()) } to" in found.means


def test_nothing_can_be_run_from_a_cache_mounted_noexec(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "look", lambda _: room(is_executable=False))
    assert disk.cache(Path("/somewhere")).state is State.LACK
    assert disk.runs(Path("/somewhere")).state is State.OK


@pytest.mark.parametrize(
    ("root", "owner", "found"),
    [
        ("/labs", 12345, "/labs belongs to user 12345"),
        ("labs", None, "STAMPLAB_DIR=labs"),
        ("/" + "long" * 25, None, "a socket in it has a path of"),
    ],
)
def test_a_folder_that_no_lab_could_be_in(
    monkeypatch: pytest.MonkeyPatch, root: str, owner: int | None, found: str
) -> None:
    monkeypatch.setattr(disk, "look", lambda _: room(owner=owner))
    assert disk.labs(Path(root)).state is State.LACK
    assert found in disk.labs(Path(root)).found


def test_a_folder_to_be_made_is_where_the_nearest_above_it_is(tmp_path: Path) -> None:
    to_be_made = disk.look(tmp_path / "a" / "b")
    assert to_be_made.is_writable
    assert to_be_made.is_executable
    assert to_be_made.owner is None
    assert to_be_made.free_bytes > 0
    assert disk.look(tmp_path).owner == os.geteuid()
    (tmp_path / "file").touch()
    assert not disk.look(tmp_path / "file" / "in a file").is_writable
    assert disk.look(Path("a relative one")).owner is None


# All together.


def crash() -> NoReturn:
    raise ZeroDivisionError("by zero")


def test_a_check_that_crashes_says_so() -> None:
    found = guarded("swap", crash)
    assert (found.name, found.state) == ("swap", State.UNKNOWN)
    assert found.found == "ZeroDivisionError: by zero"


def test_a_check_that_crashes_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "swap", crash)
    found = {one.name: one for one in doctor.examine()}
    assert found["swap"].state is State.UNKNOWN
    assert {"root", "engine", "cgroups", "namespaces", "kernel log", "ports"} <= set(found)
    assert [name for name, one in found.items() if one.state is State.UNKNOWN] == ["swap"]


def test_an_ordinary_user_is_told_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    found = {one.name: one for one in doctor.examine()}
    assert found["root"].state is State.LACK
    assert all(one.state is not State.UNKNOWN for one in found.values())
    assert len(found) == len(doctor.examine())


def test_whatever_is_not_well_says_what_it_means_in_a_sentence() -> None:
    for one in doctor.examine(runs=Path("/proc/runs")):
        assert one.state is State.OK or one.means, one
        assert not one.means or (one.means[0].isupper() or one.means[0] == "/"), one
        assert not one.means or one.means.endswith("."), one


@pytest.mark.parametrize(
    ("size_bytes", "said"),
    [(0, "0 bytes"), (1500, "1.5 kB"), (10**6, "1.0 MB"), (79_300_000_000, "79.3 GB")],
)
def test_sizes_are_said_in_powers_of_ten(size_bytes: int, said: str) -> None:
    assert check.size(size_bytes) == said


@pytest.mark.parametrize("kind", [LabError, NotPossibleHere, UsageError])
def test_an_errors_text_becomes_a_sentence(kind: type[LabError]) -> None:
    assert check.sentence(kind("no engine: install one")) == "No engine: install one."
