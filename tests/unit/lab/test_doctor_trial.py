"""How ``doctor --try`` reports the step that failed; tests/live/test_doctor.py starts real labs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from stamplab.lab.errors import LabError, NeedsRoot, NotPossibleHere, TakeDownFailed
from stamplab.lab.live.doctor import sandbox_trial
from stamplab.lab.live.doctor.check import Check, CheckState
from stamplab.lab.live.doctor.sandbox_trial import try_sandbox
from stamplab.lab.live.lab import StartStep
from stamplab.lab.model.history import Observation
from stamplab.lab.world import Stack
from tests.builders import listed, oom_kill, probe, task

STEPS = ["prerequisites", *StartStep, "task", "OOM kill", "take-down"]


def tasks(state: str, error: str = "") -> Observation:
    return listed(task("t", state=state, error=error))


class FakeLab:
    """A lab that goes well, unless a step or its end raises; it shows what it is told to show."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.shows: list[Observation] = [probe(ok=False), probe(), tasks("failed"), oom_kill("t")]
        self.raises: dict[str, Exception] = {}
        self.exit_code = 0

    def reach(self, step: str) -> None:
        if step in self.raises:
            raise self.raises[step]

    def prepare(self, engine: Path | None) -> object:
        assert engine is None
        self.reach("prerequisites")
        return SimpleNamespace(image="image:1")

    @contextmanager
    def live_lab(self, *_: object, on_step: Callable[[str], None]) -> Iterator[FakeLab]:
        def take_down() -> None:
            try:
                self.reach("take-down")
            except LabError as error:
                raise TakeDownFailed(str(error)) from error

        with ExitStack() as stack:
            stack.callback(take_down)
            for step in StartStep:
                on_step(step)
                self.reach(step)
            yield self

    def apply(self, stack: Stack) -> object:
        del stack
        return SimpleNamespace(exit_code=self.exit_code, output="no such network\n")

    def set_limit(self, limit_bytes: int, reason: str) -> None:
        del reason
        assert limit_bytes == 10 + (24 << 20)
        self.reach("OOM kill")

    def usage_bytes(self) -> int:
        return 10

    def now_s(self) -> float:
        return 0.0

    def next(self, until_s: float) -> object | None:
        assert until_s == 60.0
        return SimpleNamespace(what=self.shows.pop(0)) if self.shows else None


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeLab:
    fake = FakeLab(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(sandbox_trial, "prepare", fake.prepare)
    monkeypatch.setattr(sandbox_trial, "live_lab", fake.live_lab)
    monkeypatch.setattr(sandbox_trial, "obstacles", lambda: iter(("It is confined.",)))
    return fake


def by_step(checks: tuple[Check, ...]) -> dict[str, Check]:
    return {check.name.removeprefix("try: "): check for check in checks}


def test_a_lab_that_starts_passes_every_step_and_each_is_told(lab: FakeLab) -> None:
    messages: list[str] = []
    checks = by_step(try_sandbox(on_message=messages.append))
    assert list(checks) == [*STEPS, "kernel modules"]
    assert {check.state for check in checks.values()} == {CheckState.OK}
    assert messages == [f"trying: {step}" for step in STEPS]


@pytest.mark.parametrize("step", [*StartStep, "OOM kill"])
def test_a_failed_step_has_its_words_and_what_this_machine_shows(lab: FakeLab, step: str) -> None:
    lab.raises = {step: LabError("the engine's own words")}
    checks = by_step(try_sandbox())
    assert list(checks) == [*STEPS[: STEPS.index(step) + 1], "kernel modules"]
    assert (checks[step].state, checks[step].facts) == (CheckState.LACK, "the engine's own words")
    assert checks[step].means.endswith(". It is confined.")
    assert all(checks[passed].state is CheckState.OK for passed in STEPS[: STEPS.index(step)])


def test_a_prerequisite_that_is_lacking_says_by_itself_what_to_do(lab: FakeLab) -> None:
    lab.raises = {"prerequisites": NotPossibleHere("no engine: install one")}
    checks = by_step(try_sandbox())["prerequisites"]
    assert (checks.state, checks.means) == (CheckState.LACK, "No engine: install one.")


@pytest.mark.parametrize(
    ("shows", "step", "clause"),
    [
        ([], "task", "no answer of the task: no task yet"),
        (
            [probe(ok=False), tasks("rejected", "no such image")],
            "task",
            "task rejected no such image",
        ),
        ([tasks("running")], "task", "no answer of the task: task running"),
        ([probe(), tasks("failed", "exit 1")], "OOM kill", "no OOM kill: task failed exit 1"),
    ],
)
def test_a_task_is_quoted(lab: FakeLab, shows: list[Observation], step: str, clause: str) -> None:
    lab.shows = shows
    checks = by_step(try_sandbox())
    assert list(checks)[-2] == step
    assert clause in checks[step].facts


def test_a_deploy_that_is_refused_is_quoted(lab: FakeLab) -> None:
    lab.exit_code = 1
    checks = by_step(try_sandbox())["task"]
    assert checks.facts == "docker stack deploy failed: no such network"


def test_what_is_left_makes_the_whole_unknown(lab: FakeLab) -> None:
    lab.raises = {"take-down": LabError("process 7 does not die")}
    checks = by_step(try_sandbox())
    assert (checks["take-down"].state, checks["take-down"].facts) == (
        CheckState.UNKNOWN,
        "process 7 does not die",
    )
    assert "doctor --reap" in checks["take-down"].means
    assert list(checks) == [*STEPS, "kernel modules"]


def test_what_is_left_does_not_hide_the_step_that_failed(lab: FakeLab) -> None:
    lab.raises = {
        StartStep.DAEMON: LabError("dockerd ended"),
        "take-down": LabError("process 7 does not die"),
    }
    checks = by_step(try_sandbox())
    assert (checks["dockerd"].state, checks["dockerd"].facts) == (CheckState.LACK, "dockerd ended")
    assert checks["take-down"].state is CheckState.UNKNOWN


def test_a_crash_is_unknown_and_names_the_step(lab: FakeLab) -> None:
    lab.raises = {StartStep.SWARM: ZeroDivisionError("by zero")}
    checks = by_step(try_sandbox())["swarm mode"]
    assert (checks.state, checks.facts) == (CheckState.UNKNOWN, "ZeroDivisionError: by zero")


def test_newly_loaded_modules_are_named(lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = iter([frozenset({"overlay"}), frozenset({"overlay", "veth", "bridge"})])
    monkeypatch.setattr(sandbox_trial, "loaded_modules", lambda: next(modules))
    checks = by_step(try_sandbox())["kernel modules"]
    assert (checks.state, checks.facts) == (CheckState.NOTE, "loaded: bridge, veth")
    assert "until a reboot" in checks.means


def test_nothing_is_tried_without_root(lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    lab.raises = {"prerequisites": AssertionError("nobody may try")}
    with pytest.raises(NeedsRoot):
        try_sandbox()
