"""``stamplab repro recipe``: the plays of the incident on a real recipe's repository."""

from __future__ import annotations

import shlex
from pathlib import Path

import msgspec

from stamplab.claims.discourse import counted_verdicts, judge
from stamplab.claims.recipe import ARMED, UNARMED, in_words, is_armed
from stamplab.claims.recipe_plan import programme_of, subject_of
from stamplab.cli.repro_discourse import Plays, Report, deployer, play_all
from stamplab.harness.verdict import Verdict, merge
from stamplab.lab.abra.app import STAMPED_SERVICE
from stamplab.lab.errors import UsageError
from stamplab.lab.live.lease import leased_scratch
from stamplab.lab.model.history import PolicyRead
from stamplab.lab.recipe.source import Acquired, RecipeSource, acquire, policy_at_head, read_at
from stamplab.lab.recipe.trust import Grant, demands_of, require_trusted
from stamplab.lab.world import Stack
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.staging import Stage, Tell, manifest
from stamplab.runner.worlds import Which, choose
from stamplab.scenarios.discourse.plays import Settings, Subject


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asked for."""

    source: RecipeSource
    service: str
    settings: Settings
    runs: Path
    argv: tuple[str, ...]
    engine: Path | None = None
    keep: bool = False
    trust: frozenset[Grant] = frozenset()
    world: Which = "live"


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A recipe that was looked at, at base and at head, before any lab."""

    acquired: Acquired
    subject: Subject
    policy: PolicyRead
    commands: frozenset[str]


def repro_recipe(request: Request, tell: Tell) -> Report:
    """Play the recipe's upgrade, judge the claims, and write the verdict down, whatever fails.

    Raises UsageError or RecipeRefused, with nothing written, where there is nothing to play;
    LabError when the apparatus fails, and then the verdict on disk is unknown.
    """
    means = choose(request.world, request.engine, tell, ["--keep"] if request.keep else [])
    with leased_scratch() as place:
        prepared = look_at(request, place.scratch)
        for note in (*prepared.acquired.notes, in_words(prepared.policy)):
            tell(note)
        stage = Stage(
            means=means.with_commands(prepared.commands),
            argv=request.argv,
            tell=tell,
            trust=request.trust,
        )
        name = "repro-recipe"
        folder = EvidenceFolder.create(request.runs, name)
        folder.write_json("manifest.json", manifest(name, stage, _options(request, prepared)))

        def judged(played: Plays, note: str) -> Report:
            return report_on(request, prepared, played, folder, note)

        programme = programme_of(prepared.subject, prepared.policy, request.settings)
        return play_all(programme, stage, folder, judged, keep=request.keep)


def look_at(request: Request, scratch: Path) -> Prepared:
    """Acquire the recipe, judge what it asks for, and see that there is what is to be upgraded.

    Raises UsageError, RecipeRefused, LabError.
    """
    acquired = acquire(request.source, scratch)
    trust = request.trust

    def judge_it(stack: Stack) -> None:
        require_trusted(demands_of(stack, stack.environment, trust), trust)

    readings = {
        name: read_at(acquired, commit, scratch / f"at-{name}", judge_it)
        for name, commit in (("base", acquired.base), ("head", acquired.head))
    }
    for name, reading in readings.items():
        if request.service not in reading.compose.services:
            there = ", ".join(reading.compose.services) or "none"
            raise UsageError(
                f"{acquired.name} has no service {request.service!r} at {name}; it has: {there}"
            )
    _require_stamped(request.service)
    policy = policy_at_head(acquired, request.service, scratch / "policy")
    return Prepared(
        acquired=acquired,
        subject=subject_of(acquired, readings["head"].compose, policy),
        policy=policy,
        commands=readings["base"].commands | readings["head"].commands,
    )


def _require_stamped(service: str) -> None:
    if service != STAMPED_SERVICE:
        raise UsageError(
            f"abra stamps the service {STAMPED_SERVICE!r} alone, so of {service!r} no stamp can "
            "tell which commit is deployed: nothing could be judged"
        )


def report_on(
    request: Request, prepared: Prepared, played: Plays, folder: EvidenceFolder, note: str
) -> Report:
    """Judge what was played; ``note`` says why the run did not come to its end, if it did not."""
    first = {key: next(iter(trials), None) for key, trials in played.items()}
    armed = is_armed(prepared.policy)
    table = ARMED if armed else UNARMED
    claims = judge(first, {claim[0] for claim in table}, table)
    pressed = first.get("c")
    return Report(
        verdict=Verdict.UNKNOWN if note else merge(counted_verdicts(claims)),
        reproduced=_reproduced(armed=armed, signature=str(pressed.signature) if pressed else None),
        claims=claims,
        teeth=(),
        trials=(),
        evidence=str(folder.path),
        replay=shlex.join(request.argv),
        abra=deployer(played),
        note=note,
        title=_title(prepared.acquired),
    )


def _reproduced(*, armed: bool, signature: str | None) -> str:
    if not armed:
        return "the recipe's own policy is not armed: there is nothing to reproduce"
    return signature or "not played"


def _title(acquired: Acquired) -> str:
    return f"{acquired.name}: from {acquired.base[:12]} to {acquired.head[:12]}"


def _options(request: Request, prepared: Prepared) -> dict[str, object]:
    options: dict[str, object] = msgspec.to_builtins(request.settings)
    acquired = prepared.acquired
    return {
        **options,
        "source": msgspec.to_builtins(request.source),
        "service": request.service,
        "base": acquired.base,
        "head": acquired.head,
        "notes": acquired.notes,
    }
