"""What the virtual world promises of time, of acts and of deploys; its swarm is scripted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stamplab.lab.errors import LabError, RecipeRefused
from stamplab.lab.faults.operator import (
    Act,
    Deed,
    LoseSight,
    Operation,
    Recreate,
    Redeploy,
    Remove,
    Restamp,
    RollBack,
    Scale,
    SetLimit,
)
from stamplab.lab.model.history import (
    ClientProbe,
    Deployed,
    Finding,
    LimitSet,
    MemorySample,
    Note,
    OperatorActed,
    Record,
    RecorderLost,
    ServiceSeen,
    TasksSeen,
)
from stamplab.lab.recipe.resolver import ComposeRefused, ResolvedStack, SwarmObject
from stamplab.lab.recipe.trust import Grant
from stamplab.lab.virtual.conditions import (
    Conditions,
    EveryCommit,
    EveryMoment,
    NodeOptions,
    PeriodicTaskLists,
    Visibility,
)
from stamplab.lab.virtual.journal import MemoryJournal, VirtualClock
from stamplab.lab.virtual.mirror import Mirror
from stamplab.lab.virtual.recorder import spec_in
from stamplab.lab.virtual.sim_events import SimEvent
from stamplab.lab.virtual.world import VirtualWorld
from stamplab.lab.world import Deployer, Stack
from tests.unit.lab.judging import in_service, write
from tests.unit.lab.virtual.fake_sim import FakeSim
from tests.unit.lab.virtual.made import (
    NAME,
    SERVICE_ID,
    STACK,
    commit,
    container_event,
    service,
    spec,
    task,
)

SPEC = msgspec.Raw(msgspec.json.encode(spec()))
CREATED = commit(0, services=(service(),))
TOUCHED = commit(0, task("t1"))


def resolved(*services: msgspec.Raw, networks: Sequence[str] = ()) -> ResolvedStack:
    objects = tuple(SwarmObject(id=f"id-{n}", name=n, external=False) for n in networks)
    return ResolvedStack(
        services=services, networks=objects, secrets=(), configs=(), warnings=(), reads=()
    )


Kind = TypeVar("Kind")


class Listener:
    """Notes the moments of the commits that it hears of."""

    def __init__(self) -> None:
        self.heard_s: list[float] = []

    def on_commit(self, at_s: float, mirror: Mirror) -> None:
        del mirror
        self.heard_s.append(at_s)


class Stage:
    """A world upon a scripted swarm, and its history."""

    def __init__(
        self,
        sim: FakeSim | None = None,
        conditions: Conditions | None = None,
        trust: frozenset[Grant] = frozenset(),
        answer: ResolvedStack | ComposeRefused | None = None,
    ) -> None:
        self.sim = sim or FakeSim()
        self.answer = answer or resolved(SPEC)
        self.asked: list[Stack] = []
        self.listener = Listener()
        clock = VirtualClock()
        self.journal = MemoryJournal(clock)
        self.world = VirtualWorld(
            self.sim.as_sim,
            clock,
            self.journal,
            "app",
            conditions or Conditions(),
            self._resolve,
            trust,
            on_commit=self.listener.on_commit,
        )

    def _resolve(self, stack: Stack) -> ResolvedStack:
        self.asked.append(stack)
        if isinstance(self.answer, ComposeRefused):
            raise self.answer
        return self.answer

    def begun(self) -> Stage:
        """All that there is at the beginning was seen."""
        self.world._may_have_events = True  # as by a deploy
        self.world.inspect(NAME)
        self.until(0)
        return self

    def until(self, until_s: float) -> list[Record]:
        """All records that come by then."""
        records = []
        while (record := self.world.next(until_s)) is not None:
            records.append(record)
        return records

    def act(self, *acts: tuple[float, Deed], until_s: float) -> list[Record]:
        """Let somebody act, each so long after now; give all records that come by then."""
        self.world.schedule(NAME, [Act(after_s=after_s, what=what) for after_s, what in acts])
        return self.until(until_s)

    def of(self, *kinds: type[Kind]) -> list[tuple[float, Kind]]:
        return [(r.seen_s, r.what) for r in self.journal.records if isinstance(r.what, kinds)]


def notes(stage: Stage) -> list[str]:
    return [what.text for _, what in stage.of(Note)]


def deployed(stage: Stage) -> list[tuple[float, int, str]]:
    return [(at_s, what.exit_code, what.output) for at_s, what in stage.of(Deployed)]


def acted(stage: Stage) -> list[tuple[float, str, str]]:
    return [(at_s, act.what, act.refused) for at_s, act in stage.of(OperatorActed)]


def with_service(*moments: tuple[float, Sequence[SimEvent]], refuses: str = "") -> FakeSim:
    """A swarm in which the service is there from the beginning."""
    return FakeSim(((0, (CREATED,)), *moments), refuses=refuses)


# How time passes.


def test_a_world_begins_at_nought_with_its_conditions_and_no_memory_in_use() -> None:
    node = NodeOptions(prepare_s=0.5)
    stage = Stage(conditions=Conditions(seed=7, node=node))
    assert stage.sim.requests == [(0, "begin", (7, node))]
    assert stage.world.now_s() == 0
    first = stage.world.next(0)
    assert first is not None
    assert isinstance(first.what, MemorySample)
    assert first.what.usage_bytes == 0
    assert stage.world.next(0) is None


def test_what_was_recorded_comes_before_time_goes_on() -> None:
    stage = Stage(with_service((5, (TOUCHED,))))
    stage.world.record(Note(text="first"))
    stage.world.record(Note(text="second"))
    records = [stage.world.next(100) for _ in range(3)]
    assert [type(record.what) for record in records if record] == [MemorySample, Note, Note]
    assert stage.world.now_s() == 0


def test_time_goes_to_the_next_moment_at_which_something_is_seen_and_no_further() -> None:
    stage = Stage(with_service((2, (TOUCHED,)), (7, (TOUCHED,)))).begun()
    record = stage.world.next(100)
    assert record is not None
    assert record.seen_s == stage.world.now_s() == 2


def test_nothing_comes_exactly_when_the_moment_has_come() -> None:
    """The simulator rounds to the moment itself: the world must not be past what was asked for."""
    stage = Stage(with_service((2, (TOUCHED,))))
    for until_s in (0.0, 0.5, 1.999999, 2 - 2e-10, 2.0, 2.0, 50.0):
        stage.until(until_s)
        assert stage.world.now_s() == until_s


def test_a_moment_that_has_passed_is_not_gone_back_to() -> None:
    stage = Stage()
    stage.until(5)
    assert stage.world.next(3) is None
    assert stage.world.now_s() == 5


def test_what_happens_unseen_lets_time_go_on() -> None:
    unseen = [(at_s, (TOUCHED,)) for at_s in (1.0, 2.0, 3.0)]
    stage = Stage(with_service(*unseen), Conditions(visibility=PeriodicTaskLists(every_s=10)))
    records = stage.until(9.0)
    assert stage.world.now_s() == 9
    assert not any(isinstance(record.what, TasksSeen) for record in records)
    assert stage.listener.heard_s == [0, 1, 2, 3]
    (listing,) = [r for r in stage.until(11) if isinstance(r.what, TasksSeen)]
    assert listing.seen_s == 10


instants = st.integers(0, 50).map(lambda n: n / 10) | st.floats(0, 5)
happenings = st.lists(st.tuples(instants, st.just((TOUCHED,))), max_size=6)
acts_ = st.lists(
    st.builds(
        Act,
        after_s=instants,
        what=st.sampled_from(
            [Redeploy(), Scale(replicas=2), SetLimit(limit_bytes=1, reason="less")]
        ),
    ),
    max_size=4,
)
visibilities = st.sampled_from(
    [EveryCommit(), EveryMoment(), PeriodicTaskLists(every_s=0.3, phase_s=0.1)]
)


@settings(max_examples=40)
@given(
    moments=happenings,
    acts=acts_,
    visibility=visibilities,
    untils_s=st.lists(instants, min_size=1, max_size=6),
)
def test_it_never_goes_past_the_moment_that_it_was_given(
    moments: list[tuple[float, Sequence[SimEvent]]],
    acts: list[Act],
    visibility: Visibility,
    untils_s: list[float],
) -> None:
    stage = Stage(with_service(*moments), Conditions(visibility=visibility)).begun()
    stage.world.schedule(NAME, acts)
    taken = len(stage.journal.records)
    for until_s in untils_s:
        while True:
            before_s = stage.world.now_s()
            is_over = before_s >= until_s and taken == len(stage.journal.records)
            record = stage.world.next(until_s)
            assert before_s <= stage.world.now_s() <= max(before_s, until_s)
            if record is None:
                assert stage.world.now_s() >= until_s
                assert taken == len(stage.journal.records)
                break
            assert not is_over
            assert record.seq == taken
            assert record.seen_s == round(stage.world.now_s(), 6)
            taken += 1


@settings(max_examples=40)
@given(acts=acts_, until_s=instants.filter(bool))
def test_every_due_act_was_done_at_its_time(acts: list[Act], until_s: float) -> None:
    stage = Stage(with_service()).begun()
    stage.world.schedule(NAME, acts)
    stage.until(until_s)
    done = [at_s for at_s, _ in stage.of(OperatorActed, LimitSet)]
    due = sorted(act.after_s for act in acts if act.after_s <= until_s)
    assert done == [round(at_s, 6) for at_s in due]


# Acts of somebody else.


def test_acts_happen_at_their_times_and_in_order_whatever_order_they_were_given_in() -> None:
    stage = Stage(with_service())
    stage.until(2)
    stage.act((3, Scale(replicas=0)), (1, Redeploy()), until_s=10)
    assert acted(stage) == [
        (3, "a second operator deployed the same spec again", ""),
        (5, "a second operator scaled the service to 0", ""),
    ]
    assert [at_s for at_s, _ in stage.sim.requests_of("update")] == [3, 5]


def test_acts_of_one_moment_happen_in_the_order_that_they_were_given_in() -> None:
    stage = Stage(with_service())
    stage.act(*((1, Scale(replicas=number)) for number in range(5)), until_s=1)
    messages = [what for _, what, _ in acted(stage)]
    assert messages == [f"a second operator scaled the service to {number}" for number in range(5)]


def test_two_rows_of_acts_are_woven_together() -> None:
    stage = Stage(with_service())
    stage.act((4, Scale(replicas=4)), until_s=1)
    stage.act((2, Scale(replicas=3)), until_s=10)
    assert [at_s for at_s, _, _ in acted(stage)] == [3, 4]


def test_an_act_stops_time_though_nothing_else_happens() -> None:
    stage = Stage(with_service()).begun()
    stage.world.schedule(NAME, [Act(after_s=2.5, what=Redeploy())])
    record = stage.world.next(100)
    assert record is not None
    assert record.seen_s == stage.world.now_s() == 2.5


def test_what_is_called_off_does_not_happen() -> None:
    stage = Stage(with_service())
    stage.act((1, Redeploy()), (3, Redeploy()), until_s=2)
    stage.world.cancel_scheduled()
    stage.until(10)
    assert [at_s for at_s, _, _ in acted(stage)] == [1]


@pytest.mark.parametrize(
    ("operation", "roll_back"),
    [(Redeploy(), False), (Restamp(labels={"a": "1"}), False), (RollBack(), True)],
)
def test_an_operation_is_sent_upon_the_present_spec(operation: Operation, roll_back: bool) -> None:
    newer = spec("2")
    stage = Stage(with_service((1, (commit(1, services=(service(newer),)),))))
    stage.act((2, operation), until_s=2)
    ((at_s, sent),) = stage.sim.requests_of("update")
    assert isinstance(sent, tuple)
    service_id, body, is_rollback = sent
    assert (at_s, service_id, is_rollback) == (2, SERVICE_ID, roll_back)
    labels = {"a": "1"} if isinstance(operation, Restamp) else {}
    assert msgspec.json.decode(body) == spec("2", labels=labels)


@pytest.mark.parametrize(("operation", "then"), [(Remove(), []), (Recreate(), ["create"])])
def test_a_service_is_removed_and_made_anew(operation: Operation, then: list[str]) -> None:
    stage = Stage(with_service()).begun()
    stage.sim.answer("remove", commit(1, removed_service=SERVICE_ID))
    stage.act((1, operation), until_s=2)
    assert [name for _, name, _ in stage.sim.requests] == ["begin", "remove", *then]
    assert stage.sim.requests_of("remove") == [(1, SERVICE_ID)]
    assert all(sent == bytes(spec_in(service())) for _, sent in stage.sim.requests_of("create"))
    assert [refused for _, _, refused in acted(stage)] == [""]
    last = stage.of(ServiceSeen)[-1]
    assert last == (1, ServiceSeen(name=NAME, service=None))


def test_sight_may_be_lost_and_the_swarm_is_asked_nothing() -> None:
    stage = Stage(with_service()).begun()
    (record,) = stage.act((1, LoseSight()), until_s=2)
    assert record.what == RecorderLost(recorder="nemesis", reason="sight is lost of the swarm")
    assert record.seen_s == 1
    assert [name for _, name, _ in stage.sim.requests] == ["begin"]


def test_what_the_swarm_refuses_stands_in_the_history_with_its_words() -> None:
    stage = Stage(with_service(refuses="service s1 does not have a previous spec"))
    stage.act((1, RollBack()), until_s=2)
    refused = "service s1 does not have a previous spec"
    assert acted(stage) == [(1, "a second operator rolled the service back", refused)]


def test_to_operate_upon_what_is_not_there_is_refused_too() -> None:
    stage = Stage()
    stage.act((1, Redeploy()), until_s=2)
    assert [refused for _, _, refused in acted(stage)] == [f"there is no service {NAME}"]
    assert stage.sim.requests_of("update") == []


def test_a_limit_is_set_at_its_time_and_told_with_what_is_in_use() -> None:
    stage = Stage()
    stage.sim.used_bytes = 250
    less = SetLimit(limit_bytes=300, reason="less")
    more = SetLimit(limit_bytes=None, reason="all")
    stage.act((1, less), (2, more), until_s=3)
    assert stage.sim.requests_of("limit") == [(1, 300), (2, None)]
    assert stage.of(LimitSet) == [
        (1, LimitSet(limit_bytes=300, usage_bytes=250, reason="less")),
        (2, LimitSet(limit_bytes=None, usage_bytes=250, reason="all")),
    ]


def test_what_an_act_brings_about_is_seen_after_it_and_at_once() -> None:
    stage = Stage(with_service()).begun()
    stage.sim.answer("update", commit(1, services=(service(spec("2"), spec("1"), "updating"),)))
    kinds = [type(record.what) for record in stage.act((1, Redeploy()), until_s=1)]
    assert kinds == [OperatorActed, ServiceSeen]


# Deploys.


def test_a_deploy_works_before_and_after_the_swarm_hears_of_it() -> None:
    stage = Stage(conditions=Conditions(deploy_before_s=1.5, deploy_after_s=2))
    stage.sim.answer("create", CREATED)
    answer = stage.world.deploy(STACK, resolved(SPEC))
    assert answer == Deployed(stack=STACK, exit_code=0, output=f"Creating service {NAME}")
    assert stage.sim.requests_of("create") == [(1.5, bytes(SPEC))]
    assert deployed(stage) == [(3.5, 0, f"Creating service {NAME}")]
    assert [at_s for at_s, _ in stage.of(ServiceSeen)] == [1.5, 3.5]
    assert stage.world.now_s() == 3.5


def test_meanwhile_others_act() -> None:
    stage = Stage(with_service(), Conditions(deploy_before_s=2, deploy_after_s=2)).begun()
    stage.world.schedule(NAME, [Act(after_s=1, what=Redeploy()), Act(after_s=3, what=Redeploy())])
    stage.world.deploy(STACK, resolved(SPEC))
    assert [at_s for at_s, _ in stage.sim.requests_of("update")] == [1, 2, 3]
    assert [at_s for at_s, _, _ in acted(stage)] == [1, 3]


def test_a_service_that_is_there_is_updated_by_its_id() -> None:
    stage = Stage(with_service()).begun()
    answer = stage.world.deploy(STACK, resolved(SPEC))
    assert answer.output == f"Updating service {NAME} (id: {SERVICE_ID})"
    assert stage.sim.requests_of("update") == [(0, (SERVICE_ID, bytes(SPEC), False))]
    assert stage.sim.requests_of("create") == []
    assert stage.world.now_s() == 0


def test_a_refused_deploy_is_an_answer_with_the_swarms_words() -> None:
    stage = Stage(FakeSim(refuses="rpc error: invalid reference format"))
    answer = stage.world.deploy(STACK, resolved(SPEC, SPEC))
    assert answer.exit_code == 1
    assert answer.output == "rpc error: invalid reference format"
    assert len(stage.sim.requests_of("create")) == 1
    assert deployed(stage) == [(0, 1, answer.output)]


def test_clients_ask_from_the_first_deploy_on_that_was_taken() -> None:
    refused = Stage(FakeSim(((1, (container_event(1, "start", "t1"),)),), refuses="no"))
    refused.world.deploy(STACK, resolved(SPEC))
    refused.until(2)
    assert refused.of(ClientProbe) == []
    taken = Stage()
    taken.world.deploy(STACK, resolved(SPEC))
    assert len(taken.of(ClientProbe)) == 1


def test_what_a_stack_brings_along_is_made_once() -> None:
    stage = Stage()
    for networks in (["internal"], ["internal", "proxy"], ["proxy"]):
        stage.world.deploy(STACK, resolved(networks=networks))
    given = [what for _, what in stage.sim.requests_of("provide") if isinstance(what, dict)]
    names = [[network.name for network in what.get("networks", ())] for what in given]
    assert names == [["internal"], ["proxy"], []]


def stack(folder: Path, fragment: str = "") -> Stack:
    files = write(folder, compose=in_service(fragment))
    return Stack(name=STACK, directory=folder, compose_files=files, environment={})


def test_a_stack_is_judged_resolved_and_deployed(tmp_path: Path) -> None:
    stage = Stage()
    asked = stack(tmp_path)
    assert stage.world.apply(asked).exit_code == 0
    assert stage.asked == [asked]
    assert len(stage.sim.requests_of("create")) == 1


@pytest.mark.parametrize("verb", ["apply", "provide"])
def test_what_is_not_trusted_is_refused_before_anything_is_done(tmp_path: Path, verb: str) -> None:
    stage = Stage()
    with pytest.raises(RecipeRefused, match="--trust host-paths"):
        getattr(stage.world, verb)(stack(tmp_path, "volumes: ['/etc:/x']"))
    assert stage.asked == []
    assert [name for _, name, _ in stage.sim.requests] == ["begin"]
    ((_, finding),) = stage.of(Finding)
    assert not finding.passed


def test_what_is_trusted_is_deployed_and_said(tmp_path: Path) -> None:
    stage = Stage(trust=frozenset({Grant.HOST_PATHS}))
    assert stage.world.apply(stack(tmp_path, "volumes: ['/etc:/x']")).exit_code == 0
    assert ["trusted (host-paths)" in line for line in notes(stage)] == [True]


def test_what_docker_would_refuse_is_an_answer_and_nothing_is_sent(tmp_path: Path) -> None:
    stage = Stage(answer=ComposeRefused(STACK, "services.app.surprise is not allowed"))
    answer = stage.world.apply(stack(tmp_path))
    assert answer == Deployed(
        stack=STACK, exit_code=1, output="services.app.surprise is not allowed"
    )
    assert deployed(stage) == [(0, 1, "services.app.surprise is not allowed")]
    assert stage.sim.requests_of("create") == []


def test_a_program_that_deploys_by_itself_has_no_engine_here(tmp_path: Path) -> None:
    abra = Deployer(argv=lambda _: ("abra",), environment=lambda _: {}, by="abra 0.10")
    with pytest.raises(LabError, match=r"abra 0.10 deploys to an engine.*--world live"):
        Stage().world.apply(stack(tmp_path), abra)


def test_what_is_taken_for_granted_is_made_and_said(tmp_path: Path) -> None:
    stage = Stage()
    asked = stack(tmp_path, "deploy: {placement: {constraints: ['node.labels.disk == fast']}}")
    text = asked.compose_files[0].read_text().replace("a:1", "stand-in/a:1")
    asked.compose_files[0].write_text(text)
    stage.world.provide(asked)
    given_ = {"images": ["stand-in/a:1"], "labels": {"disk": "fast"}}
    assert stage.sim.requests_of("provide") == [(0, given_)]
    assert notes(stage) == ["provided: image stand-in/a:1", "provided: node labels disk=fast"]


def test_a_stack_that_takes_nothing_for_granted_gets_nothing(tmp_path: Path) -> None:
    stage = Stage()
    stage.world.provide(stack(tmp_path))
    assert stage.sim.requests_of("provide") == [(0, {})]
    assert notes(stage) == []


# Looking.


def test_an_inspect_sees_what_has_happened_by_now_and_records_it() -> None:
    stage = Stage(with_service()).begun()
    stage.sim.answer("update", commit(0, services=(service(spec("2")),)))
    stage.world.deploy(STACK, resolved(SPEC))
    before = len(stage.of(ServiceSeen))
    service_ = stage.world.inspect(NAME)
    assert service_ is not None
    assert service_.spec.image == "shop:2"
    assert stage.world.inspect("another") is None
    names = [what.name for _, what in stage.of(ServiceSeen)]
    assert names[before:] == [NAME, "another"]


@pytest.mark.parametrize(
    "visibility", [EveryCommit(), EveryMoment(), PeriodicTaskLists(every_s=100)]
)
def test_a_look_records_all_services_tasks_and_memory_anew(visibility: Visibility) -> None:
    stage = Stage(with_service((1, (TOUCHED,))), Conditions(visibility=visibility))
    stage.until(2)
    before = len(stage.journal.records)
    stage.world.look(STACK)
    kinds = [type(record.what) for record in stage.journal.records[before:]]
    assert kinds[0] is MemorySample
    assert kinds[-2:] == [ServiceSeen, TasksSeen]
