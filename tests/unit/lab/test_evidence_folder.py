"""The evidence folder under readers: ``latest`` always leads to a run, a file is always whole."""

from __future__ import annotations

import re
import secrets
from itertools import count
from pathlib import Path

import pytest

from stamplab.lab.errors import LabError
from stamplab.lab.model.history import Record
from stamplab.runner.evidence import EvidenceFolder, console_line
from tests.builders import oom_kill
from tests.reading import reading


def test_a_run_is_named_by_its_time_and_nothing_else_is_left_beside_it(tmp_path: Path) -> None:
    folder = EvidenceFolder.create(tmp_path / "deep" / "runs", "repro-x")
    assert folder.path.parent == tmp_path / "deep" / "runs" / "repro-x"
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}", folder.path.name)
    assert {path.name for path in folder.path.parent.iterdir()} == {folder.path.name, "latest"}
    assert not (folder.path.parent / "latest").readlink().is_absolute()


def test_latest_never_leads_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = count()
    monkeypatch.setattr(secrets, "token_hex", lambda _: f"{next(numbers):04x}")
    EvidenceFolder.create(tmp_path, "x")
    missed: list[bool] = []
    with reading(lambda: missed.append(not (tmp_path / "x" / "latest").is_dir())):
        for _ in range(100):
            EvidenceFolder.create(tmp_path, "x")
    assert missed
    assert not any(missed)


def test_a_file_is_never_seen_half_written(tmp_path: Path) -> None:
    folder = EvidenceFolder(tmp_path)
    texts = [bytes([letter]) * 200_000 for letter in b"ab"]
    folder.write("big", texts[0])
    seen: set[bytes] = set()
    with reading(lambda: seen.add((tmp_path / "big").read_bytes())):
        for n in range(100):
            folder.write("big", texts[n % 2])
    assert seen <= set(texts)


def test_what_stands_where_latest_should_be_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "x" / "latest").mkdir(parents=True)
    (tmp_path / "x" / "latest" / "mine").touch()
    with pytest.raises(LabError, match="no evidence can be kept"):
        EvidenceFolder.create(tmp_path, "x")
    assert (tmp_path / "x" / "latest" / "mine").exists()


def test_a_part_is_made_once(tmp_path: Path) -> None:
    folder = EvidenceFolder(tmp_path)
    folder.part("a-ample").write("manifest.json", b"{}\n")
    assert (tmp_path / "a-ample" / "manifest.json").read_bytes() == b"{}\n"
    with pytest.raises(LabError, match="a-ample cannot be made: File exists"):
        folder.part("a-ample")


def test_an_oom_kill_has_a_line_on_the_console() -> None:
    kill = oom_kill("t")
    record = Record(seq=0, source="kernel log", happened_s=1.0, seen_s=12.3456, what=kill)
    assert console_line(record) == "  12.346  kernel: OOM-killed stampload in /docker/container-t"
