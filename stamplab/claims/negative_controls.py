"""C9: what must still fail, and of what: planted wrong stamps by HC1, broken heads by the guard.

A negative control is a value: the scenario, and how its upgrade has to fail. Judging is pure; what
is missing makes unknown.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from stamplab.claims.discourse import Claim
from stamplab.harness.checks.shape import GUARD, HC1
from stamplab.harness.ci.results import StageResult
from stamplab.harness.verdict import Verdict, merge
from stamplab.lab.faults.memory_pressure import Ample
from stamplab.lab.faults.stamp import WrongStamp
from stamplab.lab.recipe.workload_overlay import Fault
from stamplab.runner.play_record import PlayRecord
from stamplab.scenarios.discourse import shapes
from stamplab.scenarios.discourse.plays import AMPLE, Settings, scenario
from stamplab.scenarios.discourse.recipe import HEAD_IMAGE
from stamplab.scenarios.scenario import Scenario

ORDERS = ("start-first", "stop-first")


# A fault is made where it really arises (ADR 0013).
class NegativeControl(msgspec.Struct, frozen=True, kw_only=True):
    """One upgrade that must fail, by one step of the harness, and in which words."""

    name: str
    broken: str
    """What is wrong with it, for a person."""
    scenario: Scenario
    step: str
    """The step that must fail it: the other one must not."""
    must_say: tuple[str, ...]
    """What its sentence must hold: here the sentence itself is on trial, as a person reads it."""
    must_not_say: tuple[str, ...] = ()
    """What its sentence must not hold."""


class ControlResult(msgspec.Struct, frozen=True, kw_only=True):
    """How the upgrade of one negative control ended, and whether that is how it should."""

    name: str
    broken: str
    order: str
    end: str
    sentence: str
    verdict: Verdict
    wrong: str = ""
    """What is not as it should be."""
    where: str = ""


def negative_controls(settings: Settings) -> tuple[NegativeControl, ...]:
    """Return all eleven: five wrong stamps, and three broken heads under both orders."""
    return (
        *(_with_wrong_stamp(settings, kind) for kind in WrongStamp),
        *(_broken(settings, fault, order) for fault in _WORDS for order in ORDERS),
    )


def _with_wrong_stamp(settings: Settings, kind: WrongStamp) -> NegativeControl:
    name = f"planted-{kind.name.lower().replace('_', '-')}"
    return NegativeControl(
        name=name,
        broken=f"planted stamp: {kind}",
        scenario=scenario(
            name,
            f"a wrong stamp is planted: {kind}",
            settings,
            order="start-first",
            pressure=Ample(),
            control=AMPLE,
            wrong_stamp=kind,
            shape=shapes.with_wrong_stamp(kind),
        ),
        step=HC1,
        must_say=("chaos commit", "not the intended PR-head", "(HC1)"),
        must_not_say=("roll", "monitor"),
    )


_WORDS: Mapping[Fault, tuple[str, ...]] = {
    Fault.CRASHES: ("head spec applied then swarm-rolled-back", "non-zero exit (1)"),
    Fault.ABSENT: ("head spec applied then swarm-rolled-back", "No such image"),
    Fault.NEVER_HEALTHY: ("not converged by the deadline", "state updating", "is starting"),
}


def _broken(settings: Settings, fault: Fault, order: str) -> NegativeControl:
    name = f"{fault.name.lower().replace('_', '-')}-{order}"
    return NegativeControl(
        name=name,
        broken=f"broken head: {fault}",
        scenario=scenario(
            name,
            f"a broken head ({fault}), {order}",
            settings,
            order=order,
            pressure=Ample(),
            control=AMPLE,
            faults={HEAD_IMAGE: fault},
            upgrade_timeout_s=settings.patience_s if fault is Fault.NEVER_HEALTHY else None,
            shape=shapes.broken(fault, order),
        ),
        step=GUARD,
        must_say=_WORDS[fault],
        must_not_say=("HC1", "re-checkout"),
    )


def judge_negative_control(control: NegativeControl, played: PlayRecord | None) -> ControlResult:
    """Judge how the upgrade of one negative control ended."""
    upgrade = StageResult(stage="upgrade", end="unknown", reason="not played")
    verdict, wrong = Verdict.UNKNOWN, "not played"
    if played is not None:
        upgrade, (verdict, wrong) = played.upgrade, _judge(control, played)
    return ControlResult(
        name=control.name,
        broken=control.broken,
        order=control.scenario.policy.order or "the recipe's own",
        end=upgrade.end,
        sentence=upgrade.reason,
        verdict=verdict,
        wrong=wrong,
        where="" if played is None else f"{played.folder.name}/history.jsonl",
    )


def _judge(control: NegativeControl, played: PlayRecord) -> tuple[Verdict, str]:
    try:
        end, sentence = played.upgrade.end, played.upgrade.reason
        if end not in ("pass", "fail"):
            return Verdict.UNKNOWN, f"the upgrade ended as {end}"
        if played.attribution is None or not played.findings(GUARD):
            return Verdict.UNKNOWN, "the guard did not rule"
        wrong = _wrong(control, played, end, sentence)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not look like a verdict
        return Verdict.UNKNOWN, f"the judge crashed: {type(error).__name__}: {error}"
    return (Verdict.FAIL, wrong) if wrong else (Verdict.PASS, "")


def _wrong(control: NegativeControl, played: PlayRecord, end: str, sentence: str) -> str:
    """Say what is not as it should be; empty when all is."""
    if end != "fail":
        return "the upgrade passed"
    failed_by = [step for step in (GUARD, HC1) if any(not f.passed for f in played.findings(step))]
    if failed_by != [control.step]:
        return f"it was failed by {' and '.join(failed_by) or 'neither'}, not by {control.step}"
    missing = [words for words in control.must_say if words not in sentence]
    if missing:
        return f"its sentence does not say {missing[0]!r} (seen: {sentence})"
    wrong = [words for words in control.must_not_say if words in sentence]
    if wrong:
        return f"its sentence says {wrong[0]!r}"
    deployed = played.stamps[2]
    if control.step == HC1 and repr(deployed) not in sentence:
        return f"HC1 blames another stamp than the deployed {deployed!r}"
    failure = played.attribution.failure if played.attribution else None
    return "an OOM kill is in it" if failure is not None and failure.oom_kill is not None else ""


def claim(control_results: tuple[ControlResult, ...]) -> Claim:
    """C9 as one claim: every negative control fails as it should."""
    as_it_should = sum(result.verdict is Verdict.PASS for result in control_results)
    others = [
        f"{result.name}: {result.wrong}"
        for result in control_results
        if result.verdict is not Verdict.PASS
    ]
    return Claim(
        id="C9",
        text="a wrong stamp and an undeployable head still fail, each for its own reason",
        verdict=merge(result.verdict for result in control_results),
        evidence="; ".join(
            [f"{as_it_should} of {len(control_results)} failed as they should", *others]
        ),
        where="planted-*/, crashes-*/, absent-*/, never-healthy-*/",
    )
