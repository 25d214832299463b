"""Every tooth bites, can fail to, and is unknown without evidence."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from stamplab.claims.negative_controls import ORDERS, Tooth, bite, claim, teeth
from stamplab.harness.ci import hc1
from stamplab.harness.verdict import Verdict
from stamplab.lab.errors import LabError
from stamplab.lab.faults.stamp import Planted, stamp_of
from stamplab.lab.model.history import Finding, Note, Observation, OomKill, ServiceSeen, StageEnd
from stamplab.lab.recipe import upstream
from stamplab.lab.recipe.upstream import Commit, RecipeHistory
from stamplab.lab.recipe.workload_overlay import Fault
from stamplab.runner.play_record import PlayRecord
from stamplab.scenarios.discourse import plays
from stamplab.scenarios.discourse.recipe import HEAD_IMAGE
from stamplab.scenarios.discourse.shapes import GUARD, HC1
from tests.unit.harness.fake_world import FakeWorld, comes_up, is_oom_killed, is_refused
from tests.unit.harness.run_context import Repositories, build_repositories
from tests.unit.stamplab.playing import play_fake, tampered, with_parts, with_upgrade, without

TEETH = {tooth.name: tooth for tooth in teeth(plays.Settings())}
PLANTED = [name for name in TEETH if name.startswith("planted-")]
BROKEN = [name for name in TEETH if name not in PLANTED]


@pytest.fixture(scope="session")
def tried(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PlayRecord]:
    return {
        name: play_fake(tooth.scenario, tmp_path_factory.mktemp(name))
        for name, tooth in TEETH.items()
    }


@pytest.fixture(scope="session")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> Repositories:
    return build_repositories(tmp_path_factory.mktemp("recipe"))


def test_all_that_was_asked_for_is_there() -> None:
    assert [TEETH[name].scenario.planted for name in PLANTED] == list(Planted)
    broken = [TEETH[name].scenario for name in BROKEN]
    asked = [(one.faults[HEAD_IMAGE], one.policy.order) for one in broken]
    assert asked == [
        (fault, order)
        for fault in (Fault.CRASHES, Fault.ABSENT, Fault.NEVER_HEALTHY)
        for order in ORDERS
    ]
    assert {TEETH[name].step for name in PLANTED} == {HC1}
    assert {TEETH[name].step for name in BROKEN} == {GUARD}


@pytest.mark.parametrize("name", TEETH)
def test_a_tooth_bites(tried: dict[str, PlayRecord], name: str) -> None:
    found = bite(TEETH[name], tried[name])
    assert (found.verdict, found.wrong, found.end) == (Verdict.PASS, "", "fail")
    assert found.where == f"{tried[name].folder.name}/history.jsonl"


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_stamp_converges_and_is_failed_by_hc1(
    tried: dict[str, PlayRecord], name: str
) -> None:
    play = tried[name]
    assert [finding.passed for finding in play.findings(GUARD)] == [True]
    (read,) = play.findings(HC1)
    assert read.text == play.upgrade.reason
    assert play.stamps[2] in read.text if play.stamps[2] else False
    assert play.signature.verdict is Verdict.FAIL
    said = [record.what.text for record in play.history if isinstance(record.what, Note)]
    assert any(text.startswith("planted stamp: ") for text in said)
    assert any("the stamp is planted" in text for text in said)


@pytest.mark.parametrize("kind", Planted)
def test_every_planted_stamp_is_wrong_in_its_own_way(
    repositories: Repositories, kind: Planted
) -> None:
    head, base = repositories.head, TEETH[PLANTED[0]].scenario.base
    stamps = {each: stamp_of(each, repositories.mirror, head=head, base=base) for each in Planted}
    assert hc1.check(stamps[kind], head, is_dirty=True) is not None
    assert list(stamps.values()).count(stamps[kind]) == 1
    assert stamps[kind] != f"{head[:8]}+U"


def test_a_recipe_with_no_release_besides_the_base_has_no_tags_stamp(tmp_path: Path) -> None:
    (sha,) = upstream.build(
        RecipeHistory(name="x", commits=(Commit(message="x", files={"x": ""}, tag="1.0.0"),)),
        tmp_path,
    )
    with pytest.raises(LabError, match=r"has no release besides 1\.0\.0: no tag's stamp can be"):
        stamp_of(Planted.A_TAG, tmp_path, head=sha, base="1.0.0")


@pytest.mark.parametrize("name", ["crashes-start-first", "absent-stop-first"])
def test_a_broken_head_is_rolled_back_and_says_what_its_task_died_of(
    tried: dict[str, PlayRecord], name: str
) -> None:
    sentence = tried[name].upgrade.reason
    assert "failed the update monitor (" in sentence
    assert tried[name].findings(HC1) == []


@pytest.mark.parametrize("order", ORDERS)
def test_a_head_that_is_never_healthy_ends_at_the_guards_own_bound(
    tried: dict[str, PlayRecord], order: str
) -> None:
    name = f"never-healthy-{order}"
    play = tried[name]
    assert TEETH[name].scenario.upgrade_timeout_s == plays.PATIENCE_S
    assert "0 of 1 tasks of the new spec run, update state updating; task " in play.upgrade.reason


# Every tooth can fail.


@pytest.mark.parametrize("name", TEETH)
def test_an_upgrade_that_passes_is_wrong(tried: dict[str, PlayRecord], name: str) -> None:
    found = bite(TEETH[name], with_upgrade(tried[name], "pass"))
    assert (found.verdict, found.wrong) == (Verdict.FAIL, "the upgrade passed")


@pytest.mark.parametrize("name", TEETH)
def test_the_other_steps_failure_is_wrong(tried: dict[str, PlayRecord], name: str) -> None:
    def change(what: Observation) -> Observation:
        if isinstance(what, Finding) and what.step in (HC1, GUARD):
            return msgspec.structs.replace(what, passed=not what.passed)
        return what

    found = bite(TEETH[name], tampered(tried[name], change))
    assert found.verdict is Verdict.FAIL
    assert "it was failed by" in found.wrong


@pytest.mark.parametrize("name", TEETH)
def test_another_reason_is_wrong(tried: dict[str, PlayRecord], name: str) -> None:
    found = bite(TEETH[name], with_upgrade(tried[name], "fail", "something else"))
    assert found.verdict is Verdict.FAIL
    assert "its sentence does not say" in found.wrong


def test_hc1_must_not_speak_of_a_rollback(tried: dict[str, PlayRecord]) -> None:
    tooth = TEETH["planted-stale"]
    said = f"{tried[tooth.name].upgrade.reason}; swarm-rolled-back"
    found = bite(tooth, with_upgrade(tried[tooth.name], "fail", said))
    assert (found.verdict, found.wrong) == (Verdict.FAIL, "its sentence says 'roll'")


def test_hc1_must_blame_the_stamp_that_is_deployed(tried: dict[str, PlayRecord]) -> None:
    tooth = TEETH["planted-stale"]
    other = tried["planted-truncated"].upgrade.reason
    found = bite(tooth, with_upgrade(tried[tooth.name], "fail", other))
    assert found.verdict is Verdict.FAIL
    assert found.wrong.startswith("HC1 blames another stamp than the deployed '")


def test_the_guard_must_not_blame_the_checkout(tried: dict[str, PlayRecord]) -> None:
    tooth = TEETH["crashes-stop-first"]
    said = f"re-checkout failed: {tried[tooth.name].upgrade.reason}"
    assert bite(tooth, with_upgrade(tried[tooth.name], "fail", said)).verdict is Verdict.FAIL


@pytest.mark.parametrize("name", [PLANTED[0], BROKEN[0]])
def test_the_incident_itself_is_no_tooth(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    scenario = msgspec.structs.replace(TEETH[name].scenario, faults={})
    world = FakeWorld(comes_up, is_oom_killed)
    play = play_fake(scenario, tmp_path_factory.mktemp("oom"), world)
    found = bite(TEETH[name], play)
    assert found.verdict is Verdict.FAIL


def test_an_oom_kill_in_a_crash_is_wrong(tried: dict[str, PlayRecord]) -> None:
    tooth = TEETH["crashes-start-first"]
    play = tried[tooth.name]
    assert play.attribution is not None
    assert play.attribution.failure is not None
    container = play.attribution.failure.container_id or ""
    oom = OomKill(
        container_id=container,
        cgroup=f"/x/{container}",
        limited_cgroup="/x",
        pid=1,
        process="stampload",
        anon_rss_bytes=1,
        usage_bytes=None,
        limit_bytes=None,
        lines=(),
    )
    record = msgspec.structs.replace(play.history[0], what=oom)
    found = bite(tooth, with_parts(play, history=[record, *play.history]))
    assert (found.verdict, found.wrong) == (Verdict.FAIL, "an OOM kill is in it")


# And be unknown.


@pytest.mark.parametrize("name", TEETH)
@pytest.mark.parametrize("end", ["unknown", "skipped"])
def test_an_upgrade_that_did_not_end_is_unknown(
    tried: dict[str, PlayRecord], name: str, end: StageEnd
) -> None:
    assert bite(TEETH[name], with_upgrade(tried[name], end)).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("name", TEETH)
@pytest.mark.parametrize("kind", [Finding, ServiceSeen])
def test_missing_evidence_is_unknown(
    tried: dict[str, PlayRecord], name: str, kind: type[Observation]
) -> None:
    found = bite(TEETH[name], tampered(tried[name], without(kind)))
    assert (found.verdict, found.wrong) == (Verdict.UNKNOWN, "the guard did not rule")


def test_a_refused_install_is_unknown(tmp_path_factory: pytest.TempPathFactory) -> None:
    tooth = TEETH[PLANTED[0]]
    play = play_fake(tooth.scenario, tmp_path_factory.mktemp("refused"), FakeWorld(is_refused))
    assert bite(tooth, play).verdict is Verdict.UNKNOWN


def test_a_judge_that_crashes_says_unknown(tried: dict[str, PlayRecord]) -> None:
    class Unreadable(PlayRecord):
        def findings(self, step: str) -> list[Finding]:
            raise ZeroDivisionError(step)

    tooth = TEETH[PLANTED[0]]
    play = tried[tooth.name]
    torn = Unreadable(play.app, play.results, play.history, play.folder, play.declared_shape)
    found = bite(tooth, torn)
    assert (found.verdict, found.wrong.split(":")[0]) == (Verdict.UNKNOWN, "the judge crashed")


def bites(tried: dict[str, PlayRecord], **missing: PlayRecord | None) -> tuple[Verdict | None, str]:
    changed = {name.replace("_", "-"): play for name, play in missing.items()}
    found = claim(tuple(bite(TEETH[name], {**tried, **changed}[name]) for name in TEETH))
    assert found.id == "C9"
    return found.verdict, found.evidence


def test_c9_joins_them(tried: dict[str, PlayRecord]) -> None:
    assert bites(tried) == (Verdict.PASS, "11 of 11 failed as they should")
    passed = with_upgrade(tried["planted-stale"], "pass")
    assert bites(tried, planted_stale=passed) == (
        Verdict.FAIL,
        "10 of 11 failed as they should; planted-stale: the upgrade passed",
    )
    assert bites(tried, planted_stale=None) == (
        Verdict.UNKNOWN,
        "10 of 11 failed as they should; planted-stale: not played",
    )


def test_teeth_are_made_of_the_settings() -> None:
    fast: tuple[Tooth, ...] = teeth(plays.Settings(fast=True, memory_scale=0.5))
    for tooth in fast:
        assert tooth.scenario.timing == plays.FAST_TIMING
        assert tooth.scenario.memory == plays.Settings(fast=True, memory_scale=0.5).memory
