"""The cache: where it is, one builder at a time, and nothing that is half built."""

from __future__ import annotations

from pathlib import Path

import pytest

from stamplab.lab.errors import LabError
from stamplab.lab.support.cache import cache_folder, exclusive_build, remove_unfinished_builds


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"STAMPLAB_CACHE": "/c", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/c"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/stamplab"),
        ({"HOME": "/h"}, "/h/.cache/stamplab"),
    ],
)
def test_its_place(variables: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STAMPLAB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(folder)


def test_a_build_has_a_scratch_folder_that_goes_with_it(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), exclusive_build(tmp_path / "shelf") as scratch:
        (scratch / "half").touch()
        raise ZeroDivisionError
    assert list((tmp_path / "shelf").iterdir()) == []


def test_what_a_killed_build_left_goes_before_the_next(tmp_path: Path) -> None:
    with exclusive_build(tmp_path) as scratch:
        place = scratch
    place.mkdir()
    (place / "half").touch()
    with exclusive_build(tmp_path) as scratch:
        assert scratch == place
        assert list(scratch.iterdir()) == []


def test_what_killed_builds_left_is_removed_on_every_shelf(tmp_path: Path) -> None:
    for shelf in ("go", "workload"):
        with exclusive_build(tmp_path / shelf) as scratch:
            place = scratch
        place.mkdir()
    assert remove_unfinished_builds(tmp_path)
    assert [list(shelf.iterdir()) for shelf in tmp_path.iterdir()] == [[], []]
    assert not remove_unfinished_builds(tmp_path)


def test_a_build_at_work_is_left_alone(tmp_path: Path) -> None:
    with exclusive_build(tmp_path / "go") as scratch:
        assert not remove_unfinished_builds(tmp_path)
        assert scratch.exists()


def test_no_cache_at_all_holds_nothing(tmp_path: Path) -> None:
    assert not remove_unfinished_builds(tmp_path / "absent")


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(
            LabError, match=r"file/go cannot be made \(Not a directory\).*STAMPLAB_CACHE"
        ),
        exclusive_build(tmp_path / "file" / "go"),
    ):
        pytest.fail("there is a shelf in a file")
