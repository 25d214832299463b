"""What doctor says of the programs and the disk, and that no check hides another."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import NoReturn

import pytest

from stamplab.lab.errors import LabError, NotPossibleHere, UsageError
from stamplab.lab.live import doctor
from stamplab.lab.live.doctor import check, disk, machine, programs
from stamplab.lab.live.doctor.check import Check, CheckState, run_check
from stamplab.lab.live.engine import OPTIONAL, REQUIRED
from stamplab.lab.recipe.resolver import STACKSPEC
from stamplab.lab.workload.build import Build
from tests.scripts import put

STATIC = b"\x7fELF\x02\x01".ljust(54, b"\0") + struct.pack("<HH", 56, 0).ljust(10, b"\0")
"""The header of a program of 64 bits without segments, so without a loader."""


def whole_engine(bare: Path) -> Path:
    host = bare / "host"
    put(host, *REQUIRED, *OPTIONAL)
    (host / "busybox").write_bytes(STATIC)
    return host


# The engine.


def test_a_whole_engine_is_named_with_its_version_and_place(bare: Path) -> None:
    whole_engine(bare)
    assert programs.check_engine(None) == Check(
        name="engine", state=CheckState.OK, facts="1.2.3 (PATH)"
    )


def test_each_missing_tool_is_named(bare: Path) -> None:
    result = programs.check_engine(None)
    assert (result.state, result.facts) == (CheckState.LACK, "none that runs")
    assert all(name in result.means for name in REQUIRED)
    assert result.means.startswith("No docker engine that the lab could run: ")


def test_an_engine_that_does_not_run_is_a_lack(bare: Path) -> None:
    put(whole_engine(bare), "dockerd", lines="echo no libc >&2; exit 1")
    result = programs.check_engine(None)
    assert result.state is CheckState.LACK
    assert "does not run: no libc." in result.means


@pytest.mark.parametrize(
    ("missing", "state", "means"),
    [
        ("setpriv", CheckState.LACK, "install util-linux"),
        ("docker-proxy", CheckState.NOTE, "refuse to start without docker-proxy"),
        ("iptables-save", CheckState.OK, ""),
    ],
)
def test_a_missing_optional_tool(bare: Path, missing: str, state: CheckState, means: str) -> None:
    (whole_engine(bare) / missing).unlink()
    result = programs.check_engine(None)
    assert (result.state, result.facts) == (state, f"1.2.3 (PATH); without {missing}")
    assert means in result.means


def test_a_busybox_with_libraries_is_a_lack(bare: Path) -> None:
    put(whole_engine(bare), "busybox")
    result = programs.check_engine(None)
    assert result.state is CheckState.LACK
    assert "host/busybox is not static" in result.facts


# Git and the workload.


def test_git_its_version_and_its_absence(bare: Path) -> None:
    assert programs.check_git().state is CheckState.LACK
    put(bare / "host", "git", lines="echo git version 2.39.5")
    assert programs.check_git() == Check(name="git", state=CheckState.OK, facts="2.39.5")
    put(bare / "host", "git", lines="echo no libc >&2; exit 127")
    assert programs.check_git().facts == "it does not run: no libc"
    assert programs.check_git().state is CheckState.LACK


def test_a_built_workload_is_not_built_again(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = bare / "program"
    build = Build(compiler=["cc", "-m64"], environment={}, program=program)
    monkeypatch.setattr(programs, "find_build", lambda _: build)
    result = programs.check_workload(bare)
    assert (result.state, result.facts) == (CheckState.OK, "not built yet; cc -m64 can")
    assert not program.exists()
    program.touch()
    assert programs.check_workload(bare).facts == f"built already: {program}"


def test_no_compiler_is_a_lack(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stamplab.lab.workload.build._compilers", lambda: iter(()))
    result = programs.check_workload(bare)
    assert result.state is CheckState.LACK
    assert "no C compiler was found" in result.means


def test_a_ready_made_workload_must_answer(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(bare, "mine", lines="echo stampload 1")
    monkeypatch.setenv("STAMPLOAD", str(bare / "mine"))
    assert programs.check_workload(bare).facts == f"{bare}/mine ($STAMPLOAD)"
    put(bare, "mine", lines="echo something else")
    assert programs.check_workload(bare).state is CheckState.LACK


def test_a_go_program_not_built_is_a_note(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(bare / "python"))
    result = programs.check_go_program(STACKSPEC, bare)
    assert (result.name, result.state) == ("stackspec", CheckState.NOTE)
    assert "needs the program stackspec, " in result.means
    put(bare / "host", "go", lines="echo go1.99.1 linux amd64")
    result = programs.check_go_program(STACKSPEC, bare)
    assert result.facts == "not built yet; go1.99.1 linux amd64 can"
    put(bare, "mine")
    monkeypatch.setenv("STAMPLAB_STACKSPEC", str(bare / "mine"))
    assert programs.check_go_program(STACKSPEC, bare).facts == f"ready: {bare}/mine"


# The disk.

CHECKS = {"labs": disk.check_labs_folder, "cache": disk.check_cache, "runs": disk.check_runs}


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
        ("labs", 300 * 10**6, CheckState.OK),
        ("labs", 100 * 10**6, CheckState.NOTE),
        ("labs", 10**6, CheckState.LACK),
        ("cache", 2 * 10**9, CheckState.OK),
        ("cache", 300 * 10**6, CheckState.NOTE),
        ("cache", 10**6, CheckState.LACK),
        ("runs", 300 * 10**6, CheckState.OK),
        ("runs", 100 * 10**6, CheckState.NOTE),
        ("runs", 0, CheckState.LACK),
    ],
)
def test_how_much_room_is_enough(
    monkeypatch: pytest.MonkeyPatch, name: str, free_bytes: int, state: CheckState
) -> None:
    monkeypatch.setattr(disk, "room_of", lambda _: room(free_bytes))
    result = CHECKS[name](Path("/somewhere"))
    assert result.name == f"disk: {name}"
    assert (result.state, result.facts) == (
        state,
        f"/somewhere, {check.format_size(free_bytes)} free",
    )


@pytest.mark.parametrize("name", ["labs", "cache", "runs"])
def test_what_cannot_be_written_is_a_lack(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(disk, "room_of", lambda _: room(is_writable=False))
    result = CHECKS[name](Path("/somewhere"))
    assert (result.state, result.facts) == (CheckState.LACK, "/somewhere cannot be written")
    assert f"Set STAMPLAB_{ {'labs': 'DIR'}.get(name, name.upper()) } to" in result.means


def test_nothing_can_be_run_from_a_cache_mounted_noexec(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "room_of", lambda _: room(is_executable=False))
    assert disk.check_cache(Path("/somewhere")).state is CheckState.LACK
    assert disk.check_runs(Path("/somewhere")).state is CheckState.OK


@pytest.mark.parametrize(
    ("root", "owner", "result"),
    [
        ("/labs", 12345, "/labs belongs to user 12345"),
        ("labs", None, "STAMPLAB_DIR=labs"),
        ("/" + "long" * 25, None, "a socket in it has a path of"),
    ],
)
def test_a_folder_that_no_lab_could_be_in(
    monkeypatch: pytest.MonkeyPatch, root: str, owner: int | None, result: str
) -> None:
    monkeypatch.setattr(disk, "room_of", lambda _: room(owner=owner))
    assert disk.check_labs_folder(Path(root)).state is CheckState.LACK
    assert result in disk.check_labs_folder(Path(root)).facts


def test_a_folder_to_be_made_is_where_the_nearest_above_it_is(tmp_path: Path) -> None:
    to_be_made = disk.room_of(tmp_path / "a" / "b")
    assert to_be_made.is_writable
    assert to_be_made.is_executable
    assert to_be_made.owner is None
    assert to_be_made.free_bytes > 0
    assert disk.room_of(tmp_path).owner == os.geteuid()
    (tmp_path / "file").touch()
    assert not disk.room_of(tmp_path / "file" / "in a file").is_writable
    assert disk.room_of(Path("a relative one")).owner is None


# All together.


def crash() -> NoReturn:
    raise ZeroDivisionError("by zero")


def test_a_check_that_crashes_says_so() -> None:
    result = run_check("swap", crash)
    assert (result.name, result.state) == ("swap", CheckState.UNKNOWN)
    assert result.facts == "ZeroDivisionError: by zero"


def test_a_check_that_crashes_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "check_memory", crash)
    result = {row.name: row for row in doctor.examine()}
    assert result["memory"].state is CheckState.UNKNOWN
    assert {"root", "engine", "cgroups", "kernel log", "labs", "disk: runs"} <= set(result)
    assert [name for name, row in result.items() if row.state is CheckState.UNKNOWN] == ["memory"]


def test_an_ordinary_user_is_told_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    result = {row.name: row for row in doctor.examine()}
    assert result["root"].state is CheckState.LACK
    assert all(row.state is not CheckState.UNKNOWN for row in result.values())
    assert len(result) == len(doctor.examine())


def test_whatever_is_not_well_says_what_it_means_in_a_sentence() -> None:
    for row in doctor.examine(runs=Path("/proc/runs")):
        assert row.state is CheckState.OK or row.means, row
        assert not row.means or (row.means[0].isupper() or row.means[0] == "/"), row
        assert not row.means or row.means.endswith("."), row


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 bytes"), (1500, "1.5 kB"), (10**6, "1.0 MB"), (79_300_000_000, "79.3 GB")],
)
def test_sizes_are_said_in_powers_of_ten(size_bytes: int, text: str) -> None:
    assert check.format_size(size_bytes) == text


@pytest.mark.parametrize("kind", [LabError, NotPossibleHere, UsageError])
def test_an_errors_text_becomes_a_sentence(kind: type[LabError]) -> None:
    assert check.sentence(kind("no engine: install one")) == "No engine: install one."
