"""Reading a NixOS profile's generations: only links are read, and each end has its name."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stamplab.lab.errors import LabError, UsageError
from stamplab.lab.nixos.generations import (
    Absent,
    Generation,
    Gone,
    Present,
    ToolReading,
    Unreadable,
    read_profile,
)
from stamplab.lab.nixos.store_path import StorePath, store_path_in
from tests.nixos_profiles import GenerationSpec, make_profiles, object_name

ABRA = object_name("abra-0.13.0-beta", "bf6azhpi")


def at(day: int) -> datetime:
    return datetime(2026, 6, day, 12, tzinfo=UTC)


def made(number: int, tool: str | None = ABRA, *, collected: bool = False) -> GenerationSpec:
    return GenerationSpec(number=number, made=at(number), tool=tool, collected=collected)


def read(profiles: Path, **names: str) -> dict[int, ToolReading]:
    return {
        generation.number: generation.tool
        for generation in read_profile(profiles, **names).generations
    }


def only(profiles: Path) -> Generation:
    (generation,) = read_profile(profiles).generations
    return generation


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    """One generation, number 4, with abra."""
    return make_profiles(tmp_path.resolve(), [made(4)])


@pytest.fixture
def tool(profiles: Path) -> Path:
    """The tool's link in the system's ``sw/bin``."""
    return (profiles / "system-4-link" / "sw" / "bin").resolve() / "abra"


@pytest.mark.parametrize(
    ("name", "parsed"),
    [
        ("abra-0.13.0-beta", ("abra", "0.13.0-beta")),
        ("abra", ("abra", "")),
        ("abra-unwrapped", ("abra-unwrapped", "")),
        (
            "nixos-system-cc-ci-25.11.20260601.8fd9daa",
            ("nixos-system-cc-ci", "25.11.20260601.8fd9daa"),
        ),
        ("python3.12-git-3.1", ("python3.12-git", "3.1")),
        ("abra-_x", ("abra", "_x")),
    ],
)
def test_a_store_path_is_digest_name_and_version(name: str, parsed: tuple[str, str]) -> None:
    digest = "bf6azhpi" + "0" * 24
    whole = f"/nix/store/{digest}-{name}"
    expected = StorePath(path=whole, digest=digest, name=parsed[0], version=parsed[1])
    assert store_path_in(f"{whole}/bin/abra") == expected
    assert store_path_in(whole) == expected
    assert str(expected) == whole


@pytest.mark.parametrize(
    "path",
    [
        "/usr/bin/abra",
        "/nix/store/.links/abra",
        f"/nix/store/{'e' * 32}-abra-1/bin/abra",  # no digit of Nix
        f"/nix/store/{'0' * 31}-abra-1/bin/abra",
        f"/nix/store/{'0' * 32}-/bin/abra",
        f"/nix/store/{'0' * 32}-abra\n/bin/abra",
        f"/nix/\x1b[2Jstore/{'0' * 32}-abra/bin/abra",
        f"/nix/\udcffstore/{'0' * 32}-abra/bin/abra",
        "",
    ],
)
def test_what_lies_in_no_store_is_no_store_path(path: str) -> None:
    assert store_path_in(path) is None


def test_a_generation_has_number_date_system_and_tool(tmp_path: Path) -> None:
    root = tmp_path.resolve()
    generation = only(make_profiles(root, [made(4)]))
    assert (generation.number, generation.made) == (4, at(4))
    assert generation.system == store_path_in(f"{root}/store/{object_name('nixos-system-made-4')}")
    assert generation.tool == Present(
        StorePath(
            path=f"{root}/store/{ABRA}",
            digest="bf6azhpi" + "0" * 24,
            name="abra",
            version="0.13.0-beta",
        )
    )


def test_the_date_is_the_links_own_in_the_time_zone_of_the_machine(profiles: Path) -> None:
    target = (profiles / "system-4-link").resolve()
    os.utime(target, (0, 0))
    generation = only(profiles)
    assert generation.made == at(4)
    assert generation.made.utcoffset() == at(4).astimezone().utcoffset()


def test_numbers_are_in_order_of_size(tmp_path: Path) -> None:
    profiles = make_profiles(tmp_path, [made(number) for number in (10, 9, 11, 2, 1)])
    assert list(read(profiles)) == [1, 2, 9, 10, 11]


def test_odd_names_are_no_generations(profiles: Path) -> None:
    target = (profiles / "system-4-link").readlink()
    for name in (
        "system-04-link",
        "system--1-link",
        "system-+5-link",
        "system-5-link~",
        "system-5-link\n",
        "system-5-link.tmp",
        "system-x-link",
        "system-\u0665-link",
        "system--link",
        "system-5",
        f"system-{10**18}-link",
        "xsystem-5-link",
        "System-5-link",
        "per-user-5-link",
        os.fsdecode(b"system-\xff-link"),
    ):
        (profiles / name).symlink_to(target)
    (profiles / "per-user").mkdir()
    assert only(profiles).number == 4


def test_other_profiles_and_tools_are_read_by_their_names(tmp_path: Path) -> None:
    profiles = make_profiles(tmp_path, [made(4)])
    other = object_name("git-2.50")
    make_profiles(tmp_path, [made(7, other)], profile="a.b+c", tool="git")
    (profiles / "aXb+c-8-link").symlink_to((profiles / "a.b+c-7-link").readlink())
    store_path = read(profiles, profile="a.b+c", tool="git")
    assert list(store_path) == [7]
    assert isinstance(store_path[7], Present)
    assert store_path[7].path.name == "git"
    assert read(profiles, tool="git") == {4: Absent()}


@pytest.mark.parametrize("name", ["", ".", "..", "../abra", "/bin/abra", "a\0b", "a\nb", "\udcff"])
@pytest.mark.parametrize("which", ["profile", "tool"])
def test_a_name_that_is_a_path_is_refused(profiles: Path, which: str, name: str) -> None:
    with pytest.raises(UsageError, match="give the name alone"):
        read_profile(profiles, **{which: name})


def test_a_system_without_the_tool(tmp_path: Path) -> None:
    assert read(make_profiles(tmp_path, [made(4, None)])) == {4: Absent()}


@pytest.mark.parametrize("missing", ["bin", "sw"])
def test_a_system_without_the_tools_folder(profiles: Path, tool: Path, missing: str) -> None:
    tool.unlink()
    tool.parent.rmdir()
    if missing == "sw":
        ((profiles / "system-4-link").resolve() / "sw").unlink()
    assert only(profiles).tool == Absent()


def test_a_collected_system_is_gone_and_still_named(tmp_path: Path) -> None:
    generation = only(make_profiles(tmp_path, [made(4, collected=True)]))
    assert generation.made == at(4)
    assert generation.system is not None
    assert generation.system.name == "nixos-system-made"
    assert generation.tool == Gone(f"'{generation.system}' is not there")


def test_a_collected_tool_is_gone_not_absent(tool: Path, profiles: Path) -> None:
    program = tool.readlink()
    program.unlink()
    program.parent.rmdir()
    assert only(profiles).tool == Gone(f"'{program.parent}' is not there")


def test_a_collected_environment_is_gone_not_absent(profiles: Path, tool: Path) -> None:
    software = tool.parents[1]
    software.rename(software.with_name("elsewhere"))
    assert only(profiles).tool == Gone(f"'{software}' is not there")


def test_a_loop_of_generations(profiles: Path) -> None:
    (profiles / "system-5-link").symlink_to("system-6-link")
    (profiles / "system-6-link").symlink_to("system-5-link")
    store_path = read(profiles)
    assert isinstance(store_path.pop(4), Present)
    for reading in store_path.values():
        assert isinstance(reading, Unreadable)
        assert "Too many levels of symbolic links" in reading.why
    assert list(store_path) == [5, 6]


def test_a_loop_at_the_tool(profiles: Path, tool: Path) -> None:
    tool.unlink()
    tool.symlink_to("abra")
    reading = only(profiles).tool
    assert reading == Unreadable(f"'{tool}': Too many levels of symbolic links")


def test_a_file_where_a_folder_should_be(profiles: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (profiles / "system-4-link").unlink()
    (profiles / "system-4-link").symlink_to(tmp_path / "file")
    reading = only(profiles).tool
    assert reading == Unreadable(f"'{tmp_path.resolve() / 'file' / 'sw'}': Not a directory")


def test_what_may_not_be_read_is_said_so(profiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read everything, so the refusal is the kernel's answer, played."""

    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied", "/nix/store/x")

    monkeypatch.setattr(os.path, "realpath", refuse)
    assert only(profiles).tool == Unreadable("'/nix/store/x': Permission denied")


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_generation_that_is_no_link(profiles: Path, kind: str) -> None:
    link = profiles / "system-4-link"
    link.unlink()
    if kind == "folder":
        link.mkdir()
    else:
        link.touch()
    generation = only(profiles)
    assert generation.system is None
    assert generation.tool == Unreadable(f"'{link}' is no link")


def test_a_tool_of_no_store_has_no_store_path(profiles: Path, tool: Path, tmp_path: Path) -> None:
    program = tmp_path.resolve() / "abra"
    program.touch()
    tool.unlink()
    tool.symlink_to(program)
    assert only(profiles).tool == Unreadable(f"'{program}' is in no Nix store")


def test_nothing_is_opened_so_a_pipe_cannot_hold_it_up(profiles: Path, tool: Path) -> None:
    program = tool.readlink()
    program.unlink()
    os.mkfifo(program)
    assert only(profiles).tool == Unreadable(f"'{program}' is no file")


def test_the_tool_may_be_a_link_as_a_wrapper_is(profiles: Path, tool: Path) -> None:
    program = tool.readlink()
    real = program.parents[2] / object_name("abra-unwrapped-0.13.0") / "bin" / "abra"
    real.parent.mkdir(parents=True)
    program.rename(real)
    program.symlink_to(real)
    reading = only(profiles).tool
    assert isinstance(reading, Present)
    assert (reading.path.name, reading.path.version) == ("abra-unwrapped", "0.13.0")


def test_a_link_that_goes_is_no_generation(profiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "listdir", lambda _: ["system-4-link", "system-5-link"])
    assert list(read(profiles)) == [4]


def test_a_date_beyond_any_calendar(profiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = (profiles / "system-4-link").lstat()
    far = os.stat_result((*status[:8], 10**15, status[9]))
    monkeypatch.setattr(Path, "lstat", lambda _: far)
    with pytest.raises(LabError, match="beyond any calendar"):
        read_profile(profiles)


def test_the_current_generation_and_when_it_was_switched_to(tmp_path: Path) -> None:
    profiles = make_profiles(tmp_path, [made(4), made(5)], current=(4, at(9)))
    current = read_profile(profiles).current
    assert current is not None
    assert (current.number, current.switched) == (4, at(9))


@pytest.mark.parametrize("target", [None, "system-x-link", "default-4-link", "system"])
def test_a_profile_that_points_to_no_generation(profiles: Path, target: str | None) -> None:
    if target:
        (profiles / "system").symlink_to(target)
    assert read_profile(profiles).current is None


def test_a_folder_that_cannot_be_listed_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_profile(tmp_path / "none")
