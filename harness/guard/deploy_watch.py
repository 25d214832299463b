"""The guards of all services that one deploy is about, and what they come to. Pure.

It is fed with what is seen (`lab.remote.snapshot`) and keeps one `Guard` a service. The guards are
made when the deploy has ended: only then it is known which services there are, and which labels
each has to carry. What was seen until then is fed to them first, look by look.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from stamplab.harness.guard import (
    Baseline,
    Expectation,
    Outcome,
    Ruling,
    expectations,
    unobserved_gap,
)
from stamplab.harness.guard.expectations import Wanted
from stamplab.harness.guard.failure import Facts
from stamplab.harness.guard.service_watch import Watched
from stamplab.harness.guard.stack_verdict import ServiceVerdict, Verdict, of_service, of_stack
from stamplab.lab.errors import UsageError
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
from stamplab.lab.remote.snapshot import Seen


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is watched, and what is expected of it."""

    targets: tuple[str, ...]
    """Names of services and stacks."""
    deadline_s: float
    """When the guard gives up, by the sight's clock."""
    wanted: Wanted = Wanted()
    hold_s: float = 0.0
    """How long what was deployed must run unchanged at least; the server's own rules may ask for
    more."""
    deploys: bool = True
    """Whether a deploy is still to come. Without one the last update is judged, or the present."""
    prunes: bool = False
    """Whether the deploy is told to remove services that its files do not have any more."""

    def __post_init__(self) -> None:
        """Raise UsageError where nothing could ever converge."""
        if self.hold_s >= self.deadline_s:
            raise UsageError(
                f"what has to run unchanged for {self.hold_s:g} s cannot have done so within "
                f"{self.deadline_s:g} s: give it a longer time-out"
            )


class Watch:
    """All that is watched for one deploy."""

    def __init__(self, plan: Plan, node: str) -> None:
        """``node`` is the one that is looked from."""
        self.plan = plan
        self._facts = Facts(node)
        self._watched: dict[str, Watched] = {}
        self._deployed: Deployed | None = None
        self._blind = ""

    def begin(self, seen: Seen) -> None:
        """Take the baseline; without a deploy to come, what stands before the last update is it."""
        for record in seen.records:
            match record.what:
                case ServiceSeen(name=name, service=service):
                    known = service if self.plan.deploys else _before_last_update(service)
                    self._watched[name] = Watched(Baseline(name=name, service=known))
                case _:
                    pass
        if not self.plan.deploys:
            said = Deployed(stack=" ".join(self.plan.targets), exit_code=0, output="")
            self.feed(Seen(records=(placed(0, "guard", said, 0.0, None),)))
        self.feed(seen)

    def feed(self, seen: Seen) -> None:
        """Take in what was seen, or that nothing could be."""
        if seen.blind:
            self._go_blind(seen.blind)
            return
        if not seen.records:
            return
        looks = [record for record in seen.records if _service_of(record.what) is not None]
        self._blind = "" if looks else self._blind
        now_s = max(record.seen_s for record in seen.records)
        for record in seen.records:
            self._facts.feed(record)
            if isinstance(record.what, Deployed):
                self._see_deployed(record)
        self._follow_new(seen.records)
        self._feed_looks(seen, now_s)
        sees_services = any(isinstance(record.what, ServiceSeen) for record in looks)
        if self._deployed is not None and (sees_services or self._deployed.exit_code != 0):
            self._judge()

    def tick(self, now_s: float) -> None:
        """Time has passed, and a look has just been had: an announcement alone is no reason.

        In the blind only the deadline counts, and nothing is known then. And nothing is concluded
        before the deploy has ended, which whoever runs it sees to.
        """
        if self._deployed is None:
            return
        if self._blind:
            if now_s >= self.plan.deadline_s:
                self._give_up_blind(now_s)
            return
        if now_s >= self.plan.deadline_s:
            self._judge()
        for one in self._watched.values():
            if one.guard is not None:
                one.guard.tick(now_s)

    @property
    def wake_s(self) -> float:
        """The next moment at which time alone could decide something."""
        if self._deployed is None:
            return float("inf")
        if self._blind:
            return self.plan.deadline_s
        guards = [one.guard for one in self._watched.values()]
        open_s = [guard.wake_s for guard in guards if guard is not None and guard.ruling is None]
        return min([self.plan.deadline_s, *open_s])

    @property
    def services(self) -> list[str]:
        """The services that are there."""
        return sorted(name for name, one in self._watched.items() if one.now is not None)

    @property
    def is_decided(self) -> bool:
        """Whether every service has its ruling."""
        return bool(self._watched) and all(self._ruling(one) for one in self._watched.values())

    @property
    def waiting_for(self) -> dict[str, str]:
        """What each service that has no ruling yet is waited for, for whoever looks on."""
        if self._blind:
            return dict.fromkeys(self._watched, self._blind)
        return {
            name: one.guard.waiting_for if one.guard else "the deploy command has not returned"
            for name, one in sorted(self._watched.items())
            if self._ruling(one) is None
        }

    def verdict(self) -> Verdict:
        """What it has come to; unknown, as far as it is not decided."""
        services = [self._verdict_on(one) for _, one in sorted(self._watched.items())]
        whole = of_stack(services)
        if not whole.is_success:
            return whole
        there = [one.now for one in self._watched.values() if one.now is not None]
        wrong = expectations.mismatch(self.plan.wanted, there, of_stack=self._is_of_stack)
        if wrong is None:
            return whole
        outcome, reason = wrong
        if len(services) == 1:
            services = [msgspec.structs.replace(services[0], outcome=outcome, reason=reason)]
        return Verdict(outcome=outcome, reason=reason, services=tuple(services))

    @property
    def _is_of_stack(self) -> bool:
        return not set(self._watched) <= set(self.plan.targets)

    def _verdict_on(self, one: Watched) -> ServiceVerdict:
        ruling = self._ruling(one) or Ruling(
            outcome=Outcome.UNKNOWN, reason="it was not watched to its end", service=_name(one)
        )
        failed = ruling.failed_task
        if ruling.outcome is Outcome.REMOVED and not one.was_there:
            reason = f"there is no service and no stack {_name(one)}"
            ruling = msgspec.structs.replace(ruling, reason=reason)
        return of_service(
            one.baseline,
            ruling,
            one.now,
            self._facts.failure(failed) if failed else None,
            prunes=self.plan.prunes and _name(one) not in self.plan.targets,
        )

    def _ruling(self, one: Watched) -> Ruling | None:
        return one.guard.ruling if one.guard else None

    def _see_deployed(self, record: Record) -> None:
        assert isinstance(record.what, Deployed)  # noqa: S101 - the caller looked
        self._deployed = record.what
        for one in self._watched.values():
            one.feed((record,))

    def _follow_new(self, records: Sequence[Record]) -> None:
        """Services that the deploy brings; after it whatever comes is somebody else's."""
        if any(one.guard is not None for one in self._watched.values()):
            return
        for record in records:
            match record.what:
                case ServiceSeen(name=name, service=Service()) if name not in self._watched:
                    one = Watched(Baseline(name=name, service=None))
                    if self._deployed is not None:
                        one.feed((placed(0, "guard", self._deployed, record.seen_s, None),))
                    self._watched[name] = one
                case _:
                    pass

    def _feed_looks(self, seen: Seen, now_s: float) -> None:
        for name, one in self._watched.items():
            own = [record for record in seen.records if _service_of(record.what) == name]
            lost = [
                self._lost(now_s, hidden)
                for record in own
                if isinstance(record.what, ServiceSeen)
                and (hidden := self._hidden(one, record.what.service, seen.unwatched_s))
            ]
            one.feed([*own, *lost])

    def _hidden(self, one: Watched, after: Service | None, unwatched_s: float) -> str | None:
        return unobserved_gap.hidden(one.baseline, one.now, after, unwatched_s)

    def _judge(self) -> None:
        """Begin to judge every service that the deploy is about."""
        self._drop_names_of_stacks()
        for name, one in self._watched.items():
            if one.guard is None:
                labels = self.plan.wanted.labels
                if name not in self.plan.targets:
                    labels = expectations.labels_of(self.plan.wanted, one.baseline, one.now)
                one.judge(
                    Expectation(
                        deadline_s=self.plan.deadline_s, labels=labels, hold_s=self.plan.hold_s
                    )
                )

    def _drop_names_of_stacks(self) -> None:
        """A target that was not there at first, and has turned out to be a stack, is no service."""
        stacks = {
            one.now.spec.labels.get(STACK_LABEL)
            for one in self._watched.values()
            if one.now is not None
        }
        for name in [name for name, one in self._watched.items() if one.now is None]:
            if name in stacks and self._watched[name].baseline.service is None:
                del self._watched[name]

    # What ran may have ended with the engine (ADR 0041).
    def _go_blind(self, reason: str) -> None:
        """What is not seen is not known to run: each hold begins anew when it is seen again."""
        if not self._blind:
            for name, one in self._watched.items():
                nothing = TasksSeen(service=name, tasks=())
                one.feed((placed(0, "guard", nothing, 0.0, None),))
        self._blind = reason

    def _give_up_blind(self, now_s: float) -> None:
        self._judge()
        for one in self._watched.values():
            one.feed((self._lost(now_s, f"at the deadline {self._blind}"),))

    def _lost(self, now_s: float, reason: str) -> Record:
        return placed(0, "guard", RecorderLost(recorder="guard", reason=reason), now_s, None)


def _name(one: Watched) -> str:
    return one.baseline.name


def _service_of(what: Observation) -> str | None:
    match what:
        case ServiceSeen(name=name):
            return name
        case TasksSeen(service=name):
            return name
        case _:
            return None


def _before_last_update(service: Service | None) -> Service | None:
    """The service as it was before its last update, as far as it still says so.

    A rollback by the swarm leaves no PreviousSpec, but a status (updater.go:607): the spec that it
    put back was the one from before. Neither of both is a service that was never updated.
    """
    if service is None:
        return None
    before = service.previous_spec or (service.spec if service.update_status else None)
    if before is None:
        return None
    return Service(id=service.id, name=service.name, version=service.version, spec=before)
