"""``stamplab doctor``: what it concludes from its checks, prints, and exits with."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from stamplab.cli import doctor as command
from stamplab.cli import main
from stamplab.cli.doctor import Diagnosis, conclusion, diagnose
from stamplab.lab.live.doctor import Check, CheckState
from stamplab.lab.live.reaper import LabRemoval, LabStatus, Standing

OK = Check(name="cgroups", state=CheckState.OK, facts="off")
NOTE = Check(name="memory", state=CheckState.NOTE, facts="0.5 GB", means="It is little.")
LACK = Check(name="root", state=CheckState.LACK, facts="user 1000", means="Use sudo.")
UNKNOWN = Check(name="git", state=CheckState.UNKNOWN, facts="OSError: 5", means="It crashed.")

UNTRIED = "; stamplab doctor --try, as root, starts one"
ENDS = [
    ((OK,), 0, f"live labs can run here{UNTRIED}"),
    ((OK, NOTE), 0, f"live labs can run here{UNTRIED}"),
    ((OK, LACK, NOTE), 77, "live labs cannot run here; lacking: root"),
    ((OK, UNKNOWN), 2, "whether live labs can run here is unknown; a check itself failed: git"),
    ((LACK, UNKNOWN), 2, "whether live labs can run here is unknown; a check itself failed: git"),
]


def run(
    checks: tuple[Check, ...], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[object, list[tuple[Path | None, Path]]]:
    asked: list[tuple[Path | None, Path]] = []

    def examine(engine: Path | None, runs: Path) -> tuple[Check, ...]:
        asked.append((engine, runs))
        return checks

    monkeypatch.setattr(command, "examine", examine)
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as ended:
        main.main(["doctor", *arguments])
    return ended.value.code, asked


@pytest.mark.parametrize(("checks", "code", "line"), ENDS)
def test_the_exit_code_and_the_last_line_say_the_same(
    checks: tuple[Check, ...],
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(checks, monkeypatch)[0] == code
    assert capsys.readouterr().out.splitlines()[-1] == line
    assert conclusion(diagnose(checks)) == line


def test_every_check_has_its_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run((OK, NOTE, LACK, UNKNOWN), monkeypatch)
    rows = capsys.readouterr().out.splitlines()
    for check in (OK, NOTE, LACK, UNKNOWN):
        row = next(row for row in rows if f" {check.name} " in row)
        assert f" {check.state} " in row
        assert check.facts in row
        assert any(check.means in row for row in rows)


def test_a_machine_reads_the_same_as_a_person(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run((OK, LACK), monkeypatch, "--json")[0] == 77
    diagnosis = msgspec.json.decode(capsys.readouterr().out, type=Diagnosis)
    assert diagnosis == Diagnosis(live_labs="not possible", why=("root",), checks=(OK, LACK))


def test_the_engine_and_the_runs_that_are_meant_are_examined(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("STAMPLAB_ENGINE", raising=False)
    monkeypatch.delenv("STAMPLAB_RUNS", raising=False)
    assert run((OK,), monkeypatch)[1] == [(None, Path("runs"))]
    assert run((OK,), monkeypatch, f"--engine={tmp_path}", "--runs=x")[1] == [(tmp_path, Path("x"))]
    monkeypatch.setenv("STAMPLAB_ENGINE", str(tmp_path))
    monkeypatch.setenv("STAMPLAB_RUNS", str(tmp_path / "r"))
    assert run((OK,), monkeypatch)[1] == [(tmp_path, tmp_path / "r")]


DEAD = LabStatus(name="1a2b3c4d", standing=Standing.DEAD, what="its owner, process 7, is gone")


def reaping(
    monkeypatch: pytest.MonkeyPatch, *reaped: LabRemoval, half_built: bool = False
) -> tuple[object, list[tuple[Path | None, Path]]]:
    monkeypatch.setattr(command, "reap_labs", lambda: reaped)
    monkeypatch.setattr(command, "remove_unfinished_builds", lambda _: half_built)
    return run((OK,), monkeypatch, "--reap")


def test_what_was_reaped_is_said_before_the_checks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reaping(monkeypatch, LabRemoval(lab=DEAD), half_built=True)[0] == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "1a2b3c4d: its owner, process 7, is gone; removed",
        "workload: a build that was killed; removed",
    ]
    assert lines[-1].startswith("live labs can run here")


def test_what_resists_is_said_and_exits_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    resisting = LabRemoval(lab=DEAD, resisted="process 8 of lab 1a2b3c4d does not die")
    assert reaping(monkeypatch, resisting)[0] == 2
    assert "not removed: process 8 of lab 1a2b3c4d does not die" in capsys.readouterr().out


def test_nothing_to_reap_is_said_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reaping(monkeypatch)[0] == 0
    assert capsys.readouterr().out.splitlines()[0] == "no dead lab has left anything"


def test_without_being_asked_doctor_reaps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "reap_labs", lambda: pytest.fail("nobody asked"))
    assert run((OK,), monkeypatch)[0] == 0


STEP = Check(name="try: dockerd", state=CheckState.OK, facts="done")
FAILED = Check(name="try: dockerd", state=CheckState.LACK, facts="no luck", means="Try another.")
LEFT = Check(name="try: take-down", state=CheckState.UNKNOWN, facts="it resists", means="Reap it.")


@pytest.mark.parametrize(
    ("steps", "code", "line"),
    [
        ((STEP,), 0, "live labs can run here"),
        ((FAILED,), 77, "live labs cannot run here; lacking: try: dockerd"),
        ((FAILED, LEFT), 2, "whether live labs can run here is unknown; a check itself failed: "),
    ],
)
def test_a_lab_that_was_tried_decides(
    steps: tuple[Check, ...],
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def try_sandbox(engine: Path | None, on_message: Callable[[str], None]) -> tuple[Check, ...]:
        assert engine is None
        on_message("trying: dockerd")
        return steps

    monkeypatch.delenv("STAMPLAB_ENGINE", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(command, "try_sandbox", try_sandbox)
    assert run((OK,), monkeypatch, "--try", "--json")[0] == code
    out, errors = capsys.readouterr()
    diagnosis = msgspec.json.decode(out, type=Diagnosis)
    assert (diagnosis.tried, diagnosis.checks) == (True, (OK, *steps))
    assert conclusion(diagnosis).startswith(line)
    assert errors == "trying: dockerd\n"


def test_whoever_is_not_root_is_told_how_to_try_as_root(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(command, "try_sandbox", lambda *_: pytest.fail("not as this user"))
    monkeypatch.setattr(sys, "argv", ["bin/stamplab", "doctor", "--try"])
    code, asked = run((OK,), monkeypatch, "--try")
    out, errors = capsys.readouterr()
    assert (code, asked, out) == (77, [], "")
    assert "needs root" in errors
    assert errors.endswith(" doctor --try\n")
    assert "\n  sudo " in errors
