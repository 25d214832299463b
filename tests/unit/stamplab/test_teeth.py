"""Every tooth bites, can fail to, and is unknown without evidence."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from stamplab.claims.negative_controls import (
    ORDERS,
    ControlResult,
    claim,
    judge_negative_control,
    negative_controls,
)
from stamplab.harness.checks.shape import GUARD, HC1
from stamplab.harness.ci import hc1
from stamplab.harness.ci.policy import Policy
from stamplab.harness.verdict import Verdict
from stamplab.lab.errors import LabError
from stamplab.lab.faults.memory_pressure import Squeeze
from stamplab.lab.faults.stamp import WrongStamp, stamp_of
from stamplab.lab.model.history import Finding, Note, Observation, ServiceSeen, StageEnd
from stamplab.lab.recipe.repository import RecipeCommit, RecipeHistory, build_repository
from stamplab.lab.recipe.workload_overlay import Fault
from stamplab.runner.play_record import PlayRecord
from stamplab.runner.worlds import Virtual
from stamplab.scenarios.discourse import plays
from stamplab.scenarios.discourse.recipe import HEAD_IMAGE
from tests.builders import oom_kill
from tests.unit.harness.ci_runs import Repositories
from tests.unit.stamplab.playing import (
    play_virtual,
    tampered,
    with_parts,
    with_upgrade,
    without,
)

CONTROLS_CLAIM = {control.name: control for control in negative_controls(plays.Settings())}
PLANTED = [name for name in CONTROLS_CLAIM if name.startswith("planted-")]
BROKEN = [name for name in CONTROLS_CLAIM if name not in PLANTED]


@pytest.fixture(scope="session")
def tried(virtual: Virtual, tmp_path_factory: pytest.TempPathFactory) -> dict[str, PlayRecord]:
    return {
        name: play_virtual(control.scenario, virtual, tmp_path_factory.mktemp(name))
        for name, control in CONTROLS_CLAIM.items()
    }


def judged(name: str, play: PlayRecord | None) -> ControlResult:
    return judge_negative_control(CONTROLS_CLAIM[name], play)


def test_all_that_was_asked_for_is_there() -> None:
    assert [CONTROLS_CLAIM[name].scenario.wrong_stamp for name in PLANTED] == list(WrongStamp)
    broken = [CONTROLS_CLAIM[name].scenario for name in BROKEN]
    asked = [(result.faults[HEAD_IMAGE], result.policy.order) for result in broken]
    assert asked == [
        (fault, order)
        for fault in (Fault.CRASHES, Fault.ABSENT, Fault.NEVER_HEALTHY)
        for order in ORDERS
    ]
    assert {CONTROLS_CLAIM[name].step for name in PLANTED} == {HC1}
    assert {CONTROLS_CLAIM[name].step for name in BROKEN} == {GUARD}


@pytest.mark.parametrize("name", CONTROLS_CLAIM)
def test_a_tooth_bites(tried: dict[str, PlayRecord], name: str) -> None:
    result = judged(name, tried[name])
    assert (result.verdict, result.wrong, result.end) == (Verdict.PASS, "", "fail")
    assert result.where == f"{tried[name].folder.name}/history.jsonl"


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_stamp_is_failed_by_hc1(tried: dict[str, PlayRecord], name: str) -> None:
    play = tried[name]
    assert [finding.passed for finding in play.findings(GUARD)] == [True]
    (read,) = play.findings(HC1)
    assert read.text == play.upgrade.reason
    assert play.stamps[2] in read.text if play.stamps[2] else False
    assert play.signature.verdict is Verdict.FAIL
    text = [record.what.text for record in play.history if isinstance(record.what, Note)]
    assert any(text.startswith("planted stamp: ") for text in text)
    assert any("the stamp is planted" in text for text in text)


@pytest.mark.parametrize("kind", WrongStamp)
def test_planted_stamps_are_wrong_and_differ(repositories: Repositories, kind: WrongStamp) -> None:
    head, base = repositories.head, CONTROLS_CLAIM[PLANTED[0]].scenario.base
    stamps = {
        each: stamp_of(each, repositories.mirror, head=head, base=base) for each in WrongStamp
    }
    assert hc1.check(stamps[kind], head, is_dirty=True) is not None
    assert list(stamps.values()).count(stamps[kind]) == 1
    assert stamps[kind] != f"{head[:8]}+U"


def test_a_recipe_with_no_release_besides_the_base_has_no_tags_stamp(tmp_path: Path) -> None:
    (sha,) = build_repository(
        RecipeHistory(name="x", commits=(RecipeCommit(message="x", files={"x": ""}, tag="1.0.0"),)),
        tmp_path,
    )
    with pytest.raises(LabError, match=r"has no release besides 1\.0\.0: no tag's stamp can be"):
        stamp_of(WrongStamp.A_TAG, tmp_path, head=sha, base="1.0.0")


@pytest.mark.parametrize("name", ["crashes-start-first", "absent-stop-first"])
def test_a_broken_head_says_what_its_task_died_of(tried: dict[str, PlayRecord], name: str) -> None:
    sentence = tried[name].upgrade.reason
    assert "failed the update monitor (" in sentence
    assert tried[name].findings(HC1) == []


@pytest.mark.parametrize("order", ORDERS)
def test_a_never_healthy_head_ends_at_the_bound(tried: dict[str, PlayRecord], order: str) -> None:
    name = f"never-healthy-{order}"
    play = tried[name]
    assert CONTROLS_CLAIM[name].scenario.upgrade_timeout_s == plays.PATIENCE_S
    assert "0 of 1 tasks of the new spec run, update state updating; task " in play.upgrade.reason


# Every tooth can fail.


@pytest.mark.parametrize("name", CONTROLS_CLAIM)
def test_an_upgrade_that_passes_is_wrong(tried: dict[str, PlayRecord], name: str) -> None:
    result = judged(name, with_upgrade(tried[name], "pass"))
    assert (result.verdict, result.wrong) == (Verdict.FAIL, "the upgrade passed")


@pytest.mark.parametrize("name", CONTROLS_CLAIM)
def test_the_other_steps_failure_is_wrong(tried: dict[str, PlayRecord], name: str) -> None:
    def change(what: Observation) -> Observation:
        if isinstance(what, Finding) and what.step in (HC1, GUARD):
            return msgspec.structs.replace(what, passed=not what.passed)
        return what

    result = judged(name, tampered(tried[name], change))
    assert result.verdict is Verdict.FAIL
    assert "it was failed by" in result.wrong


@pytest.mark.parametrize("name", CONTROLS_CLAIM)
def test_another_reason_is_wrong(tried: dict[str, PlayRecord], name: str) -> None:
    result = judged(name, with_upgrade(tried[name], "fail", "something else"))
    assert result.verdict is Verdict.FAIL
    assert "its sentence does not say" in result.wrong


def test_hc1_must_not_speak_of_a_rollback(tried: dict[str, PlayRecord]) -> None:
    play = tried["planted-stale"]
    text = f"{play.upgrade.reason}; swarm-rolled-back"
    result = judged("planted-stale", with_upgrade(play, "fail", text))
    assert (result.verdict, result.wrong) == (Verdict.FAIL, "its sentence says 'roll'")


def test_hc1_must_blame_the_stamp_that_is_deployed(tried: dict[str, PlayRecord]) -> None:
    other = tried["planted-truncated"].upgrade.reason
    result = judged("planted-stale", with_upgrade(tried["planted-stale"], "fail", other))
    assert result.verdict is Verdict.FAIL
    assert result.wrong.startswith("HC1 blames another stamp than the deployed '")


def test_the_guard_must_not_blame_the_checkout(tried: dict[str, PlayRecord]) -> None:
    play = tried["crashes-stop-first"]
    text = f"re-checkout failed: {play.upgrade.reason}"
    result = judged("crashes-stop-first", with_upgrade(play, "fail", text))
    assert result.verdict is Verdict.FAIL


@pytest.mark.parametrize("name", [PLANTED[0], BROKEN[0]])
def test_the_incident_itself_is_no_tooth(virtual: Virtual, tmp_path: Path, name: str) -> None:
    scenario = CONTROLS_CLAIM[name].scenario
    incident = msgspec.structs.replace(scenario, faults={}, pressure=Squeeze())
    play = play_virtual(incident, virtual, tmp_path)
    assert play.attribution is not None
    assert play.attribution.failure is not None
    assert play.attribution.failure.is_oom
    result = judged(name, play)
    assert result.verdict is Verdict.FAIL


def test_an_oom_kill_in_a_crash_is_wrong(tried: dict[str, PlayRecord]) -> None:
    play = tried["crashes-start-first"]
    assert play.attribution is not None
    assert play.attribution.failure is not None
    kill = msgspec.structs.replace(
        oom_kill("new"), container_id=play.attribution.failure.container_id or ""
    )
    record = msgspec.structs.replace(play.history[0], what=kill)
    result = judged("crashes-start-first", with_parts(play, history=[record, *play.history]))
    assert (result.verdict, result.wrong) == (Verdict.FAIL, "an OOM kill is in it")


# And be unknown.


@pytest.mark.parametrize("name", CONTROLS_CLAIM)
@pytest.mark.parametrize("end", ["unknown", "skipped"])
def test_no_end_is_unknown(tried: dict[str, PlayRecord], name: str, end: StageEnd) -> None:
    assert judged(name, with_upgrade(tried[name], end)).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("name", CONTROLS_CLAIM)
@pytest.mark.parametrize("kind", [Finding, ServiceSeen])
def test_missing_evidence_is_unknown(
    tried: dict[str, PlayRecord], name: str, kind: type[Observation]
) -> None:
    result = judged(name, tampered(tried[name], without(kind)))
    assert (result.verdict, result.wrong) == (Verdict.UNKNOWN, "the guard did not rule")


def test_a_refused_install_is_unknown(virtual: Virtual, tmp_path: Path) -> None:
    control = CONTROLS_CLAIM[PLANTED[0]]
    refused = msgspec.structs.replace(control.scenario, policy=Policy(max_failure_ratio=2))
    play = play_virtual(refused, virtual, tmp_path)
    assert judge_negative_control(control, play).verdict is Verdict.UNKNOWN


def test_a_judge_that_crashes_says_unknown(tried: dict[str, PlayRecord]) -> None:
    class Unreadable(PlayRecord, frozen=True):
        def findings(self, step: str) -> list[Finding]:
            raise ZeroDivisionError(step)

    play = tried[PLANTED[0]]
    torn = Unreadable(play.app, play.results, play.history, play.folder, play.declared_shape)
    result = judged(PLANTED[0], torn)
    assert (result.verdict, result.wrong.split(":")[0]) == (Verdict.UNKNOWN, "the judge crashed")


def control_results(
    tried: dict[str, PlayRecord], **missing: PlayRecord | None
) -> tuple[Verdict | None, str]:
    changed = {name.replace("_", "-"): play for name, play in missing.items()}
    result = claim(tuple(judged(name, {**tried, **changed}[name]) for name in CONTROLS_CLAIM))
    assert result.id == "C9"
    return result.verdict, result.evidence


def test_c9_joins_them(tried: dict[str, PlayRecord]) -> None:
    assert control_results(tried) == (Verdict.PASS, "11 of 11 failed as they should")
    passed = with_upgrade(tried["planted-stale"], "pass")
    assert control_results(tried, planted_stale=passed) == (
        Verdict.FAIL,
        "10 of 11 failed as they should; planted-stale: the upgrade passed",
    )
    assert control_results(tried, planted_stale=None) == (
        Verdict.UNKNOWN,
        "10 of 11 failed as they should; planted-stale: not played",
    )


def test_teeth_are_made_of_the_settings() -> None:
    fast = plays.Settings(fast=True, memory_scale=0.5)
    for control in negative_controls(fast):
        assert control.scenario.timing == plays.FAST_TIMING
        assert control.scenario.memory == fast.memory
