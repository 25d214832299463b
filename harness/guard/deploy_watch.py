"""The guards of all services that one deploy is about, and what they come to. Pure.

A `DeployWatch` is fed with snapshots, and keeps one `Guard` for each service. The guards are made
when the deploy has ended: only then it is known which services there are, and which labels each has
to carry. What was seen until then is fed to them first, snapshot by snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from stamplab.harness.guard import Baseline, Expectation, Guard, Outcome, Ruling
from stamplab.harness.guard.expectations import WatchPlan
from stamplab.harness.guard.report import (
    ServiceVerdict,
    StackVerdict,
    TaskFacts,
    judge_service,
    judge_stack,
)
from stamplab.lab.model.history import (
    Deployed,
    Observation,
    Record,
    RecorderLost,
    ServiceSeen,
    TasksSeen,
    placed,
)
from stamplab.lab.model.swarm import STACK_LABEL, Service
from stamplab.lab.remote import Snapshot, SwarmSource


class ServiceWatch:
    """One service that a deploy is about, from its baseline to its guard's ruling."""

    def __init__(self, baseline: Baseline) -> None:
        self.baseline = baseline
        self.now: Service | None = baseline.service
        """The service as it was seen last."""
        self.was_there = baseline.service is not None
        """Whether the service was ever seen."""
        self.guard: Guard | None = None
        self._unjudged: list[tuple[Record, ...]] = []

    @property
    def name(self) -> str:
        """The service's name."""
        return self.baseline.name

    @property
    def ruling(self) -> Ruling | None:
        """Its guard's ruling."""
        return self.guard.ruling if self.guard else None

    def feed(self, records: Iterable[Record]) -> None:
        """Take in what one snapshot has shown of the service."""
        records = tuple(records)
        for record in records:
            if isinstance(record.what, ServiceSeen):
                self.now = record.what.service
                self.was_there |= self.now is not None
        if self.guard is None:
            self._unjudged.append(records)
        elif records:
            self.guard.feed_snapshot(records)

    def judge(self, expectation: Expectation) -> None:
        """Begin to judge, with what was seen until now."""
        self.guard = Guard(self.baseline, expectation)
        for records in self._unjudged:
            self.guard.feed_snapshot(records)
        self._unjudged.clear()


class DeployWatch:
    """Everything that is watched for one deploy."""

    def __init__(self, plan: WatchPlan, node: str) -> None:
        """``node`` is the one whose engine is asked."""
        self.plan = plan
        self._facts = TaskFacts(node)
        self._watches: dict[str, ServiceWatch] = {}
        self._deployed: Deployed | None = None
        self._no_answer = ""
        """Why nothing can be seen now; empty where it can."""

    def begin(self, snapshot: Snapshot) -> None:
        """Take the baseline; without a deploy to come, the services before their last update."""
        for record in snapshot.records:
            match record.what:
                case ServiceSeen(name=name, service=service) if self.plan.deploys:
                    self._watches[name] = ServiceWatch(Baseline(name=name, service=service))
                case ServiceSeen(name=name, service=service):
                    self._watches[name] = ServiceWatch(Baseline.before_last_update(name, service))
        if not self.plan.deploys:
            deployed = Deployed(stack=" ".join(self.plan.targets), exit_code=0, output="")
            self.feed(Snapshot(records=(_record(deployed, 0.0),)))
        self.feed(snapshot)

    def feed(self, snapshot: Snapshot) -> None:
        """Take in what was seen, or that nothing could be."""
        if snapshot.no_answer:
            self._go_blind(snapshot.no_answer)
            return
        if not snapshot.records:
            return
        listed = [record for record in snapshot.records if _service_of(record.what) is not None]
        self._no_answer = "" if listed else self._no_answer
        now_s = max(record.seen_s for record in snapshot.records)
        for record in snapshot.records:
            self._facts.feed(record)
            if isinstance(record.what, Deployed):
                self._deployed = record.what
                for watch in self._watches.values():
                    watch.feed((record,))
        self._follow_new_services(snapshot.records)
        self._feed_services(snapshot, now_s)
        sees_services = any(isinstance(record.what, ServiceSeen) for record in listed)
        if self._deployed is not None and (sees_services or self._deployed.exit_code != 0):
            self._judge()

    def tick(self, now_s: float) -> None:
        """Take in that time has passed. Call it after a fresh snapshot; an event never decides.

        Without an answer only the deadline counts, and nothing is known then. Nothing is concluded
        before the deploy has ended: whoever runs it must see to its end.
        """
        if self._deployed is None:
            return
        if self._no_answer:
            if now_s >= self.plan.deadline_s:
                self._give_up_blind(now_s)
            return
        if now_s >= self.plan.deadline_s:
            self._judge()
        for watch in self._watches.values():
            if watch.guard is not None:
                watch.guard.tick(now_s)

    @property
    def wake_s(self) -> float:
        """The next moment at which time alone could decide something."""
        if self._deployed is None:
            return float("inf")
        if self._no_answer:
            return self.plan.deadline_s
        guards = [watch.guard for watch in self._watches.values()]
        open_s = [guard.wake_s for guard in guards if guard is not None and guard.ruling is None]
        return min([self.plan.deadline_s, *open_s])

    @property
    def services(self) -> list[str]:
        """The names of the services that are there."""
        return sorted(name for name, watch in self._watches.items() if watch.now is not None)

    @property
    def is_decided(self) -> bool:
        """Whether every service has its ruling."""
        return bool(self._watches) and all(watch.ruling for watch in self._watches.values())

    @property
    def waiting_for(self) -> dict[str, str]:
        """Of each service without a ruling: what is still missing, in a clause."""
        if self._no_answer:
            return dict.fromkeys(self._watches, self._no_answer)
        return {
            name: watch.guard.waiting_for if watch.guard else "the deploy command has not returned"
            for name, watch in sorted(self._watches.items())
            if watch.ruling is None
        }

    def verdict(self) -> StackVerdict:
        """Return the verdict; unknown, as far as it is not decided."""
        services = [self._verdict_on(watch) for _, watch in sorted(self._watches.items())]
        verdict = judge_stack(services)
        if not verdict.is_success:
            return verdict
        present = [watch.now for watch in self._watches.values() if watch.now is not None]
        is_stack = not self._watches.keys() <= set(self.plan.targets)
        mismatch = self.plan.expected.find_mismatch(present, of_stack=is_stack)
        if mismatch is None:
            return verdict
        outcome, reason = mismatch
        if len(services) == 1:
            services = [msgspec.structs.replace(services[0], outcome=outcome, reason=reason)]
        return StackVerdict(outcome=outcome, reason=reason, services=tuple(services))

    def _verdict_on(self, watch: ServiceWatch) -> ServiceVerdict:
        ruling = watch.ruling or Ruling(
            outcome=Outcome.UNKNOWN, reason="it was not watched to its end", service=watch.name
        )
        if ruling.outcome is Outcome.REMOVED and not watch.was_there:
            reason = f"there is no service and no stack {watch.name}"
            ruling = msgspec.structs.replace(ruling, reason=reason)
        prunes = self.plan.prunes and watch.name not in self.plan.targets
        return judge_service(watch.baseline, ruling, watch.now, self._facts, prunes=prunes)

    def _follow_new_services(self, records: Sequence[Record]) -> None:
        """Watch the services that the deploy brings; later ones are somebody else's."""
        if any(watch.guard is not None for watch in self._watches.values()):
            return
        for record in records:
            match record.what:
                case ServiceSeen(name=name, service=Service()) if name not in self._watches:
                    watch = ServiceWatch(Baseline(name=name, service=None))
                    if self._deployed is not None:
                        watch.feed((_record(self._deployed, record.seen_s),))
                    self._watches[name] = watch

    def _feed_services(self, snapshot: Snapshot, now_s: float) -> None:
        for name, watch in self._watches.items():
            own = [record for record in snapshot.records if _service_of(record.what) == name]
            hidden = [
                clause
                for record in own
                if isinstance(record.what, ServiceSeen)
                and (
                    clause := watch.baseline.hidden_by_gap(
                        watch.now, record.what.service, snapshot.unwatched_s
                    )
                )
            ]
            watch.feed([*own, *(_sight_lost(clause, now_s) for clause in hidden)])

    def _judge(self) -> None:
        """Begin to judge every service that the deploy is about."""
        self._drop_names_of_stacks()
        expected = self.plan.expected
        for name, watch in self._watches.items():
            if watch.guard is None:
                labels = expected.labels
                if name not in self.plan.targets:
                    labels = expected.labels_of(watch.baseline, watch.now)
                watch.judge(
                    Expectation(
                        deadline_s=self.plan.deadline_s, labels=labels, hold_s=self.plan.hold_s
                    )
                )

    def _drop_names_of_stacks(self) -> None:
        """Drop targets that were not there at first, and have turned out to be stacks."""
        stacks = {
            watch.now.spec.labels.get(STACK_LABEL)
            for watch in self._watches.values()
            if watch.now is not None
        }
        for name in [name for name, watch in self._watches.items() if watch.now is None]:
            if name in stacks and self._watches[name].baseline.service is None:
                del self._watches[name]

    # What ran may have ended with the engine (ADR 0041).
    def _go_blind(self, reason: str) -> None:
        # What ran may have ended with the engine: each hold begins anew (ADR 0041).
        if not self._no_answer:
            for name, watch in self._watches.items():
                watch.feed((_record(TasksSeen(service=name, tasks=()), 0.0),))
        self._no_answer = reason

    def _give_up_blind(self, now_s: float) -> None:
        self._judge()
        for watch in self._watches.values():
            watch.feed((_sight_lost(f"at the deadline {self._no_answer}", now_s),))


def follow(
    source: SwarmSource,
    watch: DeployWatch,
    on_step: Callable[[DeployWatch], None] = lambda _: None,
) -> StackVerdict:
    """Feed the watch until everything is decided, at the latest at its deadline.

    The baseline must have been taken. Nothing is concluded from time alone, but after a fresh
    snapshot: an engine may have dropped the event that mattered. ``on_step`` is called first, and
    after each step.
    """
    on_step(watch)
    while not watch.is_decided:
        snapshot = source.next(watch.wake_s)  # an event or a poll ends this wait early (ADR 0056)
        if snapshot is None:  # time alone decides nothing (ADR 0040)
            watch.feed(source.confirm())
            watch.tick(source.now_s())
        else:
            watch.feed(snapshot)
        on_step(watch)
    return watch.verdict()


def _record(what: Observation, now_s: float) -> Record:
    return placed(0, "guard", what, now_s, None)


def _sight_lost(reason: str, now_s: float) -> Record:
    return _record(RecorderLost(recorder="guard", reason=reason), now_s)


def _service_of(what: Observation) -> str | None:
    match what:
        case ServiceSeen(name=name):
            return name
        case TasksSeen(service=name):
            return name
        case _:
            return None
