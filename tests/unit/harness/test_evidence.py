"""The evidence folder: whole files or none, and a link to the latest."""

from __future__ import annotations

from pathlib import Path

import pytest

from stamplab.lab.errors import LabError
from stamplab.lab.model.history import (
    Finding,
    LimitSet,
    Note,
    Observation,
    Record,
    RecorderLost,
    StageBegan,
    StageEnded,
)
from stamplab.runner.evidence import EvidenceFolder, console_line


def test_a_run_has_a_folder_and_the_last_one_a_name(tmp_path: Path) -> None:
    first = EvidenceFolder.create(tmp_path, "x")
    second = EvidenceFolder.create(tmp_path, "x")
    assert first.path != second.path
    assert (tmp_path / "x" / "latest").resolve() == second.path
    assert first.part("a").path == first.path / "a"


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = EvidenceFolder(tmp_path)
    folder.write_json("verdict.json", {"verdict": "pass"})
    written = (tmp_path / "verdict.json").read_text()
    assert written == '{\n  "schema": 2,\n  "verdict": "pass"\n}\n'
    assert [path.name for path in tmp_path.iterdir()] == ["verdict.json"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match="give another --runs folder"):
        EvidenceFolder.create(tmp_path / "file", "x")
    with pytest.raises(LabError, match="cannot be made"):
        EvidenceFolder(tmp_path / "none").part("a")
    with pytest.raises(LabError, match="cannot be written"):
        EvidenceFolder(tmp_path / "none").write("a", b"")


@pytest.mark.parametrize(
    ("what", "line"),
    [
        (Note(text="said"), "   1.500  said"),
        (StageBegan(stage="upgrade"), "   1.500  ==> stage upgrade"),
        (StageEnded(stage="install", end="pass"), "   1.500  <== stage install: pass"),
        (
            StageEnded(stage="upgrade", end="fail", reason="rolled back", failed_step="hc1"),
            "   1.500  <== stage upgrade: fail: rolled back",
        ),
        (Finding(step="hc1", passed=True, text="fine"), "   1.500  fine"),
        (Finding(step="hc1", passed=False, text="bad"), "   1.500  FAIL bad"),
        (LimitSet(limit_bytes=1, usage_bytes=1, reason="tight"), "   1.500  pressure: tight"),
        (RecorderLost(recorder="events", reason="x"), None),
    ],
)
def test_the_consoles_line_of_a_record(what: Observation, line: str | None) -> None:
    record = Record(seq=0, source="test", happened_s=1.0, seen_s=1.5, what=what)
    assert console_line(record) == line
