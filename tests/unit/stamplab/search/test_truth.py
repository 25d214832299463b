"""What became of an upgrade in truth, on made rows of states; and the same from a history."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stamplab.harness.checks.upgrade_truth import UpgradeObserver, upgrade_observed
from stamplab.lab.model.history import StageBegan
from stamplab.lab.model.swarm import Service, ServiceSpec, Task
from tests.builders import (
    BASE,
    HEAD,
    NAME,
    RELABELLED,
    THIRD,
    Story,
    listed,
    seen,
    service,
    spec,
    status,
    task,
)

OLD = task("old", BASE)
NEW = task("new", HEAD)
INSTALLED = service(BASE)
UPDATING = service(HEAD, BASE, "updating")
COMPLETED = service(HEAD, BASE, "completed")
BACK = service(BASE, None, "rollback_started")
IS_BACK = service(BASE, None, "rollback_completed")
BY_HAND = service(BASE, HEAD, status("rollback_started", message="manually requested rollback"))
IS_BACK_BY_HAND = service(BASE, HEAD, "rollback_completed")

Row = tuple[float, Service | None, Iterable[Task]]


def truth(*rows: Row, base: Service | None = INSTALLED) -> UpgradeObserver:
    """An upgrade that begins at 0, once the base runs."""
    observer = UpgradeObserver(NAME)
    observer.see(0, base, [OLD])
    observer.upgrade_begins()
    for at_s, now, tasks in rows:
        observer.see(at_s, now, tasks)
    return observer


UPGRADED = ((1.0, UPDATING, (OLD,)), (5.0, COMPLETED, (NEW,)))


# Whether head was applied, and when.


def test_the_first_other_spec_after_the_beginning_is_heads() -> None:
    observer = truth(*UPGRADED)
    assert (observer.head, observer.applied_s, observer.was_applied) == (HEAD, 1.0, True)


def test_as_long_as_the_spec_is_the_bases_it_was_not_applied() -> None:
    observer = truth((1.0, INSTALLED, [OLD]), (2.0, INSTALLED, []))
    assert (observer.head, observer.applied_s, observer.was_applied) == (None, None, False)


def test_what_came_before_the_upgrade_is_not_heads() -> None:
    observer = UpgradeObserver(NAME)
    observer.see(0, service(THIRD), [])
    observer.see(1, INSTALLED, [OLD])
    observer.upgrade_begins()
    observer.see(2, UPDATING, [OLD])
    assert (observer.head, observer.applied_s) == (HEAD, 2)


def test_a_service_that_the_upgrade_creates_is_heads() -> None:
    assert truth((1.0, UPDATING, [NEW]), base=None).applied_s == 1


def test_a_label_alone_is_another_spec() -> None:
    observer = truth((1.0, service(RELABELLED, BASE), [OLD]))
    assert observer.head == RELABELLED
    assert observer.held_head(1, 9)


# Whether head ran all the time.


@pytest.mark.parametrize(
    ("later", "ran"),
    [
        ((), True),
        (((7.0, COMPLETED, (NEW, task("another", HEAD))),), True),
        (((7.0, COMPLETED, (task("another", HEAD), NEW)), (8.0, COMPLETED, (NEW,))), True),
        (((7.0, COMPLETED, (task("another", HEAD),)),), False),
        (((7.0, COMPLETED, (task("new", HEAD, "failed"),)), (8.0, COMPLETED, (NEW,))), False),
        (((10.0, COMPLETED, ()),), False),
        (((10.1, COMPLETED, ()),), True),
    ],
)
def test_the_wanted_number_ran_throughout(later: tuple[Row, ...], ran: bool) -> None:
    assert truth(*UPGRADED, *later).ran_throughout(5.0, 10.0) is ran


def test_before_head_was_there_nothing_is_asked_of_it() -> None:
    assert truth((6.0, UPDATING, (NEW,))).ran_throughout(5.0, 10.0)
    assert not truth((6.0, UPDATING, (OLD,)), (7.0, UPDATING, (NEW,))).ran_throughout(5.0, 10.0)
    none_wanted = service(spec("base", replicas=0))
    assert truth((6.0, none_wanted, ())).ran_throughout(5.0, 10.0)


# Whether the swarm went back.


def test_a_rollback_of_the_swarms_own_is_dated_by_its_beginning() -> None:
    observer = truth(*UPGRADED[:1], (3.0, BACK, [OLD]), (4.0, IS_BACK, [OLD]))
    assert observer.rolled_back_s == 3


@pytest.mark.parametrize("state", ["rollback_completed", "rollback_paused"])
def test_one_of_which_only_the_end_was_seen_is_dated_by_that(state: str) -> None:
    observer = truth(*UPGRADED[:1], (4.0, service(BASE, None, state), [OLD]))
    assert observer.rolled_back_s == 4


def test_a_rollback_by_hand_is_none_of_the_swarms() -> None:
    observer = truth(*UPGRADED, (6.0, BY_HAND, [NEW]))
    assert observer.rolled_back_s is None


def test_nor_is_it_when_it_has_ended_and_no_longer_says_whose_it_was() -> None:
    """SwarmKit's message is then "rollback completed", whoever asked for it."""
    observer = truth(*UPGRADED, (6.0, BY_HAND, [NEW]), (9.0, IS_BACK_BY_HAND, [OLD]))
    assert observer.rolled_back_s is None
    assert truth(*UPGRADED, (9.0, IS_BACK_BY_HAND, [OLD])).rolled_back_s is None


def test_a_rollback_by_hand_that_is_paused_is_none_of_the_swarms_either() -> None:
    paused = service(BASE, HEAD, "rollback_paused")
    assert truth(*UPGRADED, (9.0, paused, [OLD])).rolled_back_s is None


@pytest.mark.parametrize("state", ["updating", "completed", "paused"])
def test_other_states_are_no_rollbacks(state: str) -> None:
    assert truth((1.0, service(HEAD, BASE, state), [])).rolled_back_s is None


def test_the_rollback_of_an_earlier_update_is_not_this_ones() -> None:
    """A status stays until the next update."""
    observer = truth((1.0, UPDATING, []), base=IS_BACK)
    assert observer.rolled_back_s is None


def test_other_specs_are_kept_with_their_times() -> None:
    observer = truth(
        *UPGRADED, (6.0, service(THIRD, HEAD, "updating"), []), (8.0, service(HEAD, THIRD), [NEW])
    )
    assert observer.updates == [(6.0, THIRD), (8.0, HEAD)]


# Whether it is at head.


def at_head(now: Service | None, *tasks: Task) -> bool:
    observer = truth(*UPGRADED[:1], (5.0, now, tasks))
    return observer.is_at_head(observer.sightings[-1])


def test_at_head_is_by_spec_by_state_and_by_tasks() -> None:
    assert at_head(COMPLETED, NEW)
    assert at_head(service(HEAD, BASE), NEW)
    assert not at_head(service(THIRD, HEAD, "completed"), NEW)
    assert not at_head(UPDATING, NEW)
    assert not at_head(service(HEAD, BASE, "paused"), NEW)
    assert not at_head(COMPLETED)
    assert not at_head(COMPLETED, OLD)
    assert not at_head(None)


@pytest.mark.parametrize("state", ["starting", "failed", "shutdown", "complete"])
def test_a_task_that_does_not_run_does_not_count(state: str) -> None:
    assert not at_head(COMPLETED, task("new", HEAD, state))


def test_a_task_that_is_to_go_does_not_count() -> None:
    assert not at_head(COMPLETED, task("new", HEAD, desired="shutdown"))


def test_one_that_is_on_its_way_means_that_it_is_not_over() -> None:
    assert not at_head(COMPLETED, NEW, task("next", HEAD, "starting"))
    assert at_head(COMPLETED, NEW, task("gone", HEAD, "failed"))


@pytest.mark.parametrize(("wanted", "running", "is_there"), [(0, 0, True), (2, 1, False)])
def test_the_wanted_number_of_tasks_counts(wanted: int, running: int, *, is_there: bool) -> None:
    head = spec("head", replicas=wanted)
    tasks = [task(f"new{number}", head) for number in range(running)]
    observer = truth((1.0, service(head, BASE, "completed"), tasks))
    assert observer.is_at_head(observer.sightings[-1]) is is_there


# Whether it stayed there.


def test_where_nothing_was_seen_nothing_has_changed() -> None:
    observer = truth(*UPGRADED)
    assert observer.held_head(5, 1000)
    assert observer.held_head(700, 1000)


def test_before_the_first_look_nothing_is_known() -> None:
    observer = UpgradeObserver(NAME)
    observer.upgrade_begins()
    assert observer.at(1) is None
    assert not observer.held_head(1, 2)


def test_one_moment_that_it_was_away_is_enough() -> None:
    observer = truth(*UPGRADED, (7.0, COMPLETED, []), (7.0, COMPLETED, [NEW]))
    assert observer.held_head(5, 6.9)
    assert not observer.held_head(5, 7)
    assert not observer.held_head(5, 100)
    assert observer.held_head(7, 100)


def test_what_comes_after_the_last_moment_does_not_count() -> None:
    observer = truth(*UPGRADED, (9.0, IS_BACK, [OLD]))
    assert observer.held_head(5, 8.9)
    assert not observer.held_head(5, 9)


def test_another_task_of_head_is_as_good() -> None:
    observer = truth(*UPGRADED, (7.0, COMPLETED, [task("another", HEAD)]))
    assert observer.held_head(5, 100)


def test_a_moments_state_is_the_one_after_all_of_its_commits() -> None:
    observer = truth((1.0, UPDATING, [OLD]), (5.0, UPDATING, [NEW]), (5.0, COMPLETED, [NEW]))
    state = observer.at(5)
    assert state is not None
    assert state.service == COMPLETED
    before = observer.at(4.999)
    assert before is not None
    assert before.service == UPDATING


def test_nothing_is_noted_twice() -> None:
    observer = truth(*UPGRADED)
    count = len(observer.sightings)
    observer.see(8, COMPLETED, [NEW])
    assert len(observer.sightings) == count
    assert observer.sightings[-1].at_s == 5


# The same from a history.


def observed(*rows: Row) -> UpgradeObserver:
    """The same upgrade, as recorders would have seen it."""
    story = Story((0, seen(INSTALLED)), (0, listed(OLD)), (0, StageBegan(stage="upgrade")))
    for at_s, now, tasks in rows:
        story.at(at_s, listed(*tasks), seen(now))
    return upgrade_observed(story.records, NAME)


@pytest.mark.parametrize(
    "rows",
    [
        UPGRADED,
        (*UPGRADED, (6.0, BY_HAND, (NEW,)), (9.0, IS_BACK_BY_HAND, (OLD,))),
        (*UPGRADED[:1], (3.0, BACK, (OLD,)), (4.0, IS_BACK, (OLD,))),
        (*UPGRADED, (7.0, COMPLETED, ()), (8.0, COMPLETED, (NEW,))),
        ((1.0, INSTALLED, (OLD,)),),
        (*UPGRADED, (7.0, None, ())),
    ],
)
def test_a_history_tells_the_same(rows: tuple[Row, ...]) -> None:
    watched, read = truth(*rows), observed(*rows)
    assert ends(read) == ends(watched)
    for at_s in (0, 1, 3, 5, 6, 7, 8, 9, 100):
        assert read_at(read, at_s) == read_at(watched, at_s)
        assert read.held_head(at_s, at_s + 0.5) == watched.held_head(at_s, at_s + 0.5)


def ends(
    observer: UpgradeObserver,
) -> tuple[ServiceSpec | None, float | None, float | None, object]:
    return observer.head, observer.applied_s, observer.rolled_back_s, observer.updates


def read_at(observer: UpgradeObserver, at_s: float) -> object:
    """What is known of a moment, whenever it came about; a watcher reads no JSON."""
    seen = observer.at(at_s)
    return seen and (seen.service, seen.tasks, observer.running_head(seen))


def test_of_other_services_a_history_tells_nothing() -> None:
    story = Story((0, seen(INSTALLED)), (0, StageBegan(stage="upgrade")))
    story.at(1, seen(service(HEAD, name="shop_db"), name="shop_db"), listed(NEW, name="shop_db"))
    observer = upgrade_observed(story.records, NAME)
    assert not observer.was_applied
    assert observer.running_head(observer.sightings[-1]) == frozenset()


def test_a_stage_of_another_name_is_not_the_upgrade() -> None:
    story = Story((0, StageBegan(stage="install")), (1, seen(INSTALLED)), (2, seen(UPDATING)))
    assert not upgrade_observed(story.records, NAME).was_applied


moments = st.integers(0, 20).map(lambda n: n / 2)


@settings(max_examples=40)
@given(rows=st.lists(st.tuples(moments, st.booleans()), max_size=8), from_s=moments, for_s=moments)
def test_to_hold_is_to_be_at_head_at_every_instant(
    rows: list[tuple[float, bool]], from_s: float, for_s: float
) -> None:
    """Held against asking at every instant: all of them are multiples of a half here."""
    later = sorted(rows, key=lambda row: row[0])
    observer = truth(*((at_s, COMPLETED, [NEW] if there else []) for at_s, there in later))
    halves = [from_s + n / 2 for n in range(round(for_s * 2) + 1)]
    away = {at_s for at_s, there in later if not there and from_s < at_s <= from_s + for_s}
    states = [observer.at(at_s) for at_s in halves]
    expected = not away and all(state and observer.is_at_head(state) for state in states)
    assert observer.held_head(from_s, from_s + for_s) is expected
