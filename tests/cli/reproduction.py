"""Runs of ``stamplab repro discourse --fast``, and what they print and write."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec

from stamplab.claims.abra_unchanged import abra_is_unchanged
from stamplab.claims.stamping import C2
from tests.programs import Running, python, start_python

ROOT = Path(__file__).parents[2]
REPRO = ("-m", "stamplab", "repro", "discourse", "--fast")


def run(
    *arguments: str, folder: Path, prefix: tuple[str, ...] = (), timeout_s: float = 280
) -> subprocess.CompletedProcess[str]:
    words = (*REPRO, *arguments)
    return python(*words, folder=folder, prefix=prefix, timeout_s=timeout_s, COLUMNS="100")


def start(folder: Path, *arguments: str) -> Running:
    return start_python(*REPRO, *arguments, folder=folder)


def clean(done: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in done.stderr
    return done.stderr


def assert_every_claim_passed(done: subprocess.CompletedProcess[str], folder: Path) -> None:
    """It exits with 0, prints every claim as pass, and its evidence is whole."""
    assert done.returncode == 0, done.stdout + done.stderr
    rows = done.stdout.splitlines()
    for claim in ("C1", "C2", "C3", "C4", "C5", "C7", "C8", "C9"):
        assert " pass " in next(row for row in rows if f" {claim} " in row)
    c12 = abra_is_unchanged().verdict or "not possible here"
    assert f" {c12} " in next(row for row in rows if " C12 " in row)
    assert "verdict: pass" in done.stdout
    assert "both monitors are 1 s" in clean(done)
    assert "(HC1)" in done.stdout
    latest = folder / "runs" / "repro-discourse" / "latest"
    report = msgspec.json.decode((latest / "verdict.json").read_bytes())
    assert [(control["end"], control["verdict"]) for control in report["negative_controls"]] == [
        ("fail", "pass")
    ] * 11
    levels = {path.parent.name: level(path.parent) for path in latest.glob("*/results.json")}
    stamped = {path.stem for path in (latest / "stamping").glob("*.json")}
    assert stamped == {experiment.name for experiment in C2}
    assert {name: levels[name] for name in levels if name[:2] in {"a-", "b-", "c-", "d-"}} == {
        "a-ample": 2,
        "b-guard-off": 1,
        "c-guard-on": 1,
        "d-stop-first": 2,
    }
    assert {levels[control["name"]] for control in report["negative_controls"]} == {1}
    assert {path.name for path in (latest / "c-guard-on").iterdir()} >= {
        "console.log",
        "dockerd.log",
        "history.jsonl",
        "manifest.json",
        "results.json",
        "verdict.json",
    }
    compared = {
        path.parent.name: msgspec.json.decode(path.read_bytes())
        for path in latest.glob("*/shape.json")
    }
    assert len(compared) == 15
    assert [name for name, shape in compared.items() if shape["differences"]] == []
    assert all(shape["declared"] == shape["found"] for shape in compared.values())
    console = (latest / "c-guard-on" / "console.log").read_text()
    assert "[DSTAMP] post-redeploy svc inspect UpdateStatus.State=" in console
    assert "head spec applied then swarm-rolled-back" in console
    assert "was OOM-killed (kernel: task_memcg=/stamplab-" in console
    fixed = (latest / "d-stop-first" / "console.log").read_text()
    assert "UpdateStatus=completed chaos-version=" in fixed


def assert_ten_of_ten(done: subprocess.CompletedProcess[str]) -> None:
    """Ten of ten were reproduced, ten of ten fixed; the figures are printed in any case."""
    print("\n".join(line for line in done.stdout.splitlines() if "/10 " in line))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10/10 (95 % interval 72%-100%) reproduced by signature under start-first" in done.stdout
    assert "10/10 (95 % interval 72%-100%) converged at head under stop-first" in done.stdout


def level(play: Path) -> int:
    stage_level: int = msgspec.json.decode((play / "results.json").read_bytes())["level"]
    return stage_level


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
