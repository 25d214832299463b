"""A schedule's name is made of what is in it; it is kept as it is, and damage is said."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings

from stamplab.lab.errors import UsageError
from stamplab.lab.faults.memory_pressure import Ample, Pulse, Ramp, Squeeze
from stamplab.lab.faults.operator import (
    Act,
    LoseSight,
    NextVersion,
    Redeploy,
    Restamp,
    RollBack,
    Scale,
)
from stamplab.lab.faults.stamp import WrongStamp
from stamplab.lab.recipe.workload_overlay import Fault, Timing
from stamplab.lab.virtual.conditions import Conditions, PeriodicTaskLists
from stamplab.scenarios.discourse.recipe import HEAD_IMAGE
from stamplab.search.explorable import EXPLORABLE, REFERENCE
from stamplab.search.laws import LAWS
from stamplab.search.schedule import Change, Kept, Schedule, TimedOperation, keep, read_kept
from stamplab.search.strategies import schedules
from tests.unit.stamplab.search.trials import but

DISCOURSE = EXPLORABLE["discourse"]
FULL = but(
    REFERENCE,
    pressure=Ramp(after_s=1, over_s=2),
    operations=(
        TimedOperation(after_s=1.5, what=NextVersion(version="9", labels={"b": "2", "a": "1"})),
        TimedOperation(after_s=2.5, what=Redeploy()),
    ),
    fault=Fault.CRASHES,
    wrong_stamp=WrongStamp.STALE,
    hc1_pause_s=12.5,
    conditions=Conditions(seed=7, visibility=PeriodicTaskLists(every_s=0.5, phase_s=0.1)),
)
OTHERWISE: dict[str, object] = {
    "memory": but(REFERENCE.memory, boot_s=2.0),
    "timing": but(REFERENCE.timing, monitor_s=6.0),
    "policy": but(REFERENCE.policy, parallelism=0),
    "pressure": Squeeze(),
    "earlier": (RollBack(),),
    "operations": (TimedOperation(after_s=1, what=RollBack()),),
    "change": Change.LABELS,
    "head_replicas": 0,
    "fault": Fault.ABSENT,
    "wrong_stamp": WrongStamp.TRUNCATED,
    "reports_expected_stamp": True,
    "refused": True,
    "blind_after_s": 0.0,
    "hc1_pause_s": 0.1,
    "conditions": Conditions(deploy_after_s=0.1),
}
"""Another value of every field."""


def kept(schedule: Schedule = FULL) -> Kept:
    return Kept(
        scenario="discourse",
        law="no-false-green",
        guard=False,
        broken="the upgrade passed",
        in_words="a boot of 1 s",
        schedule=schedule,
    )


# Its name.


def test_the_same_schedule_has_the_same_name() -> None:
    second = msgspec.json.decode(msgspec.json.encode(FULL), type=Schedule)
    assert second == FULL
    assert second.id == FULL.id


@pytest.mark.parametrize("name", Schedule.__struct_fields__)
def test_another_value_of_any_field_makes_another_name(name: str) -> None:
    assert but(REFERENCE, **{name: OTHERWISE[name]}).id != REFERENCE.id


def test_the_order_of_labels_does_not_make_another_name() -> None:
    turned = NextVersion(version="9", labels={"a": "1", "b": "2"})
    operations = (TimedOperation(after_s=1.5, what=turned), FULL.operations[1])
    assert but(FULL, operations=operations).id == FULL.id


def test_the_order_of_acts_does() -> None:
    assert but(FULL, operations=FULL.operations[::-1]).id != FULL.id


def test_what_says_nothing_is_no_part_of_a_name() -> None:
    text = msgspec.to_builtins(REFERENCE)
    assert "max_attempts" in text["policy"]
    del text["policy"]["max_attempts"], text["fault"]
    assert msgspec.convert(text, Schedule).id == REFERENCE.id


def test_a_name_is_fit_for_a_file_and_for_a_command_line() -> None:
    assert len(FULL.id) == 10
    assert set(FULL.id) <= set("0123456789abcdef")


@settings(max_examples=30)
@given(schedule=schedules("stamp"))
def test_whatever_is_drawn_is_kept_and_read_back_under_its_name(
    schedule: Schedule, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "drawn"
    path = keep(kept(schedule), folder)
    read = read_kept(path)
    assert read.schedule == schedule
    assert path.stem == read.schedule.id == schedule.id


def test_what_is_known_lies_under_its_own_name_and_law() -> None:
    for explorable in EXPLORABLE.values():
        for path in explorable.known.glob("*/*.json"):
            matches = read_kept(path)
            assert path.stem == matches.schedule.id
            assert path.parent.name == matches.law
            assert matches.scenario == explorable.name


# Kept and read.


def test_it_is_kept_in_a_folder_that_is_made_and_twice_is_once(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "schedules"
    assert keep(kept(), folder) == keep(kept(), folder) == folder / f"{FULL.id}.json"
    assert read_kept(folder / f"{FULL.id}.json") == kept()


def test_a_person_can_read_the_file(tmp_path: Path) -> None:
    text = keep(kept(), tmp_path).read_text()
    assert text.endswith("}\n")
    assert '\n  "in_words": "a boot of 1 s",\n' in text


@pytest.mark.parametrize(
    ("part", "instead", "message"),
    [
        ('"boot_s": 1.0', '"boot_s": "soon"', "boot_s`"),
        ('"boot_s": 1.0', '"boot_s": -1.0', "boot_s of a memory shape"),
        ('"next-version"', '"surprise"', "'surprise'"),
        ('"schedule"', '"timetable"', "field `schedule`"),
        ('"retries": 3', '"retries": null', "how many health checks"),
    ],
)
def test_a_damaged_file_is_bad_usage(tmp_path: Path, part: str, instead: str, message: str) -> None:
    path = keep(kept(), tmp_path)
    text = path.read_text()
    assert part in text
    path.write_text(text.replace(part, instead))
    with pytest.raises(UsageError, match=f"{path} is no schedule: .*{message}"):
        read_kept(path)


@pytest.mark.parametrize("length", [0, 1, 300])
def test_one_that_ends_too_early_as_well(tmp_path: Path, length: int) -> None:
    path = keep(kept(), tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(UsageError, match=r"is no schedule: Input data was truncated"):
        read_kept(path)


def test_bytes_that_are_no_text_are_no_schedule(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b'{"scenario": "\xff"}')
    with pytest.raises(UsageError, match=r"x\.json is no schedule"):
        read_kept(path)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no schedule at .*x\.json: No such file"):
        read_kept(tmp_path / "x.json")
    with pytest.raises(UsageError, match="Is a directory"):
        read_kept(tmp_path)


# As a scenario.


def test_as_a_scenario_it_says_all_that_it_varies() -> None:
    scenario = FULL.scenario(DISCOURSE, guard=True)
    assert (scenario.memory, scenario.timing, scenario.policy) == (
        FULL.memory,
        FULL.timing,
        FULL.policy,
    )
    assert scenario.pressure == FULL.pressure
    assert scenario.wrong_stamp == FULL.wrong_stamp
    assert scenario.faults == {HEAD_IMAGE: Fault.CRASHES}
    assert scenario.acts == tuple(Act(after_s=m.after_s, what=m.what) for m in FULL.operations)
    assert (scenario.recipe, scenario.base) == (DISCOURSE.subject.recipe, DISCOURSE.subject.base)
    assert FULL.id in scenario.name


def test_a_head_of_labels_alone_is_another_commit() -> None:
    usual, labels = (
        but(FULL, change=change).scenario(DISCOURSE, guard=True)
        for change in (Change.IMAGE, Change.LABELS)
    )
    assert (usual.head, labels.head) == (None, DISCOURSE.labels_only)
    assert but(usual, name="", title="", head=None) == but(labels, name="", title="", head=None)


def test_what_came_before_and_how_the_deployer_lies_are_the_scenarios_too() -> None:
    schedule = but(
        FULL, earlier=(Redeploy(),), reports_expected_stamp=True, head_replicas=0, refused=True
    )
    scenario = schedule.scenario(DISCOURSE, guard=True)
    assert (scenario.earlier, scenario.reports_expected_stamp, scenario.head_replicas) == (
        (Redeploy(),),
        True,
        0,
    )
    assert scenario.refused


def test_to_lose_sight_is_an_act_like_another() -> None:
    blind = but(FULL, blind_after_s=3.5)
    usual, acts = (schedule.scenario(DISCOURSE, guard=True).acts for schedule in (FULL, blind))
    assert acts == (*usual, Act(after_s=3.5, what=LoseSight()))


def test_no_run_is_failed_for_want_of_time() -> None:
    scenario = FULL.scenario(DISCOURSE, guard=True)
    assert scenario.timeout_s == FULL.patience_s
    assert scenario.upgrade_timeout_s is None
    slower = but(FULL, memory=but(FULL.memory, boot_s=FULL.memory.boot_s + 1))
    replicas = max(1, FULL.policy.replicas or 1)
    assert slower.patience_s == pytest.approx(FULL.patience_s + 2 * replicas)
    doubled = but(FULL, policy=but(FULL.policy, replicas=2 * replicas))
    assert doubled.patience_s > FULL.patience_s + replicas * FULL.timing.health_interval_s


def test_who_says_nothing_of_the_engines_times_is_waited_for_all_the_same() -> None:
    silent = but(FULL, timing=but(FULL.timing, monitor_s=None, stop_grace_s=None))
    none = but(FULL, timing=but(FULL.timing, monitor_s=0.0, stop_grace_s=0.0))
    assert silent.patience_s > none.patience_s


@pytest.mark.parametrize("guard", [True, False])
def test_the_old_harness_alone_reads_hc1_after_a_pause(*, guard: bool) -> None:
    reads = FULL.scenario(DISCOURSE, guard=guard).hc1_reads
    assert [read.pause_s for read in reads] == ([] if guard else [12.5])


def test_the_reference_is_as_plain_as_can_be() -> None:
    scenario = REFERENCE.scenario(DISCOURSE, guard=True)
    assert (scenario.faults, scenario.wrong_stamp, scenario.acts) == ({}, None, ())
    assert scenario.pressure == Ample()


def test_a_schedule_without_retries_could_not_be_written_out() -> None:
    with pytest.raises(UsageError, match="how many health checks may fail"):
        Schedule(memory=REFERENCE.memory, timing=Timing(), policy=REFERENCE.policy)


@pytest.mark.parametrize(
    "what",
    [Restamp(labels={"a": "1"}), Redeploy(), RollBack(), Scale(replicas=0)],
)
def test_every_operation_survives_being_kept(tmp_path: Path, what: Redeploy) -> None:
    schedule = but(REFERENCE, operations=(TimedOperation(after_s=1, what=what),))
    assert read_kept(keep(kept(schedule), tmp_path)).schedule == schedule


@pytest.mark.parametrize("pressure", [Ample(), Squeeze(short_by=0.3), Pulse(after_s=1, for_s=2)])
def test_so_does_every_pressure(tmp_path: Path, pressure: Ample) -> None:
    schedule = but(REFERENCE, pressure=pressure)
    assert read_kept(keep(kept(schedule), tmp_path)).schedule == schedule


def test_what_is_kept_names_a_law_that_there_is() -> None:
    assert kept().law in LAWS
