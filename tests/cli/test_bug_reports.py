"""``stamplab run``, ``list`` and ``record`` on public reports, as one types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stamplab.runner.worlds import Virtual
from stamplab.scenarios.bug_reports.registry import REPORTS_BY_NAME
from tests.programs import Command, python


@pytest.mark.parametrize("name", ["moby#43081", "43081", "healthy-task-is-gone"])
def test_one_is_played_by_any_of_its_names(
    name: str, virtual: Virtual, tmp_path: Path, stamplab: Command
) -> None:
    done = stamplab("run", name, "--world", "virtual", "--runs", tmp_path)
    assert done.code == 0, done
    for words in (
        "moby#43081: start-first: a crash after RUNNING finds the old task already retired",
        "1. create web",
        "guard:  rolled back",
        "truth:  rolled back",
        "reproduced, as it must; the guard is right",
    ):
        assert words in done.out


def test_the_table_and_what_is_remembered_of_it(virtual: Virtual, tmp_path: Path) -> None:
    def stamplab(*words: str) -> str:
        done = python("-P", "-m", "stamplab", *words, "--runs", str(tmp_path), COLUMNS="160")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    words = ("bug-reports", "label-only", "D1", "--world", "virtual", "--json")
    table = json.loads(stamplab(*words))
    assert [row["name"] for row in table["rows"]] == ["label-only", "restamped-mid-update"]
    assert table["verdict"] == "pass"
    manifest = next(tmp_path.glob("bug-reports/latest/manifest.json"))
    assert json.loads(manifest.read_text())["abra"].startswith("none")
    listed = json.loads(stamplab("list", "--json"))
    assert len(listed) == len(REPORTS_BY_NAME)
    last = {entry["name"]: entry["last"] for entry in listed}
    assert last["label-only"]["virtual"]["verdict"] == "pass"
    assert last["mixed-stack"] == {}
    shown = stamplab("list")
    assert "restamped-mid-update" in shown
    assert "stamp_mirror" in shown
