"""``stamplab repro discourse``: the report's incident, played, judged and fixed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Literal

import msgspec

from harness.checks.wilson import Proportion
from harness.evidence import EvidenceFolder
from harness.verdict import Verdict, merge
from lab.errors import LabError
from lab.live.lab import prepare
from scenarios.discourse import plays
from scenarios.discourse.claims import Claim, converged_at_head, judge
from scenarios.live import Stage, Tell, manifest, play_live
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
    guard: Literal["on", "off", "both"] = "both"
    """Which harness is put on trial: the guarded one, the pre-fix exhibit, or both."""
    engine: Path | None = None
    keep: bool = False


def repro_discourse(request: Request, tell: Tell) -> Report:
    """Play (a) to (d), judge the claims, and write the verdict down, also when something fails.

    Raises LabError when the apparatus fails: then the verdict on disk is unknown, and says why.
    """
    stage = Stage(apparatus=prepare(request.engine), argv=request.argv, tell=tell)
    folder = EvidenceFolder.create(request.runs, "repro-discourse")
    folder.write_json("manifest.json", manifest("repro-discourse", stage, _options(request)))
    tell(f"evidence: {folder.path}")
    programme = programme_of(request)
    played: dict[str, list[Played]] = {key: [] for key, _, _ in programme}
    note = "interrupted"
    try:
        for number, (key, name, scenario) in enumerate(programme, start=1):
            part = folder.part(name)
            keep = request.keep and number == len(programme)
            one = play_live(scenario, stage, part, keep=keep)
            played[key].append(one)
            part.write_json("verdict.json", one.signature)
        note = ""
    except LabError as error:
        note = f"the apparatus failed: {error}"
        raise
    finally:
        report = report_on(played, folder, shlex.join(request.argv), note)
        folder.write_json("verdict.json", report)
    return report


def _options(request: Request) -> dict[str, object]:
    return {
        "settings": msgspec.to_builtins(request.settings),
        "trials": request.trials,
        "guard": request.guard,
    }


def programme_of(request: Request) -> list[tuple[str, str, Scenario]]:
    """What is played, in order: key, folder name, scenario.

    One trial plays both harnesses under pressure; of more, each second one is the pre-fix
    harness's.
    """
    settings = request.settings
    programme = [("a", "a-ample", plays.ample(settings))]
    for trial in range(1, request.trials + 1):
        suffix = "" if request.trials == 1 else f"-{trial:03}"
        is_only = request.trials == 1 or request.guard != "both"
        if is_only or trial % 2:
            programme.append(("b", f"b-guard-off{suffix}", plays.misattributed(settings)))
        if is_only or not trial % 2:
            programme.append(("c", f"c-guard-on{suffix}", plays.honest(settings)))
        programme.append(("d", f"d-stop-first{suffix}", plays.fixed(settings)))
    return [play for play in programme if play[0] in _KEYS[request.guard]]


_KEYS = {"on": "acd", "off": "b", "both": "abcd"}


def report_on(
    played: dict[str, list[Played]], folder: EvidenceFolder, replay: str, note: str
) -> Report:
    """Judge what was played; ``note`` says why the run did not come to its end, if it did not."""
    claims = judge({key: next(iter(trials), None) for key, trials in played.items()})
    pressed = [*played.get("b", []), *played.get("c", [])]
    is_repeated = any(len(trials) > 1 for trials in played.values())
    trials = _trials(pressed, played.get("d", [])) if is_repeated else ()
    verdicts = [claim.verdict for claim in claims]
    verdicts += [Verdict.FAIL for repeated in trials if repeated.lacking]
    return Report(
        verdict=Verdict.UNKNOWN if note else merge(verdicts),
        reproduced=str(pressed[0].signature) if pressed else "not played",
        claims=claims,
        trials=trials,
        evidence=str(folder.path),
        replay=replay,
        abra=next((one.results.abra for trials in played.values() for one in trials), "nobody"),
        note=note,
    )


def _trials(pressed: list[Played], fixed: list[Played]) -> tuple[Trials, ...]:
    """Count repeated plays: reproduced by signature, and converged at head."""
    lacking = [str(p.signature) for p in pressed if p.signature.verdict is not Verdict.PASS]
    unfixed = [found.evidence for p in fixed if not (found := converged_at_head(p)).holds]
    counts = (
        _count("reproduced by signature under start-first", len(pressed), lacking),
        _count("converged at head under stop-first", len(fixed), unfixed),
    )
    return tuple(count for count in counts if count.proportion.trials > 0)


def _count(what: str, trials: int, lacking: list[str]) -> Trials:
    proportion = Proportion(successes=trials - len(lacking), trials=trials)
    return Trials(what=what, proportion=proportion, lacking=tuple(lacking))
