"""``stamplab repro discourse``: the report's incident, played, judged and fixed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import msgspec

from harness.checks.wilson import Proportion
from harness.evidence import EvidenceFolder
from harness.verdict import Verdict, merge
from lab.errors import LabError
from lab.live.lab import prepare
from scenarios.discourse import plays
from scenarios.discourse.claims import Claim, converged_at_head, judge
from scenarios.live import Stage, Tell, play_live
from scenarios.played import Played
from scenarios.scenario import Scenario


class Trials(msgspec.Struct, frozen=True, kw_only=True):
    """How often a repeated play came out as claimed."""

    what: str
    proportion: Proportion
    lacking: tuple[str, ...] = ()
    """Why the others did not, one entry a trial."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of the whole command; verdict.json holds it."""

    verdict: Verdict
    reproduced: str
    """Whether the incident was, and which part of its signature is missing if not."""
    claims: tuple[Claim, ...]
    trials: tuple[Trials, ...]
    evidence: str
    replay: str
    """The command that does the same again."""
    abra: str
    note: str = ""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asked for."""

    settings: plays.Settings
    runs: Path
    argv: tuple[str, ...]
    trials: int = 1
    engine: Path | None = None
    keep: bool = False


def repro_discourse(request: Request, tell: Tell) -> Report:
    """Play (a) to (d), judge the claims, and write the verdict down, also when something fails.

    Raises LabError when the apparatus fails: then the verdict on disk is unknown, and says why.
    """
    stage = Stage(apparatus=prepare(request.engine), argv=request.argv, tell=tell)
    folder = EvidenceFolder.create(request.runs, "repro-discourse")
    tell(f"evidence: {folder.path}")
    played: dict[str, list[Played]] = {}
    note = "interrupted"
    try:
        for which, name, scenario, is_last in _programme(request):
            part = folder.part(name)
            keep = request.keep and is_last
            one = play_live(scenario, stage, part, keep=keep)
            played.setdefault(which, []).append(one)
            part.write_json("verdict.json", one.signature)
        note = ""
    except LabError as error:
        note = f"the apparatus failed: {error}"
        raise
    finally:
        report = _report(played, folder, shlex.join(request.argv), note)
        folder.write_json("verdict.json", report)
    return report


def _programme(request: Request) -> Iterator[tuple[str, str, Scenario, bool]]:
    """What is played, in order: key, folder name, scenario, and whether it is the last."""
    settings = request.settings
    yield "a", "a-ample", plays.ample(settings), False
    for trial in range(1, request.trials + 1):
        suffix = "" if request.trials == 1 else f"-{trial:03}"
        if request.trials == 1 or trial % 2:
            yield "b", f"b-guard-off{suffix}", plays.misattributed(settings), False
        if request.trials == 1 or not trial % 2:
            yield "c", f"c-guard-on{suffix}", plays.honest(settings), False
        is_last = trial == request.trials
        yield "d", f"d-stop-first{suffix}", plays.fixed(settings), is_last


def _report(
    played: dict[str, list[Played]], folder: EvidenceFolder, replay: str, note: str
) -> Report:
    claims = judge({which: trials[0] for which, trials in played.items()})
    pressed = [*played.get("b", []), *played.get("c", [])]
    trials = _trials(pressed, played.get("d", []))
    verdicts = [claim.verdict for claim in claims]
    verdicts += [Verdict.FAIL for repeated in trials if repeated.lacking]
    return Report(
        verdict=Verdict.UNKNOWN if note else merge(verdicts),
        reproduced=str(pressed[0].signature) if pressed else "not played",
        claims=claims,
        trials=trials,
        evidence=str(folder.path),
        replay=replay,
        abra=next((plays[0].results.abra for plays in played.values()), "not played"),
        note=note,
    )


def _trials(pressed: list[Played], fixed: list[Played]) -> tuple[Trials, ...]:
    """Count repeated plays: reproduced by signature, and converged at head."""
    if len(fixed) < 2:
        return ()
    lacking = [str(p.signature) for p in pressed if p.signature.verdict is not Verdict.PASS]
    unfixed = [found.evidence for p in fixed if not (found := converged_at_head(p)).holds]
    return (
        _count("reproduced by signature under start-first", len(pressed), lacking),
        _count("converged at head under stop-first", len(fixed), unfixed),
    )


def _count(what: str, trials: int, lacking: list[str]) -> Trials:
    proportion = Proportion(successes=trials - len(lacking), trials=trials)
    return Trials(what=what, proportion=proportion, lacking=tuple(lacking))
