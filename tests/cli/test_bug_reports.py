"""``stamplab run``, ``list`` and ``record`` on public reports, as one types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stamplab.runner.worlds import Virtual
from stamplab.scenarios.bug_reports.registry import REPORTS_BY_NAME


def stamplab(*arguments: str, runs: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "stamplab", *arguments, "--runs", str(runs)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "160"},
    )


@pytest.mark.parametrize("name", ["moby#43081", "43081", "healthy-task-is-gone"])
def test_one_is_played_by_any_of_its_names(name: str, virtual: Virtual, tmp_path: Path) -> None:
    done = stamplab("run", name, "--world", "virtual", runs=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for words in (
        "moby#43081: start-first: a crash after RUNNING finds the old task already retired",
        "1. create web",
        "guard:  rolled back",
        "truth:  rolled back",
        "reproduced, as it must; the guard is right",
    ):
        assert words in done.stdout


def test_the_table_and_what_is_remembered_of_it(virtual: Virtual, tmp_path: Path) -> None:
    names = ("label-only", "D1")
    done = stamplab("bug-reports", *names, "--world", "virtual", "--json", runs=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    table = json.loads(done.stdout)
    assert [row["name"] for row in table["rows"]] == ["label-only", "restamped-mid-update"]
    assert table["verdict"] == "pass"
    manifest = next(tmp_path.glob("bug-reports/latest/manifest.json"))
    assert json.loads(manifest.read_text())["abra"].startswith("none")
    listed = json.loads(stamplab("list", "--json", runs=tmp_path).stdout)
    assert len(listed) == len(REPORTS_BY_NAME)
    last = {entry["name"]: entry["last"] for entry in listed}
    assert last["label-only"]["virtual"]["verdict"] == "pass"
    assert last["mixed-stack"] == {}
    shown = stamplab("list", runs=tmp_path)
    assert shown.returncode == 0
    assert "restamped-mid-update" in shown.stdout
    assert "stamp_mirror" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "6"), "may be any of"),
        (("run", "label-only", "--recipe", "x"), "a report is not stamped"),
        (("run", "stamp_copy", "--world", "virtual"), "needs no world"),
        (("bug-reports", "nothing"), "no bug report is called"),
        (("bug-reports", "--at-once", "0"), "0 is not in the range"),
        (("run", "D3", "--world", "virtual", "--engine", "/nonexistent"), "of the live world"),
    ],
)
def test_bad_usage_is_said_in_a_sentence(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = stamplab(*arguments, runs=tmp_path)
    assert done.returncode == 64
    assert message in done.stderr
