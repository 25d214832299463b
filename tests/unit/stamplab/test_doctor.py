"""``stamplab doctor``: what it concludes from its checks, prints, and exits with."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from stamplab.cli import doctor as command
from stamplab.cli.doctor import Diagnosis, conclusion, diagnose
from stamplab.lab.live.doctor import Check, CheckState
from stamplab.lab.live.reaper import LabRemoval, LabStatus, Standing
from tests.programs import Command, Ended

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


class Doctor:
    """``stamplab doctor`` on a machine of which certain checks come out so."""

    def __init__(self, stamplab: Command, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[Path | None, Path]] = []
        self.checks: tuple[Check, ...] = (OK,)
        self._stamplab = stamplab
        monkeypatch.setattr(command, "examine", self._examine)
        monkeypatch.delenv("STAMPLAB_ENGINE", raising=False)
        monkeypatch.delenv("STAMPLAB_RUNS", raising=False)

    def _examine(self, engine: Path | None, runs: Path) -> tuple[Check, ...]:
        self.asked.append((engine, runs))
        return self.checks

    def run(self, *words: str, checks: tuple[Check, ...] = (OK,)) -> Ended:
        self.checks = checks
        return self._stamplab("doctor", *words)


@pytest.fixture
def doctor(stamplab: Command, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    return Doctor(stamplab, monkeypatch)


@pytest.mark.parametrize(("checks", "code", "line"), ENDS)
def test_the_exit_code_and_the_last_line_say_the_same(
    checks: tuple[Check, ...], code: int, line: str, doctor: Doctor
) -> None:
    ended = doctor.run(checks=checks)
    assert (ended.code, ended.out.splitlines()[-1]) == (code, line)
    assert conclusion(diagnose(checks)) == line


def test_every_check_has_its_row(doctor: Doctor) -> None:
    rows = doctor.run(checks=(OK, NOTE, LACK, UNKNOWN)).out.splitlines()
    for check in (OK, NOTE, LACK, UNKNOWN):
        row = next(row for row in rows if f" {check.name} " in row)
        assert f" {check.state} " in row
        assert check.facts in row
        assert any(check.means in row for row in rows)


def test_a_machine_reads_the_same_as_a_person(doctor: Doctor) -> None:
    ended = doctor.run("--json", checks=(OK, LACK))
    assert ended.code == 77
    diagnosis = msgspec.json.decode(ended.out, type=Diagnosis)
    assert diagnosis == Diagnosis(live_labs="not possible", why=("root",), checks=(OK, LACK))


def test_the_engine_and_the_runs_that_are_meant_are_examined(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    doctor.run()
    doctor.run(f"--engine={tmp_path}", "--runs=x")
    monkeypatch.setenv("STAMPLAB_ENGINE", str(tmp_path))
    monkeypatch.setenv("STAMPLAB_RUNS", str(tmp_path / "r"))
    doctor.run()
    assert doctor.asked == [
        (None, Path("runs")),
        (tmp_path, Path("x")),
        (tmp_path, tmp_path / "r"),
    ]


DEAD = LabStatus(name="1a2b3c4d", standing=Standing.DEAD, what="its owner, process 7, is gone")


def lines_of_reaping(
    doctor: Doctor, patch: pytest.MonkeyPatch, *reaped: LabRemoval, code: int, half: bool = False
) -> list[str]:
    patch.setattr(command, "reap_labs", lambda: reaped)
    patch.setattr(command, "remove_unfinished_builds", lambda _: half)
    ended = doctor.run("--reap")
    assert ended.code == code
    return ended.out.splitlines()


def test_what_was_reaped_is_said_first(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = lines_of_reaping(doctor, monkeypatch, LabRemoval(lab=DEAD), code=0, half=True)
    assert lines[:2] == [
        "1a2b3c4d: its owner, process 7, is gone; removed",
        "workload: a build that was killed; removed",
    ]
    assert lines[-1].startswith("live labs can run here")


def test_what_resists_is_said_and_exits_2(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    resisting = LabRemoval(lab=DEAD, resisted="process 8 of lab 1a2b3c4d does not die")
    output = "\n".join(lines_of_reaping(doctor, monkeypatch, resisting, code=2))
    assert "not removed: process 8 of lab 1a2b3c4d does not die" in output


def test_nothing_to_reap_is_said_too(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = lines_of_reaping(doctor, monkeypatch, code=0)
    assert lines[0] == "no dead lab has left anything"


def test_unasked_doctor_reaps_nothing(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "reap_labs", lambda: pytest.fail("nobody asked"))
    assert doctor.run().code == 0


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
    steps: tuple[Check, ...], code: int, line: str, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def try_sandbox(engine: Path | None, on_message: Callable[[str], None]) -> tuple[Check, ...]:
        assert engine is None
        on_message("trying: dockerd")
        return steps

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(command, "try_sandbox", try_sandbox)
    ended = doctor.run("--try", "--json")
    diagnosis = msgspec.json.decode(ended.out, type=Diagnosis)
    assert (diagnosis.tried, diagnosis.checks) == (True, (OK, *steps))
    assert conclusion(diagnosis).startswith(line)
    assert (ended.code, ended.err) == (code, "trying: dockerd\n")


def test_a_user_is_told_how_to_try_as_root(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(command, "try_sandbox", lambda *_: pytest.fail("not as this user"))
    monkeypatch.setattr(sys, "argv", ["bin/stamplab", "doctor", "--try"])
    ended = doctor.run("--try")
    assert (ended.code, doctor.asked, ended.out) == (77, [], "")
    assert "needs root" in ended.err
    assert ended.err.endswith(" doctor --try\n")
    assert "\n  sudo " in ended.err
