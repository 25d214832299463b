"""``doctor --try``: a lab is started, given one task and one OOM kill, and taken down again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from stamplab.lab.errors import LabError, TakeDownFailed
from stamplab.lab.live import sandbox
from stamplab.lab.live.doctor.check import Check, CheckState, crash, lack, note, ok, sentence
from stamplab.lab.live.doctor.isolation import loaded_modules, obstacles
from stamplab.lab.live.lab import Apparatus, StartStep, live_lab, prepare
from stamplab.lab.live.world import LiveWorld
from stamplab.lab.model.history import ClientProbe, Observation, OomKill, TasksSeen
from stamplab.lab.workload.shape import MemoryShape
from stamplab.lab.world import Stack

_MIB = 1 << 20
_SMALL = MemoryShape(steady_bytes=_MIB, peak_bytes=_MIB, boot_s=0.0)
_LARGE = MemoryShape(steady_bytes=96 * _MIB, peak_bytes=96 * _MIB, boot_s=0.0)
_ROOM_BYTES = 24 * _MIB
"""What is left of memory to a task that wants `_LARGE`."""
_TIMEOUT_S = 60.0

PREREQUISITES, TASK, OOM_KILL, TAKE_DOWN = "prerequisites", "task", "OOM kill", "take-down"
_ELSEWHERE = "Run on the machine itself, not in a container, or give that --privileged."
_ENGINE = "The engine's own words say why; --engine FOLDER gives another engine."
_ADVICE: Mapping[str, str] = {
    StartStep.FOLDER: "Set STAMPLAB_DIR to a folder of your own that can be written.",
    StartStep.GROUP: "A container needs the host's control groups for writing: or leave it.",
    StartStep.NAMESPACES: _ELSEWHERE,
    StartStep.DAEMON: _ENGINE,
    StartStep.SWARM: _ENGINE,
    StartStep.IMAGE: _ENGINE,
    StartStep.RECORDERS: _ELSEWHERE,
    TASK: "Its networks need overlay, bridge, veth and vxlan of the kernel: install its modules.",
    OOM_KILL: (
        "A task that swaps is not killed: run swapoff --all, or boot with swapaccount=1. In a "
        "container the kernel's record does not name the lab's group: leave the container."
    ),
}


class _Trial:
    """The steps of one trial, in order, and the one that is under way."""

    def __init__(self, on_message: Callable[[str], None]) -> None:
        self._on_message = on_message
        self.passed: list[str] = []
        self.step = PREREQUISITES
        on_message(f"trying: {self.step}")

    def begin(self, step: str) -> None:
        """Go on to a step: the one before it has succeeded."""
        self.passed.append(self.step)
        self.step = step
        self._on_message(f"trying: {step}")


def try_sandbox(
    engine_folder: Path | None = None, on_message: Callable[[str], None] = lambda _: None
) -> tuple[Check, ...]:
    """Start a lab as a run does, take it down, and return a check of each step up to a failure.

    What the kernel's modules, AppArmor, iptables or a container allow is tried, not predicted.
    Nothing is left but the workload, built in the cache, and modules that the kernel has loaded.
    ``on_message`` is given each step. Raises NeedsRoot.
    """
    sandbox.require_root()
    modules = loaded_modules()
    trial = _Trial(on_message)
    failed: tuple[Check, ...] = ()
    try:
        _run(trial, engine_folder)
        trial.passed.append(trial.step)
    except LabError as error:
        failed = _failures(trial.step, error)
    except Exception as error:  # noqa: BLE001 - a bug must not hide the checks that were made
        failed = (crash(_named(trial.step), error),)
    passed = (ok(_named(step), "done") for step in trial.passed)
    return (*passed, *failed, _modules(loaded_modules() - modules))


def _run(trial: _Trial, engine_folder: Path | None) -> None:
    apparatus = prepare(engine_folder)
    with live_lab(apparatus, None, "app", 8080, on_step=trial.begin) as world:
        trial.begin(TASK)
        _apply(world, apparatus, _SMALL)
        _wait_for(world, "answer of the task", _is_answer, lives_on=True)
        trial.begin(OOM_KILL)
        world.set_limit(world.usage_bytes() + _ROOM_BYTES, "doctor --try")
        _apply(world, apparatus, _LARGE)
        _wait_for(world, "OOM kill", _is_oom_kill, lives_on=False)
        trial.begin(TAKE_DOWN)


def _apply(world: LiveWorld, apparatus: Apparatus, shape: MemoryShape) -> None:
    service = {
        "image": apparatus.image,
        "command": ["/bin/stampload", "serve"],
        "environment": shape.environment(),
        "deploy": {"restart_policy": {"condition": "none"}},
    }
    compose = world.scratch / "compose.yml"
    compose.write_text(yaml.safe_dump({"version": "3.8", "services": {"app": service}}))
    stack = Stack(name="try", directory=world.scratch, compose_files=(compose,), environment={})
    deployed = world.apply(stack)
    if deployed.exit_code != 0:
        raise LabError(f"docker stack deploy failed: {deployed.output.strip()}")


def _is_answer(seen: Observation) -> bool:
    return isinstance(seen, ClientProbe) and seen.ok


def _is_oom_kill(seen: Observation) -> bool:
    return isinstance(seen, OomKill)


def _wait_for(
    world: LiveWorld, what: str, is_it: Callable[[Observation], bool], *, lives_on: bool
) -> None:
    """Wait for an observation; at the end of a task that ``lives_on`` there is none to wait for."""
    until_s = world.now_s() + _TIMEOUT_S
    last = "no task yet"
    while record := world.next(until_s):
        if is_it(record.what):
            return
        if isinstance(record.what, TasksSeen) and record.what.tasks:
            task = record.what.tasks[-1]
            last = f"task {task.state} {task.error}".rstrip()
            if lives_on and task.is_terminal:
                break
    raise LabError(f"no {what}: {last}")


def _failures(step: str, error: LabError) -> tuple[Check, ...]:
    """Return the step's failure, or that of the take-down, or both."""
    if not isinstance(error, TakeDownFailed):
        return (_failure(step, error),)
    left = Check(
        name=_named(TAKE_DOWN),
        state=CheckState.UNKNOWN,
        facts=str(error),
        means="Something of the lab is left: stamplab doctor --reap removes it.",
    )
    # What the take-down interrupted is the context of its own first error.
    before = error.__cause__ and error.__cause__.__context__
    return (_failure(step, before), left) if isinstance(before, LabError) else (left,)


def _failure(step: str, error: LabError) -> Check:
    if step == PREREQUISITES:
        return lack(_named(step), "not met", sentence(error))
    return lack(_named(step), str(error), " ".join((_ADVICE[step], *obstacles())))


def _modules(loaded: frozenset[str]) -> Check:
    """Name what the kernel has loaded by itself, outside of all namespaces (its module/kmod.c)."""
    name = _named("kernel modules")
    if not loaded:
        return ok(name, "none was loaded")
    return note(
        name,
        f"loaded: {', '.join(sorted(loaded))}",
        "They stay until a reboot: namespaces cannot prevent that.",
    )


def _named(step: str) -> str:
    return f"try: {step}"
