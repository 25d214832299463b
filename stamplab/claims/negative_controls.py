"""C9: what must still fail, and of what: planted wrong stamps by HC1, broken heads by the guard.

A tooth is a value: the scenario, and how its upgrade has to fail. Judging is pure; what is missing
makes unknown.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from stamplab.claims.discourse import Claim
from stamplab.harness.ci.results import StageResult
from stamplab.harness.verdict import Verdict, merge
from stamplab.lab.faults.memory_pressure import Ample
from stamplab.lab.faults.stamp import Planted
from stamplab.lab.recipe.workload_overlay import Fault
from stamplab.runner.play_record import PlayRecord
from stamplab.scenarios.discourse import shapes
from stamplab.scenarios.discourse.plays import Settings, scenario
from stamplab.scenarios.discourse.recipe import HEAD_IMAGE
from stamplab.scenarios.discourse.shapes import GUARD, HC1
from stamplab.scenarios.scenario import Scenario

ORDERS = ("start-first", "stop-first")


# A fault is made where it really arises (ADR 0013).
class Tooth(msgspec.Struct, frozen=True, kw_only=True):
    """One upgrade that must fail, by one step of the harness, and in which words."""

    name: str
    broken: str
    """What is wrong with it, for a person."""
    scenario: Scenario
    step: str
    """The step that must fail it: the other one must not."""
    words: tuple[str, ...]
    """What its sentence must hold: here the sentence itself is on trial, as a person reads it."""
    unsaid: tuple[str, ...] = ()
    """What its sentence must not hold."""


class Bite(msgspec.Struct, frozen=True, kw_only=True):
    """How one tooth's upgrade ended, and whether that is how it should."""

    name: str
    broken: str
    order: str
    end: str
    sentence: str
    verdict: Verdict
    wrong: str = ""
    """What is not as it should be."""
    where: str = ""


def teeth(settings: Settings) -> tuple[Tooth, ...]:
    """All of them: five planted stamps, and three broken heads under both orders."""
    return (
        *(_planted(settings, kind) for kind in Planted),
        *(_broken(settings, fault, order) for fault in _WORDS for order in ORDERS),
    )


def _planted(settings: Settings, kind: Planted) -> Tooth:
    name = f"planted-{kind.name.lower().replace('_', '-')}"
    return Tooth(
        name=name,
        broken=f"planted stamp: {kind}",
        scenario=scenario(
            name,
            f"a wrong stamp is planted: {kind}",
            settings,
            order="start-first",
            pressure=Ample(),
            guard=True,
            planted=kind,
            shape=shapes.planted(kind),
        ),
        step=HC1,
        words=("chaos commit", "not the intended PR-head", "(HC1)"),
        unsaid=("roll", "monitor"),
    )


_WORDS: Mapping[Fault, tuple[str, ...]] = {
    Fault.CRASHES: ("head spec applied then swarm-rolled-back", "non-zero exit (1)"),
    Fault.ABSENT: ("head spec applied then swarm-rolled-back", "No such image"),
    Fault.NEVER_HEALTHY: ("not converged by the deadline", "state updating", "is starting"),
}


def _broken(settings: Settings, fault: Fault, order: str) -> Tooth:
    name = f"{fault.name.lower().replace('_', '-')}-{order}"
    return Tooth(
        name=name,
        broken=f"broken head: {fault}",
        scenario=scenario(
            name,
            f"a broken head ({fault}), {order}",
            settings,
            order=order,
            pressure=Ample(),
            guard=True,
            faults={HEAD_IMAGE: fault},
            upgrade_timeout_s=settings.patience_s if fault is Fault.NEVER_HEALTHY else None,
            shape=shapes.broken(fault, order),
        ),
        step=GUARD,
        words=_WORDS[fault],
        unsaid=("HC1", "re-checkout"),
    )


def bite(tooth: Tooth, played: PlayRecord | None) -> Bite:
    """Judge how one tooth's upgrade ended."""
    upgrade = StageResult(stage="upgrade", end="unknown", reason="not played")
    verdict, wrong = Verdict.UNKNOWN, "not played"
    if played is not None:
        upgrade, (verdict, wrong) = played.upgrade, _judge(tooth, played)
    return Bite(
        name=tooth.name,
        broken=tooth.broken,
        order=tooth.scenario.policy.order or "the recipe's own",
        end=upgrade.end,
        sentence=upgrade.reason,
        verdict=verdict,
        wrong=wrong,
        where="" if played is None else f"{played.folder.name}/history.jsonl",
    )


def _judge(tooth: Tooth, played: PlayRecord) -> tuple[Verdict, str]:
    try:
        end, sentence = played.upgrade.end, played.upgrade.reason
        if end not in ("pass", "fail"):
            return Verdict.UNKNOWN, f"the upgrade ended as {end}"
        if played.attribution is None or not played.findings(GUARD):
            return Verdict.UNKNOWN, "the guard did not rule"
        wrong = _wrong(tooth, played, end, sentence)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not look like a verdict
        return Verdict.UNKNOWN, f"the judge crashed: {type(error).__name__}: {error}"
    return (Verdict.FAIL, wrong) if wrong else (Verdict.PASS, "")


def _wrong(tooth: Tooth, played: PlayRecord, end: str, sentence: str) -> str:
    """Say what is not as it should be; empty when all is."""
    if end != "fail":
        return "the upgrade passed"
    failed_by = [step for step in (GUARD, HC1) if any(not f.passed for f in played.findings(step))]
    if failed_by != [tooth.step]:
        return f"it was failed by {' and '.join(failed_by) or 'neither'}, not by {tooth.step}"
    unsaid = [words for words in tooth.words if words not in sentence]
    if unsaid:
        return f"its sentence does not say {unsaid[0]!r} (seen: {sentence})"
    said = [words for words in tooth.unsaid if words in sentence]
    if said:
        return f"its sentence says {said[0]!r}"
    deployed = played.stamps[2]
    if tooth.step == HC1 and repr(deployed) not in sentence:
        return f"HC1 blames another stamp than the deployed {deployed!r}"
    failure = played.attribution.failure if played.attribution else None
    return "an OOM kill is in it" if failure is not None and failure.oom_kill is not None else ""


def claim(bites: tuple[Bite, ...]) -> Claim:
    """C9 as one claim: every tooth bites."""
    as_it_should = sum(one.verdict is Verdict.PASS for one in bites)
    others = [f"{one.name}: {one.wrong}" for one in bites if one.verdict is not Verdict.PASS]
    return Claim(
        id="C9",
        text="a wrong stamp and an undeployable head still fail, each for its own reason",
        verdict=merge(one.verdict for one in bites),
        evidence="; ".join([f"{as_it_should} of {len(bites)} failed as they should", *others]),
        where="planted-*/, crashes-*/, absent-*/, never-healthy-*/",
    )
