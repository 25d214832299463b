"""Every claim can hold, fail, and be unknown."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from stamplab.claims.discourse import Claim, judge
from stamplab.harness.verdict import Verdict
from stamplab.lab.model.history import (
    ClientProbe,
    ContainerEnded,
    Finding,
    Observation,
    OomKill,
    PolicyRead,
    Record,
    ServiceSeen,
    StageEnd,
    TasksSeen,
)
from stamplab.lab.model.swarm import Service
from stamplab.runner.play_record import PlayRecord
from tests.unit.stamplab.playing import (
    Change,
    tampered,
    with_parts,
    with_upgrade,
    without,
)

ON_PLAY = {"control": "a", "C1": "c", "C3": "b", "C4": "c", "C5": "b", "C7": "d", "C8": "c"}

Plays = dict[str, PlayRecord]


def claim(name: str, play: PlayRecord) -> Claim:
    """One claim, judged on this play."""
    return next(judged for judged in judge({ON_PLAY[name]: play}) if judged.id == name)


def test_all_claims_hold_on_the_incident_played_in_virtual_seconds(played: Plays) -> None:
    claims = judge(played)
    assert [judged.id for judged in claims] == list(ON_PLAY)
    for judged in claims:
        assert judged.verdict is Verdict.PASS, f"{judged.id}: {judged.evidence}"


def test_the_levels_are_the_fields(played: Plays) -> None:
    assert {which: play.results.level for which, play in played.items()} == {
        "a": 2,
        "b": 1,
        "c": 1,
        "d": 2,
    }


@pytest.mark.parametrize("missing", "abcd")
def test_a_missing_play_leaves_only_its_claims_unknown(played: Plays, missing: str) -> None:
    rest: dict[str, PlayRecord | None] = {**played, missing: None}
    for judged in judge(rest):
        is_gone = ON_PLAY[judged.id] == missing
        assert judged.verdict is (Verdict.UNKNOWN if is_gone else Verdict.PASS)
        if is_gone:
            assert judged.evidence == f"play ({missing}) did not come to its end"
            assert judged.where == ""


def test_nothing_played_nothing_known() -> None:
    judged = judge(dict.fromkeys("abcd"))
    assert len(judged) == len(ON_PLAY)
    assert {claim.verdict for claim in judged} == {Verdict.UNKNOWN}


def test_only_the_claims_of_what_was_to_be_played_are_judged(played: Plays) -> None:
    assert [judged.id for judged in judge({"b": played["b"]})] == ["C3", "C5"]


@pytest.mark.parametrize("name", ON_PLAY)
def test_an_empty_history_is_never_a_pass(played: Plays, name: str) -> None:
    assert claim(name, with_parts(played[ON_PLAY[name]], history=[])).verdict is Verdict.UNKNOWN


class Unreadable(list[Record]):
    def __iter__(self) -> Iterator[Record]:
        raise ZeroDivisionError("torn")


@pytest.mark.parametrize("name", ON_PLAY)
def test_a_judge_that_crashes_says_unknown(played: Plays, name: str) -> None:
    play = with_parts(played[ON_PLAY[name]], history=Unreadable())
    judged = claim(name, play)
    assert judged.verdict is Verdict.UNKNOWN
    assert judged.evidence == "the judge crashed: ZeroDivisionError: torn"


@pytest.mark.parametrize("name", ON_PLAY)
def test_a_claim_says_where_its_evidence_lies(played: Plays, name: str) -> None:
    play = played[ON_PLAY[name]]
    assert claim(name, play).where == f"{play.folder.name}/history.jsonl"


@pytest.mark.parametrize("name", ["C3", "C4", "C5", "C8"])
def test_without_pressure_the_incidents_claims_do_not_hold(unpressed: Plays, name: str) -> None:
    assert claim(name, unpressed[ON_PLAY[name]]).verdict is Verdict.FAIL


# C1: the policy.


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("failure_action", "pause"),
        ("failure_action", None),
        ("order", "stop-first"),
        ("order", None),
        ("monitor", "10s"),
        ("start_period", "20s"),
        ("start_period", None),
    ],
)
def test_c1_fails_when_the_policy_is_another(played: Plays, field: str, value: str | None) -> None:
    def change(what: Observation) -> Observation:
        if isinstance(what, PolicyRead):
            return msgspec.structs.replace(what, **{field: value})
        return what

    judged = claim("C1", tampered(played["c"], change))
    assert judged.verdict is Verdict.FAIL
    assert str(value) in judged.evidence


# What was tampered with.


def states(*dropped: str | None) -> Change:
    """Take the sightings of the service in some update states away."""

    def change(what: Observation) -> Observation | None:
        match what:
            case ServiceSeen(service=Service(update_state=state)) if state in dropped:
                return None
        return what

    return change


def without_step(step: str) -> Change:
    """Take the findings of a step away."""
    return lambda what: None if isinstance(what, Finding) and what.step == step else what


def relabelled(state: str, **labels: str) -> Change:
    """Give the service other labels (by the last part of their names) wherever in this state."""

    def change(what: Observation) -> Observation:
        match what:
            case ServiceSeen(service=Service(update_state=now, spec=spec) as service) if (
                now == state
            ):
                changed = {
                    name: labels.get(name.rpartition(".")[2].replace("-", "_"), value)
                    for name, value in spec.labels.items()
                }
                spec = msgspec.structs.replace(spec, labels=changed)
                return msgspec.structs.replace(
                    what, service=msgspec.structs.replace(service, spec=spec)
                )
        return what

    return change


def ruled_otherwise(what: Observation) -> Observation:
    is_ruling = isinstance(what, Finding) and what.outcome == "rolled back"
    return msgspec.structs.replace(what, outcome="timed out") if is_ruling else what


def updating_without_status(what: Observation) -> Observation:
    match what:
        case ServiceSeen(service=Service(update_state="updating") as service):
            cleared = msgspec.structs.replace(service, update_status=None)
            return msgspec.structs.replace(what, service=cleared)
    return what


def without_head(what: Observation) -> Observation | None:
    match what:
        case ServiceSeen(service=Service(update_state=state, previous_spec=previous)):
            return None if previous or state in ("updating", *ROLLBACK) else what
    return what


ROLLBACK = ("rollback_started", "rollback_completed")
FAIL, UNKNOWN = {Verdict.FAIL}, {Verdict.UNKNOWN}
INCIDENT = {
    "no OOM kill": (without(OomKill), FAIL),
    "nobody saw the container end": (without(ContainerEnded), FAIL),
    "the rollback did not end": (states("rollback_completed"), FAIL),
}
CONVERGED = {
    "completed was not the end": (states("completed"), FAIL),
    "the guard did not rule": (without(Finding), UNKNOWN),
    "another stamp": (relabelled("completed", chaos_version="12345678+U"), FAIL),
    "the old version": (relabelled("completed", version="0.7.0+3.3.1"), FAIL),
}
TAMPERED: dict[str, dict[str, tuple[Change, set[Verdict]]]] = {
    "C1": {"the policy was not read": (without(PolicyRead), UNKNOWN)},
    "C3": {
        "updating was never shown": (updating_without_status, FAIL),
        "the spec stays head": (states(*ROLLBACK), FAIL),
        "head was never seen": (without_head, UNKNOWN),
    },
    # C4 and C8 stand on the signature.
    "C4": {
        **INCIDENT,
        "no client asked": (without(ClientProbe), UNKNOWN),
        "the task lists are lost": (without(TasksSeen), {*FAIL, *UNKNOWN}),
    },
    "C8": {
        **INCIDENT,
        "the guard did not rule": (without_step("assert_upgrade_converged"), UNKNOWN),
        "another outcome": (ruled_otherwise, FAIL),
    },
    "C5": {
        "it was not the incident": INCIDENT["no OOM kill"],
        "the stamp was not read twice": (without_step("hc1"), UNKNOWN),
        "health was not read twice": (without_step("wait_healthy"), UNKNOWN),
    },
    "C7": CONVERGED,
    "control": CONVERGED,
}


@pytest.mark.parametrize(
    ("name", "case"), [(name, case) for name, cases in TAMPERED.items() for case in cases]
)
def test_a_claim_does_not_hold_where(played: Plays, name: str, case: str) -> None:
    change, verdicts = TAMPERED[name][case]
    assert claim(name, tampered(played[ON_PLAY[name]], change)).verdict in verdicts


def test_c3_fails_when_head_carried_the_bases_stamp(played: Plays) -> None:
    base, _, _ = played["b"].stamps
    assert base is not None
    play = tampered(played["b"], relabelled("updating", chaos_version=base))
    assert claim("C3", play).verdict is Verdict.FAIL


def test_c3_says_what_was_never_shown(played: Plays) -> None:
    judged = claim("C3", tampered(played["b"], updating_without_status))
    assert judged.evidence.startswith("inspect never showed updating with Spec")


def test_c4_tells_the_cause(played: Plays) -> None:
    evidence = claim("C4", played["c"]).evidence
    assert "was OOM-killed (kernel: task_memcg=/virtual/" in evidence
    assert "before RUNNING" in evidence
    assert "kept serving" in evidence


@pytest.mark.parametrize(("end", "step"), [("fail", "hc1"), ("pass", "assert_upgrade_converged")])
def test_c8_fails_for_another_step_or_end(played: Plays, end: StageEnd, step: str) -> None:
    play = with_upgrade(played["c"], end, "head spec applied then swarm-rolled-back", step)
    assert claim("C8", play).verdict is Verdict.FAIL


# C5: masked.


def flip(step: str, *, passed: bool, which: int) -> Change:
    """Turn the n-th finding of a step."""
    left = [which]

    def change(what: Observation) -> Observation:
        if isinstance(what, Finding) and what.step == step:
            left[0] -= 1
            if left[0] == -1:
                return msgspec.structs.replace(what, passed=passed)
        return what

    return change


@pytest.mark.parametrize(
    ("step", "passed", "which"), [("hc1", False, 0), ("hc1", True, 1), ("wait_healthy", False, 1)]
)
def test_c5_fails_when_one_of_its_faces_is_missing(
    played: Plays, step: str, passed: bool, which: int
) -> None:
    play = tampered(played["b"], flip(step, passed=passed, which=which))
    assert claim("C5", play).verdict is Verdict.FAIL


def test_c5_fails_when_the_old_harness_told_the_truth(played: Plays) -> None:
    honest = with_upgrade(played["b"], "fail", "swarm-rolled-back", "assert_upgrade_converged")
    assert claim("C5", honest).verdict is Verdict.FAIL


# C7 and the control: converged at head.


@pytest.mark.parametrize("name", ["control", "C7"])
def test_converged_at_head_fails_with_the_stages_reason(played: Plays, name: str) -> None:
    judged = claim(name, with_upgrade(played[ON_PLAY[name]], "fail", "swarm-rolled-back"))
    assert (judged.verdict, judged.evidence) == (Verdict.FAIL, "swarm-rolled-back")


@pytest.mark.parametrize("name", ["control", "C7"])
def test_converged_at_head_names_stamp_and_versions(played: Plays, name: str) -> None:
    evidence = claim(name, played[ON_PLAY[name]]).evidence
    assert evidence.startswith("UpdateStatus=completed chaos-version=")
    assert "version=0.7.0+3.3.1→0.9.0+3.5.0" in evidence


def test_a_rolled_back_play_is_not_converged_whatever_its_stage_says(played: Plays) -> None:
    play = with_upgrade(played["c"], "pass")
    assert claim("C7", play).verdict is Verdict.FAIL


# What a play tells.


def test_the_stamps_of_base_head_and_end(played: Plays) -> None:
    base, head, last = played["c"].stamps
    assert base == last
    assert head != base
    assert played["d"].stamps[1] == played["d"].stamps[2] == head


def test_a_play_without_a_history_has_no_stamps(played: Plays) -> None:
    assert with_parts(played["c"], history=[]).stamps == (None, None, None)


def test_a_play_whose_upgrade_was_not_reached_says_so(played: Plays) -> None:
    results = msgspec.structs.replace(played["c"].results, stages=())
    end = with_parts(played["c"], results=results).upgrade
    assert (end.end, end.reason) == ("unknown", "the upgrade stage was not reached")
