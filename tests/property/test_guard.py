"""The guard's laws, on any sequence of observations whatever."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stamplab.harness.guard import Outcome, Ruling
from stamplab.lab.model.history import Deployed, Record, RecorderLost, ServiceSeen, TasksSeen
from stamplab.lab.model.swarm import Service, Task
from tests.builders import (
    BASE,
    HEAD,
    NAME,
    RELABELLED,
    Story,
    deployed,
    listed,
    seen,
    service,
    task,
)
from tests.property.sequences import (
    DEADLINE_S,
    PLAUSIBLE,
    baselines,
    losses,
    observations,
    stories,
    upgrades,
    with_noise,
)
from tests.unit.harness.watching import WatchResult, follow, guard_of

moderate = settings(max_examples=80, deadline=None)
histories = st.one_of(upgrades(), stories())


def watch(before: Service | None, history: list[Record]) -> WatchResult:
    return follow(guard_of(before, deadline_s=DEADLINE_S), history)


class Oracle:
    """What converged must mean, written down a second time, from nothing but the records."""

    def __init__(self, before: Service | None, known: list[Record]) -> None:
        self.before = before
        self.base = before.spec if before else None
        seen_so_far = [r.what for r in known if isinstance(r.what, ServiceSeen)]
        self.looks = [look for look in seen_so_far if look.name == NAME]
        self.services = [look.service for look in self.looks if look.service]
        self.known = known

    @property
    def present(self) -> Service | None:
        return self.looks[-1].service if self.looks else None

    def applied_is_present(self) -> bool:
        """The present spec is the first that was not the base's, or there was no other at all."""
        others = [s.spec for s in self.services if self.base is None or s.spec != self.base]
        return self.present is not None and self.present.spec == (
            others[0] if others else self.base
        )

    def looked_after_the_deploy(self) -> bool:
        kinds = [r.what for r in self.known if isinstance(r.what, Deployed | ServiceSeen)]
        own = [k for k in kinds if isinstance(k, Deployed) or k.name == NAME]
        return isinstance(own[-1], ServiceSeen) and any(isinstance(k, Deployed) for k in own)

    def ran_for_the_hold(self, now_s: float) -> bool:
        """The wanted tasks run, and the running set was the same ever since the hold began."""
        assert self.present is not None
        wanted = 1 if self.present.spec.replicas is None else self.present.spec.replicas
        since_s, running = self._running()
        return len(running) >= wanted and (
            wanted == 0 or now_s - since_s >= self.present.spec.update.hold_s
        )

    def _running(self) -> tuple[float, frozenset[str]]:
        present = self.before
        tasks: tuple[Task, ...] = ()
        since_s, running = 0.0, frozenset[str]()
        for record in self.known:
            if isinstance(record.what, ServiceSeen) and record.what.name == NAME:
                present = record.what.service
            elif isinstance(record.what, TasksSeen) and record.what.service == NAME:
                tasks = record.what.tasks
            now = frozenset(
                t.id
                for t in tasks
                if present is not None
                and (t.state, t.desired_state) == ("running", "running")
                and t.spec_digest == present.spec.task_digest
            )
            if now != running:
                since_s, running = record.seen_s, now
        return since_s, running


@moderate
@given(before=baselines, history=histories)
def test_converged_means_the_applied_spec_is_there_and_its_tasks_ran_for_the_hold(
    before: Service | None, history: list[Record]
) -> None:
    watched = watch(before, history)
    if watched.ruling.outcome is not Outcome.CONVERGED:
        return
    oracle = Oracle(before, history[: watched.fed])
    assert oracle.looked_after_the_deploy()
    assert oracle.applied_is_present()
    assert oracle.ran_for_the_hold(watched.ruling.decided_s)
    assert oracle.present is not None
    assert watched.ruling.update_state in {None, "completed"}
    if before is not None:
        assert oracle.present.previous_spec in (None, before.spec, before.previous_spec)


@moderate
@given(before=baselines, history=histories)
def test_time_alone_rules_by_the_deadline(before: Service | None, history: list[Record]) -> None:
    watched = watch(before, history)
    assert watched.ruling.decided_s <= max(DEADLINE_S, history[-1].seen_s)
    assert len(watched.waits) <= 2 * len(history) + 2


@moderate
@given(before=baselines, history=histories)
def test_the_same_records_are_ruled_alike(before: Service | None, history: list[Record]) -> None:
    assert watch(before, history) == watch(before, history)


@moderate
@given(data=st.data(), before=baselines, history=histories)
def test_irrelevant_records_change_nothing(
    data: st.DataObject, before: Service | None, history: list[Record]
) -> None:
    noisy = data.draw(with_noise(history))
    assert watch(before, noisy).ruling == watch(before, history).ruling


@moderate
@given(before=baselines, history=histories, state=st.sampled_from(("started", "completed")))
def test_a_spec_that_is_rolled_back_in_the_end_never_converges(
    before: Service | None, history: list[Record], state: str
) -> None:
    guard = guard_of(service(BASE), deadline_s=1e9)
    for record in history:
        guard.feed(record)
    decided: Ruling | None = guard.ruling
    at_s = history[-1].seen_s
    rolled_back = seen(service(BASE, None, f"rollback_{state}"))
    for record in Story((at_s, rolled_back), (at_s, listed(task("one")))).records:
        guard.feed(record)
    for now_s in (at_s, at_s + 100, 1e9):
        guard.tick(now_s)
    assert guard.ruling is not None
    assert decided is not None or guard.ruling.outcome is not Outcome.CONVERGED


@moderate
@given(history=stories(of=st.one_of(observations, losses)), before=baselines)
def test_lost_sight_is_no_success(before: Service | None, history: list[Record]) -> None:
    watched = watch(before, history)
    if any(isinstance(record.what, RecorderLost) for record in history[: watched.fed]):
        assert watched.ruling.outcome is not Outcome.CONVERGED


@moderate
@given(before=baselines, history=histories)
def test_a_ruling_once_made_is_kept(before: Service | None, history: list[Record]) -> None:
    guard = guard_of(before, deadline_s=DEADLINE_S)
    rulings = [guard.feed(record) for record in history]
    made = [ruling for ruling in rulings if ruling is not None]
    assert all(ruling is made[0] for ruling in made)
    assert rulings[len(rulings) - len(made) :] == made


@moderate
@given(before=baselines, history=histories)
def test_a_ruling_has_a_reason_and_a_time(before: Service | None, history: list[Record]) -> None:
    ruling = watch(before, history).ruling
    assert ruling.reason
    assert ruling.service == NAME
    assert ruling.decided_s >= 0


ENDS: list[tuple[ServiceSeen, Outcome]] = [
    (seen(service(HEAD, BASE)), Outcome.TIMED_OUT),
    (seen(service(HEAD, BASE, "updating")), Outcome.TIMED_OUT),
    (seen(service(HEAD, BASE, "completed")), Outcome.CONVERGED),
    (seen(service(RELABELLED, BASE)), Outcome.CONVERGED),
    (seen(service(BASE, BASE)), Outcome.CONVERGED),
    (seen(service(BASE)), Outcome.CONVERGED),
    (seen(service(BASE, HEAD)), Outcome.SUPERSEDED),
    (seen(service(BASE, None, "rollback_started")), Outcome.ROLLED_BACK),
    (seen(service(BASE, None, "rollback_completed")), Outcome.ROLLED_BACK),
]


@pytest.mark.parametrize(("last", "end"), ENDS)
def test_the_alphabet_reaches_every_end(last: ServiceSeen, end: Outcome) -> None:
    """Laws over sequences that never converge would be empty."""
    assert last in PLAUSIBLE
    assert last.service is not None
    story = Story((0, seen(service(BASE))), (0, listed(task("one"))), (1, deployed()), (1, last))
    story.at(2, listed(task("two", last.service.spec)))
    assert watch(service(BASE), story.records).ruling.outcome is end
