"""``stamplab repro discourse``: the report's incident, played, judged and fixed."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from stamplab.claims.discourse import Claim, converged_at_head, counted_verdicts, judge
from stamplab.claims.negative_controls import ControlResult, judge_negative_control
from stamplab.claims.negative_controls import claim as claim_of
from stamplab.claims.offline_claims import judge_offline, require_possible
from stamplab.claims.plan import CLAIMS, Choice, PlannedPlay, plan_of_choice
from stamplab.harness.checks.wilson import Proportion
from stamplab.harness.verdict import Verdict, merge
from stamplab.lab.abra import go_git
from stamplab.lab.abra.driver import find_abra
from stamplab.lab.errors import LabError, RecipeRefused
from stamplab.lab.recipe.trust import Grant
from stamplab.parity.shape_reader import compare_shapes
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.play_record import PlayRecord
from stamplab.runner.staging import OnProgress, Stage, manifest, play_staged
from stamplab.runner.worlds import Which, choose


class Trials(msgspec.Struct, frozen=True, kw_only=True):
    """How often a repeated play came out as claimed."""

    what: str
    proportion: Proportion
    lacking: tuple[str, ...] = ()
    """Why the others did not, one entry a trial."""


Plays = Mapping[str, list[PlayRecord]]
"""What was played, by the programme's keys."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of the whole command; verdict.json holds it."""

    verdict: Verdict
    reproduced: str
    """Whether the incident was, and which part of its signature is missing if not."""
    claims: tuple[Claim, ...]
    negative_controls: tuple[ControlResult, ...] = ()
    trials: tuple[Trials, ...] = ()
    evidence: str
    replay: str
    """The command that does the same again."""
    abra: str
    note: str = ""
    title: str = "discourse: the report's claims"


class ReproRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for by either command of ``stamplab repro``."""

    runs: Path
    argv: tuple[str, ...]
    engine: Path | None = None
    keep: bool = False
    trust: frozenset[Grant] = frozenset()
    world: Which = "live"


class Request(ReproRequest, frozen=True, kw_only=True):
    """What ``stamplab repro discourse`` is asked for."""

    choice: Choice
    abra: Path | None = None
    """A real abra, which then deploys in all plays."""


def repro_discourse(request: Request, on_progress: OnProgress) -> Report:
    """Play what was chosen, judge the claims, and write the verdict down, whatever fails.

    Raises LabError when the apparatus fails or the recipe is refused: then the verdict on disk is
    unknown, and says why. Raises NotPossibleHere when nothing that was asked for can be shown.
    """
    plan = plan_of_choice(request.choice)
    require_possible(request.choice.claims)
    program = find_abra(request.abra)
    live_only = {"--keep": request.keep, "--abra": request.abra}
    means = choose(
        request.world, request.engine, on_progress, [name for name in live_only if live_only[name]]
    )
    if request.abra is None:
        go_git.prepare(on_progress)
    stage = Stage(
        means=means,
        argv=request.argv,
        on_progress=on_progress,
        trust=request.trust,
        abra=program if request.abra else None,
    )
    folder = EvidenceFolder.create(request.runs, "repro-discourse")
    folder.write_json("manifest.json", manifest("repro-discourse", stage, request.choice))
    replay = shlex.join(request.argv)
    offline: list[Claim] = []

    def judged(played: Plays, note: str) -> Report:
        return report_on(request.choice, played, folder, replay, note, offline)

    def before() -> None:
        offline.extend(judge_offline(request.choice.claims, program, folder.path))

    return play_all(plan, stage, folder, judged, keep=request.keep, before=before)


def play_all(
    plan: Sequence[PlannedPlay],
    stage: Stage,
    folder: EvidenceFolder,
    judged: Callable[[Plays, str], Report],
    *,
    keep: bool,
    before: Callable[[], None] = lambda: None,
) -> Report:
    """Play a programme and write the verdict down, whatever fails; ``keep`` leaves the last lab up.

    ``before`` is what is done first.
    It is written down from the first moment on, as unknown, for nothing can be after a
    ``kill -9``. Raises LabError.
    """
    stage.on_progress(f"evidence: {folder.path}")
    played: dict[str, list[PlayRecord]] = {entry.key: [] for entry in plan}
    note = "interrupted: the run did not come to its end"
    folder.write_json("verdict.json", judged(played, note))
    try:
        before()
        for number, entry in enumerate(plan, start=1):
            part = folder.part(entry.folder)
            is_last = number == len(plan)
            play = play_staged(entry.scenario, stage, part, keep=keep and is_last)
            played[entry.key].append(play)
            part.write_json("verdict.json", play.signature)
            part.write_json("shape.json", compare_shapes(play))
        note = ""
    except RecipeRefused as refusal:
        note = str(refusal)
        raise
    except LabError as error:
        note = f"the apparatus failed: {error}"
        raise
    finally:
        report = judged(played, note)
        folder.write_json("verdict.json", report)
    return report


def report_on(
    choice: Choice,
    played: Plays,
    folder: EvidenceFolder,
    replay: str,
    note: str,
    offline: Sequence[Claim] = (),
) -> Report:
    """Judge what was played, and add what needed no play (``offline``).

    ``note`` says why the run did not come to its end, if it did not.
    """
    first = {key: next(iter(trials), None) for key, trials in played.items()}
    control_results = tuple(
        judge_negative_control(control, first.get(control.name))
        for control in choice.negative_controls
    )
    claims = judge(first, choice.claims)
    if control_results:
        claims = (*claims, claim_of(control_results))
    claims = tuple(sorted((*claims, *offline), key=lambda claim: CLAIMS.index(claim.id)))
    pressed = [*played.get("b", []), *played.get("c", [])]
    trials = _trials(pressed, played.get("d", [])) if choice.trials > 1 else ()
    verdicts = [*counted_verdicts(claims)]
    verdicts += [Verdict.FAIL for repeated in trials if repeated.lacking]
    return Report(
        verdict=Verdict.UNKNOWN if note else merge(verdicts),
        reproduced=str(pressed[0].signature) if pressed else "not played",
        claims=claims,
        negative_controls=control_results,
        trials=trials,
        evidence=str(folder.path),
        replay=replay,
        abra=deployer(played),
        note=note,
    )


def deployer(played: Plays) -> str:
    """Whose abra deployed what was played."""
    return next((play.results.abra for trials in played.values() for play in trials), "nobody")


def _trials(pressed: list[PlayRecord], fixed: list[PlayRecord]) -> tuple[Trials, ...]:
    """Count repeated plays: reproduced by signature, and converged at head."""
    lacking = [str(p.signature) for p in pressed if p.signature.verdict is not Verdict.PASS]
    unconverged = [result.evidence for result in map(converged_at_head, fixed) if not result.holds]
    counts = (
        _count("reproduced by signature under start-first", len(pressed), lacking),
        _count("converged at head under stop-first", len(fixed), unconverged),
    )
    return tuple(count for count in counts if count.proportion.trials > 0)


def _count(what: str, trials: int, lacking: list[str]) -> Trials:
    proportion = Proportion(successes=trials - len(lacking), trials=trials)
    return Trials(what=what, proportion=proportion, lacking=tuple(lacking))
