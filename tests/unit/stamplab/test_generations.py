"""``stamplab generations``: what it reads, prints, and exits with."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from stamplab.cli import generations as command
from stamplab.cli.generations import Constancy
from stamplab.harness.verdict import Verdict
from tests.nixos_profiles import GenerationSpec, make_profiles, object_name
from tests.programs import Command, Ended

OLD = object_name("abra-0.13.0-beta", "bf6azhpi")
NEW = object_name("abra-0.14.0-beta")


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Not UTC, or a mix-up would not be seen; spelled out, for a machine without zone files."""
    monkeypatch.setenv("TZ", "NZST-12")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def june(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 6, day, hour).astimezone()


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    """Constant from the 1st on, changed on the 8th; before it there is no abra."""
    tools = {3: (1, None), 4: (1, OLD), 5: (5, OLD), 6: (8, NEW), 7: (11, NEW)}
    made = [GenerationSpec(number=n, made=june(day), tool=tool) for n, (day, tool) in tools.items()]
    return make_profiles(tmp_path.resolve(), made, current=(7, june(11)))


def rows_in(table: str) -> list[list[str]]:
    rows = [[cell.strip() for cell in row.split("│")[1:-1]] for row in table.splitlines()]
    return [row for row in rows if row]


def test_generations_have_rows_and_one_sentence(profiles: Path, stamplab: Command) -> None:
    ended = stamplab("generations", "--profiles", profiles)
    assert ended.code == 0
    store = profiles.parent / "store"
    assert rows_in(ended.out) == [
        ["3", "2026-06-01 12:00", "the tool is absent", "unknown"],
        ["4", "2026-06-01 12:00", f"{store}/{OLD}", ""],
        ["5", "2026-06-05 12:00", f"{store}/{OLD}", ""],
        ["6", "2026-06-08 12:00", f"{store}/{NEW}", "changed"],
        ["7 (current)", "2026-06-11 12:00", f"{store}/{NEW}", ""],
    ]
    sentence = ended.out.splitlines()[-1]
    assert sentence.startswith("abra: constant since generation 6 (2026-06-08 12:00): ")


def test_gaps_and_switches_have_their_rows(tmp_path: Path, stamplab: Command) -> None:
    made = [
        GenerationSpec(number=4, made=june(1), tool=OLD),
        GenerationSpec(number=7, made=june(2), tool=OLD, collected=True),
        GenerationSpec(number=8, made=june(3), tool=NEW),
    ]
    profiles = make_profiles(tmp_path.resolve(), made, current=(4, june(9)))
    ended = stamplab("generations", "--profiles", profiles)
    cells = rows_in(ended.out)
    assert ended.code == 0
    assert [(row[0], row[1], row[3]) for row in cells] == [
        ("4 (current)", "2026-06-01 12:00", ""),
        ("5 to 6", "", "unknown"),
        ("7", "2026-06-02 12:00", "unknown"),
        ("8", "2026-06-03 12:00", "changed"),
        ("4 (switched to)", "2026-06-09 12:00", "changed"),
    ]
    assert cells[1][2] == "gone (deleted: it has no link)"
    assert cells[2][2].startswith("gone ('")


@pytest.mark.parametrize(
    ("arguments", "code", "clause"),
    [
        (("--since", "2026-06-01", "--until", "2026-06-07"), 0, "constant since generation 4 "),
        (("--since", "2026-06-05", "--until", "2026-06-10"), 1, "changed between 2026-06-05 23:59"),
        (("--since", "2026-06-05"), 1, "changed between 2026-06-05 23:59 and now: "),
        (("--since", "2026-06-08"), 0, "constant since generation 6 "),  # a day counts as a whole
        (("--since", "2026-06-08T11:59"), 1, "generation 6 (2026-06-08 12:00) has "),
        (("--since", "2026-06-08T12:00"), 0, "constant since generation 6 "),
        (("--since", "2026-06-08 00:00:00Z"), 0, "constant since generation 6 "),
        (("--since", "2026-06-08T00:00:00+12:00"), 1, "changed between 2026-06-08 00:00 and now"),
        (("--since", "2026-05-31", "--until", "2026-06-05"), 2, "unknown: "),
        (("--until", "2026-06-01T11:00"), 2, "there is no generation of 2026-06-01 11:00"),
        (("--until", "2026-06-05"), 0, "the same store path in 2 generations"),
        (("--tool", "git"), 2, "git: unknown: generation 7 (2026-06-11 12:00): the tool is absent"),
        (("--profile", "other"), 2, "abra: unknown: there is no generation"),
    ],
)
def test_the_exit_code_and_the_last_line_say_the_same(
    profiles: Path, stamplab: Command, arguments: tuple[str, ...], code: int, clause: str
) -> None:
    ended = stamplab("generations", "--profiles", profiles, *arguments)
    assert (ended.code, ended.err) == (code, "")
    assert clause in ended.out.splitlines()[-1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--since", "yesterday"),
        ("--since", "2026-02-30"),
        ("--since", "20260605"),
        ("--since", "2026-W23-5"),
        ("--since", "2026-06-05\n"),
        ("--since", "2026-06-05T25:00"),
        ("--since", "0001-01-01"),
        ("--until", ""),
        ("--since", "2026-06-05", "--until", "2026-06-04"),
        ("--tool", "../abra"),
        ("--profile", ""),
        ("--no-such-option",),
        ("argument",),
    ],
)
def test_bad_arguments_exit_64(
    profiles: Path, stamplab: Command, arguments: tuple[str, ...]
) -> None:
    ended = stamplab("generations", "--profiles", profiles, *arguments)
    assert (ended.code, ended.out) == (64, "")
    assert ended.err


@pytest.mark.parametrize("name", ["none", "file"])
def test_a_folder_that_is_none_exits_64(tmp_path: Path, stamplab: Command, name: str) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / name
    sentence = f"stamplab: '{folder}' is no folder: give the one with the profile's links\n"
    assert stamplab("generations", "--profiles", folder) == Ended(64, "", sentence)


def test_a_folder_without_generations_is_unknown(tmp_path: Path, stamplab: Command) -> None:
    ended = stamplab("generations", "--profiles", tmp_path)
    assert ended == Ended(2, "abra: unknown: there is no generation\n", "")


def test_a_machine_that_is_no_nixos_host_exits_77(
    tmp_path: Path, stamplab: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "PROFILES", tmp_path / "none")
    ended = stamplab("generations")
    assert (ended.code, ended.out) == (77, "")
    assert f"there is no {tmp_path / 'none'}, so this is no NixOS host" in ended.err


def test_without_being_told_where_the_machines_own_are_read(
    profiles: Path, stamplab: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "PROFILES", profiles)
    assert stamplab("generations") == stamplab("generations", "--profiles", profiles)


def test_a_machine_reads_the_same_as_a_person(profiles: Path, stamplab: Command) -> None:
    ended = stamplab("generations", "--json", "--profiles", profiles, "--since", "2026-06-05")
    constancy = msgspec.json.decode(ended.out, type=Constancy)
    assert ended.code == 1
    assert (constancy.verdict, constancy.profile, constancy.tool) == (
        Verdict.FAIL,
        "system",
        "abra",
    )
    assert constancy.sentence.startswith("changed between 2026-06-05 23:59 and now: ")
    assert [(change.before.first, change.after.first) for change in constancy.changes] == [(5, 6)]
    assert [generation.number for generation in constancy.read.generations] == [3, 4, 5, 6, 7]
    assert constancy.read.generations[0].made == june(1)
    assert constancy.profiles == str(profiles)


def test_names_that_no_terminal_can_show_do_no_harm(tmp_path: Path, stamplab: Command) -> None:
    root = Path(os.fsdecode(bytes(tmp_path.resolve()) + b"/\xff\x1b[2J"))
    profiles = make_profiles(root, [GenerationSpec(number=4, made=june(1), tool=OLD)])
    for arguments in ((), ("--json",)):
        ended = stamplab("generations", "--profiles", profiles, *arguments)
        assert ended.code == 2
        assert "is in no Nix store" in ended.out
        assert "\x1b" not in ended.out
