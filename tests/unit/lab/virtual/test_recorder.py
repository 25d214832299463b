"""What an observer of the virtual swarm sees of what happens, and when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stamplab.lab.model.history import (
    ClientProbe,
    ContainerEnded,
    EngineEvent,
    MemorySample,
    Observation,
    OomKill,
    ServiceSeen,
    TasksSeen,
)
from stamplab.lab.virtual.conditions import EveryCommit, EveryMoment, PeriodicTaskLists, Visibility
from stamplab.lab.virtual.journal import MemoryJournal, VirtualClock
from stamplab.lab.virtual.mirror import Mirror
from stamplab.lab.virtual.recorder import VirtualRecorder
from stamplab.lab.virtual.sim_events import SimEvent, StoreCommit
from tests import builders
from tests.unit.lab.virtual.made import (
    NAME,
    SERVICE_ID,
    STACK,
    commit,
    container_event,
    oom,
    service,
    spec,
    task,
)

UPDATED = service(spec("2"), spec("1"), "updating")


Kind = TypeVar("Kind")


class Recorded:
    """A recorder, and what it has put down."""

    def __init__(self, visibility: Visibility) -> None:
        self.clock = VirtualClock()
        self.journal = MemoryJournal(self.clock)
        self.heard_s: list[float] = []
        self.recorder = VirtualRecorder(self.journal, self.clock, visibility, self._listen)

    def _listen(self, at_s: float, mirror: Mirror) -> None:
        assert mirror is self.recorder.mirror
        self.heard_s.append(at_s)

    def at(self, now_s: float, *events: SimEvent) -> Recorded:
        """All of this happens at one moment, at which the observer is told."""
        self.clock.move_to(now_s)
        self.recorder.feed(events)
        return self

    @property
    def changes(self) -> list[str]:
        """What was seen of the service and its tasks, each in a few words, in order."""
        return [word for record in self.journal.records for word in in_short(record.what)]

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [r.what for r in self.journal.records if isinstance(r.what, kind)]


def in_short(what: Observation) -> list[str]:
    match what:
        case ServiceSeen(service=None):
            return ["gone"]
        case ServiceSeen(service=service) if service is not None:
            return [f"{service.spec.image.removeprefix('shop:')} {service.update_state}"]
        case TasksSeen(tasks=tasks):
            return [" ".join(f"{task.id}={task.state}" for task in tasks) or "no tasks"]
        case _:
            return []


CREATED = commit(0, services=(service(),))
MOMENT = (
    commit(1, services=(UPDATED,)),
    commit(1, task("t1", state="pending")),
    commit(1, task("t1", state="assigned")),
    commit(1, services=(service(spec("2"), spec("1"), "completed"),)),
)
"""Four commits that share one moment."""


def test_every_commit_is_seen_by_who_sees_commits() -> None:
    recorded = Recorded(EveryCommit()).at(0, CREATED).at(1, *MOMENT)
    assert recorded.changes == ["1 None", "2 updating", "t1=pending", "t1=assigned", "2 completed"]


def test_what_came_and_went_within_a_moment_is_not_seen_by_who_sees_moments() -> None:
    recorded = Recorded(EveryMoment()).at(0, CREATED).at(1, *MOMENT)
    assert recorded.changes == ["1 None", "2 completed", "t1=assigned"]


def test_who_looks_sees_services_at_once_and_tasks_at_the_next_look() -> None:
    recorded = Recorded(PeriodicTaskLists(every_s=2, phase_s=0.5)).at(0, CREATED).at(1, *MOMENT)
    assert recorded.changes == ["1 None", "2 completed"]
    assert recorded.recorder.listing_due_s == 2.5
    recorded.at(2.5)
    assert recorded.changes == ["1 None", "2 completed", "t1=assigned"]
    assert recorded.recorder.listing_due_s is None


def test_who_looks_never_sees_a_task_that_came_and_went_between_two_looks() -> None:
    recorded = Recorded(PeriodicTaskLists(every_s=10)).at(
        1, commit(1, task("t1"), services=(service(),))
    )
    recorded.at(2, commit(2, task("t2", state="starting")))
    recorded.at(3, commit(3, removed_task="t2")).at(10)
    assert recorded.changes == ["1 None", "t1=running"]


@pytest.mark.parametrize("visibility", [EveryCommit(), EveryMoment(), PeriodicTaskLists(every_s=5)])
def test_the_watcher_is_told_of_every_commit_whatever_is_seen(visibility: Visibility) -> None:
    recorded = Recorded(visibility).at(0, CREATED).at(1, *MOMENT)
    assert recorded.heard_s == [0, 1, 1, 1, 1]


@pytest.mark.parametrize("visibility", [EveryCommit(), EveryMoment(), PeriodicTaskLists(every_s=5)])
def test_a_commit_changes_only_what_it_is_about(visibility: Visibility) -> None:
    other = service(spec(name="shop_db"), service_id="service2")
    recorded = Recorded(visibility).at(0, CREATED).at(1, commit(1, services=(other,)))
    names = [s.name for s in recorded.of(ServiceSeen)]
    assert names == [NAME, "shop_db"]


@pytest.mark.parametrize("visibility", [EveryCommit(), EveryMoment(), PeriodicTaskLists(every_s=5)])
def test_a_service_that_goes_is_seen_as_gone(visibility: Visibility) -> None:
    recorded = Recorded(visibility).at(0, CREATED).at(1, commit(1, removed_service=SERVICE_ID))
    assert recorded.changes[-1] == "gone"


# When a look is due.


@pytest.mark.parametrize(
    ("every_s", "phase_s", "changed_s", "due_s"),
    [
        (2.0, 0.0, 1.0, 2.0),
        (2.0, 0.5, 1.0, 2.5),
        (2.0, 0.5, 2.6, 4.5),
        (0.5, 2.0, 0.1, 2.0),
        (0.5, 0.2, 0.1, 0.2),
    ],
)
def test_looks_begin_with_their_phase_and_come_at_even_times(
    every_s: float, phase_s: float, changed_s: float, due_s: float
) -> None:
    recorded = Recorded(PeriodicTaskLists(every_s=every_s, phase_s=phase_s)).at(0, CREATED)
    assert recorded.recorder.listing_due_s is None
    recorded.at(changed_s, commit(changed_s, task("t1")))
    assert recorded.recorder.listing_due_s == pytest.approx(due_s)


def test_what_changes_at_the_moment_of_a_look_is_seen_by_it() -> None:
    recorded = Recorded(PeriodicTaskLists(every_s=2)).at(0, CREATED).at(4, commit(4, task("t1")))
    assert recorded.changes[-1] == "t1=running"
    assert recorded.recorder.listing_due_s is None


def test_nothing_is_due_once_all_was_looked_at_for_another_reason() -> None:
    recorded = Recorded(PeriodicTaskLists(every_s=2)).at(0, CREATED).at(1, commit(1, task("t1")))
    assert recorded.recorder.listing_due_s == 2
    recorded.recorder.look(STACK)
    assert recorded.changes[-1] == "t1=running"
    assert recorded.recorder.listing_due_s is None


@pytest.mark.parametrize("visibility", [EveryCommit(), EveryMoment()])
def test_no_look_is_ever_due_for_who_sees_all(visibility: Visibility) -> None:
    recorded = Recorded(visibility).at(0, CREATED).at(1, *MOMENT)
    assert recorded.recorder.listing_due_s is None


tenths = st.integers(1, 40).map(lambda n: n / 10)


@settings(max_examples=40)
@given(
    looks=st.builds(PeriodicTaskLists, every_s=tenths, phase_s=tenths),
    gaps_s=st.lists(tenths, min_size=1, max_size=12),
)
def test_a_look_is_due_for_the_unseen(looks: PeriodicTaskLists, gaps_s: Sequence[float]) -> None:
    recorded, now_s = Recorded(looks).at(0, CREATED), 0.0
    for number, gap_s in enumerate(gaps_s):
        now_s += gap_s
        while (due_s := recorded.recorder.listing_due_s) is not None and due_s <= now_s:
            recorded.at(due_s)
            assert not recorded.recorder.mirror.changed_tasks
        recorded.at(now_s, commit(now_s, task(f"t{number}")))
        due_s, unseen = recorded.recorder.listing_due_s, recorded.recorder.mirror.changed_tasks
        assert (due_s is not None) is bool(unseen)
        if due_s is not None:
            assert now_s < due_s <= max(now_s, looks.phase_s) + looks.every_s + 1e-9


# Looking though nothing has changed.


@pytest.mark.parametrize(
    "visibility", [EveryCommit(), EveryMoment(), PeriodicTaskLists(every_s=50)]
)
def test_who_looks_is_shown_everything_changed_or_not(visibility: Visibility) -> None:
    recorded = Recorded(visibility).at(0, CREATED).at(1, commit(1, task("t1")))
    before = len(recorded.changes)
    recorded.recorder.look(STACK)
    assert recorded.changes[before:][-2:] == ["1 None", "t1=running"]
    assert recorded.recorder.inspect(NAME) is not None
    assert recorded.changes[-1] == "1 None"


def test_an_inspect_of_nothing_is_recorded_as_such() -> None:
    recorded = Recorded(EveryCommit())
    assert recorded.recorder.inspect(NAME) is None
    assert recorded.changes == ["gone"]


def test_what_was_inspected_is_not_shown_again_as_a_change() -> None:
    recorded = Recorded(EveryMoment()).at(0, CREATED)
    recorded.recorder.mirror.feed(commit(1, services=(UPDATED,)))
    recorded.recorder.inspect(NAME)
    recorded.at(1)
    assert recorded.changes == ["1 None", "2 updating"]


# Containers, memory, clients.


def test_a_containers_event_is_put_down_as_the_engine_would() -> None:
    recorded = Recorded(EveryCommit()).at(3, container_event(2.5, "start", "t1"))
    (record,) = recorded.journal.records
    assert (record.happened_s, record.seen_s) == (2.5, 3)
    assert record.what == EngineEvent(
        kind="container",
        action="start",
        actor_id="container-t1",
        attributes={
            "image": "shop:1",
            "com.docker.swarm.service.name": NAME,
            "com.docker.swarm.task.id": "t1",
        },
    )


def test_a_death_is_inspected() -> None:
    died = container_event(4, "die", "t1", exit_code=137, started_s=1, is_oom=True)
    (ended,) = Recorded(EveryCommit()).at(4, died).of(ContainerEnded)
    expected = builders.ended("t1", 137, began_s=1, ended_s=4)
    assert ended == msgspec.structs.replace(expected, oom_killed=True)


def test_an_oom_kill_is_between_two_samples_and_is_counted() -> None:
    recorded = Recorded(EveryCommit())
    recorded.recorder.limit_bytes = 300
    recorded.at(2, oom(2, "t1", rss_bytes=200, limit_bytes=300))
    before, kill, after = (record.what for record in recorded.journal.records)
    assert before == MemorySample(
        usage_bytes=300,
        limit_bytes=300,
        containers={"container-t1": 200, "container-old": 100},
        oom_kills=0,
    )
    assert isinstance(kill, OomKill)
    assert (kill.container_id, kill.anon_rss_bytes) == ("container-t1", 200)
    assert (kill.usage_bytes, kill.limit_bytes) == (300, 300)
    assert isinstance(after, MemorySample)
    assert (after.usage_bytes, after.oom_kills) == (100, 1)


def test_nobody_pretends_that_a_kernel_has_logged_it() -> None:
    (kill,) = Recorded(EveryCommit()).at(2, oom(2, "t1")).of(OomKill)
    assert "no kernel" in " ".join(kill.lines)


def test_clients_ask_whenever_something_has_happened_and_only_then() -> None:
    recorded = Recorded(EveryCommit()).at(0, CREATED)
    assert recorded.of(ClientProbe) == []
    recorded.recorder.probed_service = NAME
    recorded.at(1, commit(1, task("t1")))
    recorded.at(2)
    recorded.at(3, container_event(3, "ready", "t1"))
    asked = [
        (record.seen_s, record.what.ok)
        for record in recorded.journal.records
        if isinstance(record.what, ClientProbe)
    ]
    assert asked == [(1, False), (3, True)]


states = st.sampled_from(["pending", "starting", "running", "failed"])
histories = st.lists(
    st.lists(
        st.builds(lambda n, state: commit(0, task(f"t{n}", state=state)), st.integers(0, 2), states)
        | st.sampled_from([commit(0, services=(service(),)), commit(0, services=(UPDATED,))]),
        min_size=1,
        max_size=4,
    ),
    max_size=6,
)


@settings(max_examples=40)
@given(moments=histories)
def test_in_the_end_all_have_seen_the_same(moments: list[list[StoreCommit]]) -> None:
    """However one looks: what is so in the end is seen, services before anything that is due."""
    ends = []
    for visibility in (EveryCommit(), EveryMoment(), PeriodicTaskLists(every_s=0.7)):
        recorded = Recorded(visibility).at(0, CREATED)
        for number, row in enumerate(moments, start=1):
            recorded.at(number, *row)
        recorded.at(len(moments) + 1)
        last: dict[type[Observation], str] = {}
        for record in recorded.journal.records:
            last.update({type(record.what): word for word in in_short(record.what)})
        ends.append(last)
    assert ends[0] == ends[1] == ends[2]
