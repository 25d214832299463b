"""Plays one schedule in virtual time, with the harness as it is, and watches what became of it."""

from __future__ import annotations

from functools import cached_property

import msgspec

from stamplab.harness.checks.shape import GUARD
from stamplab.harness.checks.upgrade_truth import UpgradeObserver
from stamplab.harness.ci.app import App
from stamplab.harness.ci.lifecycle import VerdictUnknown
from stamplab.harness.ci.results import Results, StageResult
from stamplab.harness.guard import Outcome
from stamplab.lab.model.history import Finding, History, LimitSet, StageBegan, observations
from stamplab.lab.model.history_file import encode_history
from stamplab.lab.recipe.resolver import ResolvedStack
from stamplab.lab.virtual.journal import MemoryJournal, VirtualClock
from stamplab.lab.virtual.swarmsim import SwarmSim
from stamplab.lab.virtual.world import VirtualWorld
from stamplab.lab.world import Stack
from stamplab.runner.play import play, results_of, watch_on
from stamplab.search.rehearsal import Rehearsal, RehearsedTree
from stamplab.search.schedule import Change, Schedule

AFTERWARDS_S = 3.0
"""Beyond the hold time: a restart that is due, a look that is."""


class Trial(msgspec.Struct, frozen=True, eq=False, dict=True):
    """One schedule that was played."""

    schedule: Schedule
    app: App
    results: Results
    history: History
    truth: UpgradeObserver
    end_s: float
    """When the harness had ended."""

    @property
    def end(self) -> str:
        """How the upgrade stage ended."""
        return self.results.stages[-1].end

    @property
    def reason(self) -> str:
        """Why, in the harness's words."""
        return self.results.stages[-1].reason

    @cached_property
    def _ruled(self) -> tuple[float, Finding] | None:
        for record in reversed(self.history):
            if isinstance(record.what, Finding) and record.what.step == GUARD:
                return record.seen_s, record.what
        return None

    @property
    def ruling(self) -> Finding | None:
        """The guard's ruling; None where it was not on trial, or did not rule."""
        return self._ruled[1] if self._ruled else None

    @property
    def ruled_s(self) -> float:
        """When the guard ruled; the harness's end, where it did not."""
        return self._ruled[0] if self._ruled else self.end_s

    @property
    def guarded(self) -> bool:
        """Whether the guard was on trial."""
        return self.ruling is not None

    @property
    def failed_by(self) -> str | None:
        """The last step that failed; None where none did."""
        findings = observations(self.history, Finding)
        failed = [finding.step for finding in findings if not finding.passed]
        return failed[-1] if self.end == "fail" and failed else None

    @property
    def outcome(self) -> Outcome | None:
        """How the guard says that the update ended, where that failed the upgrade."""
        ruling = self.ruling
        if ruling is None or ruling.passed or ruling.outcome is None:
            return None
        return Outcome(ruling.outcome)

    @property
    def failed_task(self) -> str | None:
        """The task that the guard says the update failed by."""
        return self.ruling.failed_task if self.ruling else None

    @property
    def hold_s(self) -> float:
        """How long the swarm may still change its mind after the tasks run."""
        return self.truth.head.update.hold_s if self.truth.head else 0.0

    @property
    def watched_until_s(self) -> float:
        """Until when the swarm was watched after the end, with nobody doing anything any more."""
        return self.end_s + self.hold_s

    @cached_property
    def upgrade_s(self) -> float:
        """When the upgrade stage began."""
        for record in self.history:
            if record.what == StageBegan(stage="upgrade"):
                return record.seen_s
        return self.end_s

    @cached_property
    def too_small(self) -> bool:
        """Whether the limit has no room for as many new tasks as boot at once, OLD being gone."""
        limits = observations(self.history, LimitSet)
        if not limits or limits[-1].limit_bytes is None:
            return False
        policy, memory = self.schedule.policy, self.schedule.memory
        replicas = 1 if policy.replicas is None else policy.replicas
        at_once = min(policy.parallelism or replicas, replicas)
        growth_bytes = (memory.peak_bytes - memory.steady_bytes) * at_once
        return limits[-1].usage_bytes + growth_bytes > limits[-1].limit_bytes

    def as_jsonl(self) -> bytes:
        """Return the history as the bytes that a file would hold."""
        return encode_history(self.history)

    def in_the_end(self) -> str:
        """Describe the service's last state, in a clause."""
        state = self.truth.at(self.watched_until_s)
        if state is None or state.service is None:
            return "there is no such service"
        is_head = self.truth.head is not None and (
            state.service.spec.digest == self.truth.head.digest
        )
        spec = "head's spec" if is_head else "another spec"
        running = len(self.truth.running_head(state))
        return f"{spec}, state {state.update_state}, {running} of head's tasks running"


def try_schedule(schedule: Schedule, rehearsal: Rehearsal, sim: SwarmSim, *, guard: bool) -> Trial:
    """Play it. Raises LabError when the apparatus fails."""
    scenario = schedule.scenario(rehearsal.explorable, guard=guard)
    setup = rehearsal.setup
    if schedule.change is Change.LABELS:
        setup = msgspec.structs.replace(setup, head=rehearsal.labels_only)
    if schedule.wrong_stamp:
        wrong_stamp = rehearsal.stamps[schedule.wrong_stamp]
        setup = msgspec.structs.replace(setup, wrong_stamp=wrong_stamp)
    truth = UpgradeObserver(setup.app.service)
    clock = VirtualClock()
    journal = MemoryJournal(clock)
    conditions = schedule.conditions
    world = VirtualWorld(
        sim,
        clock,
        journal,
        scenario.service,
        conditions,
        _resolved_already,
        on_commit=truth.on_commit,
    )
    tree = RehearsedTree(rehearsal, schedule, world, truth)
    try:
        results = play(scenario, world, setup, tree)
    except VerdictUnknown as error:
        installed = StageResult(stage="install", end="pass")
        upgrade = StageResult(stage="upgrade", end="unknown", reason=str(error))
        results = results_of(scenario, setup, installed, upgrade)
    trial = Trial(schedule, setup.app, results, journal.records, truth, world.now_s())
    watch_on(world, trial.watched_until_s + AFTERWARDS_S)
    return trial


def _resolved_already(stack: Stack) -> ResolvedStack:
    raise NotImplementedError(f"{stack.name} was resolved when it was rehearsed")
