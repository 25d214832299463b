"""Plays a bug report: does its steps, looks on, and puts together what was seen.

A play is a generator: it yields until when it would wait, and is given each record of the world, or
None when that moment has come: `stamplab.runner.bug_reports.side_by_side` plays many side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import NamedTuple

from stamplab.harness.checks.ground_truth import WATCH_S, ServiceObserver
from stamplab.harness.checks.timeline import timeline_of
from stamplab.lab.errors import LabError
from stamplab.lab.faults.operator import Act, Remove
from stamplab.lab.live.recorders.guard_process import GuardProcess
from stamplab.lab.model.history import (
    CommandRan,
    Deployed,
    Note,
    Record,
    RecorderLost,
    ServiceSeen,
    TasksSeen,
)
from stamplab.lab.model.service_request import ServiceRequest
from stamplab.lab.model.swarm import SETTLED_STATES
from stamplab.lab.world import World
from stamplab.runner.bug_reports.deploy_trial import DeployTrial
from stamplab.runner.bug_reports.deployer import ServiceDeployer
from stamplab.scenarios.bug_reports.report import BugReport
from stamplab.scenarios.bug_reports.results import (
    BugReportPlay,
    ClientResult,
    DeployResult,
    GuardResult,
)
from stamplab.scenarios.bug_reports.step import (
    Create,
    Deploy,
    Interrupt,
    Intervene,
    Pause,
    Step,
    WaitFor,
    describe,
)

Waiting = Generator[float, Record | None, None]
_TAKEN_S = 60.0
"""How long a deploy command may take until the swarm has what it sends."""
_ENDS_S = 20.0
"""How long a client that was ended may take to be gone."""
_BOOTING = frozenset({"assigned", "accepted", "preparing", "ready", "starting"})


class _ServiceAct(NamedTuple):
    """Something that was done to a service."""

    at_s: float
    service: str
    seen: int
    """How often the service had been seen by then."""


class BugReportPlayer:
    """Plays one report in a stack of its own, named after it."""

    def __init__(
        self, report: BugReport, world: World, deployer: ServiceDeployer, watch_s: float = WATCH_S
    ) -> None:
        self.report = report
        self._watch_s = watch_s
        self.stack = report.name
        self._world = world
        self._deployer = deployer
        self._observers: dict[str, ServiceObserver] = {}
        """By the services' names within the stack, as all that follow."""
        self._requests: dict[str, ServiceRequest] = {}
        self._first: dict[str, frozenset[str]] = {}
        self._acts: list[_ServiceAct] = []
        """All that was done, in order."""
        self._trials: list[DeployTrial] = []
        self.play: BugReportPlay | None = None
        """What is known of it, once it is over."""

    def run(self) -> Waiting:
        """Do every step, and look on for ``watch_s`` after the last change. Raises LabError."""
        for step in self.report.steps:
            self._say(describe(step))
            yield from self._do(step)
        while (until_s := self._watched_until_s()) > self._world.now_s():
            yield from self._take(until_s)
        until_s = self._world.now_s()
        self._deployer.give_up(self.stack)
        ending = [trial for trial in self._trials if trial.argv]
        yield from self._until(
            lambda: all(trial.ran for trial in ending), _ENDS_S, "its clients have ended"
        )
        play = self._conclude(until_s)
        yield from self._remove()
        self.play = play

    def _remove(self) -> Waiting:
        """Remove what was made: a swarm that takes no more changes has shown nothing by silence."""
        for request in self._requests.values():
            name = request.named(self.stack)
            self._world.schedule(name, (Act(after_s=0.0, what=Remove()),))
        observers = self._observers.values()
        yield from self._until(
            lambda: all(o.last is None or o.last.service is None for o in observers),
            _ENDS_S,
            "the swarm still takes changes; else its silence would say nothing",
        )

    def feed(self, record: Record) -> None:
        """Take in a record, if it is of this stack."""
        match record.what:
            case ServiceSeen(name=name) | TasksSeen(service=name):
                is_ours = name.startswith(f"{self.stack}_")
            case Deployed(stack=stack):
                is_ours = stack == self.stack
            case CommandRan():
                is_ours = any(trial.knows(record) for trial in self._trials)
            case what:
                is_ours = isinstance(what, RecorderLost)
        for observer in self._observers.values() if is_ours else ():
            observer.feed(record.seen_s, record.what)
        for trial in self._trials:
            if is_ours:
                trial.feed(record)
            trial.tick(record.seen_s)  # a record of anybody's says that time has passed

    def _do(self, step: Step) -> Waiting:
        match step:
            case Create(request=request, judged=judged):
                self._observers[request.name] = ServiceObserver(request.named(self.stack))
                yield from self._deploy(step, None, judged=judged)
            case Deploy(request=request):
                self._note_first(request.name)
                yield from self._deploy(step, self._requests[request.name], judged=True)
            case Intervene(service=service, operation=operation):
                self._note_first(service)
                self._note_act(service)
                name = self._requests[service].named(self.stack)
                self._world.schedule(name, (Act(after_s=0.0, what=operation),))
                yield from self._catch_up()
            case WaitFor(until=until, service=service, timeout_s=timeout_s):
                has_come = _CONDITIONS[until]
                observer = self._observers[service]
                yield from self._until(lambda: has_come(observer), timeout_s, describe(step))
            case Pause(seconds):
                yield from self._pause(seconds)
            case Interrupt():
                self._deployer.interrupt(self.stack)

    def _deploy(
        self, step: Create | Deploy, before: ServiceRequest | None, *, judged: bool
    ) -> Waiting:
        request = step.request
        command = (yield from self._guarded(step)) if judged else None
        number = len(self._acts)
        source = command.source if command else ""
        trial = DeployTrial(step, self.stack, self._world, self.report.timeout_s, number, source)
        if judged:
            self._trials.append(trial)
        self._note_act(request.name)
        self._requests[request.name] = request
        trial.argv = self._deployer.deploy(self.stack, before, request)
        deployed: list[Deployed] = []
        until_s = trial.at_s + _TAKEN_S
        while not deployed:
            # None, too, when a guard wants to know the time
            record = yield from self._take(until_s)
            if record is None and self._world.now_s() >= until_s:
                raise LabError(f"{self.report.name}: the swarm has not answered: {trial.what}")
            if record is not None and isinstance(record.what, Deployed):
                deployed += [record.what] if record.what.stack == self.stack else []
        if deployed[0].exit_code:
            raise LabError(f"{self.report.name}: {trial.what}: refused: {deployed[0].output}")
        if command is not None:
            command.deployed()
        self._world.look(self.stack)
        yield from self._catch_up()

    def _guarded(
        self, step: Create | Deploy
    ) -> Generator[float, Record | None, GuardProcess | None]:
        """Start the guard's own command, and wait until it has its baseline."""
        hold_s = step.hold_s if isinstance(step, Deploy) else 0.0
        timeout_s = self.report.timeout_s
        command = self._deployer.guard(self.stack, step.request, timeout_s, hold_s)
        if command is not None:
            what = "the guard's command has its baseline"
            yield from self._until(lambda: command.has_begun, _TAKEN_S, what)
        return command

    def _catch_up(self) -> Waiting:
        """Take in all that has been recorded until now: what follows is to see the deploy's own."""
        while (yield from self._take(self._world.now_s())) is not None:
            continue

    def _take(self, until_s: float) -> Generator[float, Record | None, Record | None]:
        """Wait for one record of anybody's, and take it in."""
        wakes_s = [trial.wake_s for trial in self._trials]
        record = yield min([until_s, *(wake_s for wake_s in wakes_s if wake_s is not None)])
        if record is not None:
            self.feed(record)
            return record
        for trial in self._trials:
            trial.tick(self._world.now_s())
        return None

    def _pause(self, seconds: float) -> Waiting:
        until_s = self._world.now_s() + seconds
        while self._world.now_s() < until_s:
            yield from self._take(until_s)

    def _until(self, has_come: Callable[[], bool], timeout_s: float, what: str) -> Waiting:
        until_s = self._world.now_s() + timeout_s
        while not has_come():
            if self._world.now_s() >= until_s:
                raise LabError(f"{self.report.name}: it did not come about in time: {what}")
            yield from self._take(until_s)

    def _watched_until_s(self) -> float:
        """So long after the last change, and not before every guard has ruled."""
        moments_s = [act.at_s for act in self._acts]
        moments_s += [observer.changed_s for observer in self._observers.values()]
        until_s = max(moments_s) + self._watch_s
        if all(trial.is_over for trial in self._trials):
            return until_s
        return max(until_s, self._world.now_s() + 1.0)

    def _note_act(self, service: str) -> None:
        seen = len(self._observers[service].sightings)
        self._acts.append(_ServiceAct(self._world.now_s(), service, seen))

    def _note_first(self, service: str) -> None:
        last = self._observers[service].last
        self._first.setdefault(service, last.running if last else frozenset())

    def _say(self, text: str) -> None:
        self._world.record(Note(text=f"{self.report.name}: {text}", stack=self.stack))

    def _conclude(self, until_s: float) -> BugReportPlay:
        timelines = {
            name: timeline_of(observer, self._first.get(name, ()))
            for name, observer in self._observers.items()
        }
        deploys = tuple(self._result(trial, until_s) for trial in self._trials)
        return BugReportPlay(deploys=deploys, timelines=timelines, until_s=until_s)

    def _result(self, trial: DeployTrial, until_s: float) -> DeployResult:
        assert trial.ruling is not None  # noqa: S101 - the watch goes on until all have ruled
        name = trial.request.name
        later = [act for act in self._acts[trial.number + 1 :] if act.service == name]
        truth = self._observers[name].truth(
            trial.request,
            since=self._acts[trial.number].seen,
            until=later[0].seen if later else None,
            now_s=later[0].at_s if later else until_s,
        )
        return DeployResult(
            service=trial.name,
            request=trial.request,
            what=trial.what,
            at_s=trial.at_s,
            ruling=trial.ruling,
            truth=truth,
            client=ClientResult.of(trial.ran) if trial.ran else None,
            command=GuardResult.of(trial.command) if trial.command else None,
        )


def _running(observer: ServiceObserver) -> bool:
    seen = observer.last
    return seen is not None and seen.is_complete


def _newest_is(observer: ServiceObserver, states: frozenset[str]) -> bool:
    seen = observer.last
    if seen is None or seen.service is None:
        return False
    digest = seen.service.spec.task_digest
    return any(task.spec_digest == digest and task.state in states for task in seen.tasks)


def _settled(observer: ServiceObserver) -> bool:
    seen = observer.last
    return bool(seen and seen.service and seen.service.update_state in SETTLED_STATES)


_CONDITIONS: dict[str, Callable[[ServiceObserver], bool]] = {
    "running": _running,
    "started": lambda observer: _newest_is(observer, _BOOTING),
    "pending": lambda observer: _newest_is(observer, frozenset({"pending"})),
    "settled": _settled,
}
