"""``stamplab doctor --try`` on this machine: it passes, names what fails, and leaves nothing."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from stamplab.lab.live.lab import Apparatus, StartStep
from tests.live import traces
from tests.programs import start_python

pytestmark = pytest.mark.live

TRY = ("-P", "-m", "stamplab", "doctor", "--try", "--json")
REFUSES = """#!/bin/sh
if [ "$1" = --version ]; then echo Docker version 1.2.3, build abc; exit; fi
echo starting >&2
echo failed to start daemon: this one never does >&2
exit 1
"""
FORBIDDEN = """#!/bin/sh
echo mount: not permitted here >&2
exit 32
"""


def engine_of(request: pytest.FixtureRequest) -> tuple[str, ...]:
    given = request.config.getoption("--engine")
    return ("--engine", str(given.absolute())) if given else ()


def test_a_lab_is_started_and_taken_down(
    apparatus: Apparatus, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    before = traces.everything()
    process = start_python(*TRY, *engine_of(request), folder=tmp_path)
    out, errors = process.communicate(timeout=200)
    assert process.returncode == 0, out + errors
    diagnosis = json.loads(out)
    assert (diagnosis["live_labs"], diagnosis["tried"]) == ("possible", True)
    tried = [check for check in diagnosis["checks"] if check["name"].startswith("try: ")]
    steps = ["prerequisites", *StartStep, "task", "OOM kill", "take-down", "kernel modules"]
    assert [check["name"].removeprefix("try: ") for check in tried] == steps
    assert traces.left_since(before) == {}
    assert not (tmp_path / "runs").exists()


FAILURES = {
    "dockerd": (
        *(REFUSES, "try: dockerd", "--engine FOLDER gives another engine"),
        "ended by itself; its log (dockerd.log) ends: failed to start daemon: this one never does",
    ),
    "mount": (
        *(FORBIDDEN, "try: namespaces", "Run on the machine itself"),
        "namespaces cannot be made; its log (dockerd.log) ends: mount: not permitted here",
    ),
}


@pytest.mark.parametrize("tool", FAILURES)
def test_a_tool_that_fails_at_once_is_that_steps_failure(
    apparatus: Apparatus, tmp_path: Path, tool: str
) -> None:
    script, step, means, facts = FAILURES[tool]
    tools = tmp_path / "engine" / "bin"
    tools.mkdir(parents=True)
    for name, path in apparatus.engine.tools.items():
        (tools / name).symlink_to(path)
    (tools / tool).unlink()
    (tools / tool).write_text(script)
    (tools / tool).chmod(0o755)
    before = traces.everything()
    process = start_python(*TRY, "--engine", str(tmp_path / "engine"), folder=tmp_path)
    out, errors = process.communicate(timeout=200)
    assert process.returncode == 77, out + errors
    diagnosis = json.loads(out)
    assert (diagnosis["live_labs"], diagnosis["why"]) == ("not possible", [step])
    (failed,) = (check for check in diagnosis["checks"] if check["state"] == "lack")
    assert failed["found"].endswith(facts)
    assert means in failed["means"]
    assert traces.left_since(before) == {}


def test_ctrl_c_leaves_nothing(
    apparatus: Apparatus, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    before = traces.everything()
    process = start_python(*TRY, *engine_of(request), folder=tmp_path)
    assert process.stderr is not None
    assert any("trying: swarm mode" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert traces.left_since(before) == {}
