"""Runs ``stamplab repro recipe``: the incident's plays with a real recipe's repository."""

from __future__ import annotations

import shlex
from pathlib import Path

import msgspec

from stamplab.claims.discourse import counted_verdicts, judge
from stamplab.claims.plan import plan_of_recipe, subject_of
from stamplab.claims.recipe import ARMED, UNARMED, in_words, is_armed
from stamplab.cli.repro_discourse import Plays, Report, ReproRequest, deployer, play_all
from stamplab.harness.verdict import Verdict, merge
from stamplab.lab.abra.app import STAMPED_SERVICE
from stamplab.lab.errors import UsageError
from stamplab.lab.live.lease import leased_scratch
from stamplab.lab.model.history import PolicyRead
from stamplab.lab.recipe.source import (
    AcquiredRecipe,
    RecipeSource,
    acquire,
    policy_at_head,
    read_at_commit,
)
from stamplab.lab.recipe.trust import demands_of, require_trusted
from stamplab.lab.world import Stack
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.staging import OnProgress, Stage, manifest
from stamplab.runner.worlds import choose
from stamplab.scenarios.discourse.plays import Settings, Subject


class RecipeRequest(ReproRequest, frozen=True, kw_only=True):
    """What ``stamplab repro recipe`` is asked for."""

    source: RecipeSource
    service: str
    settings: Settings


class PreparedRecipe(msgspec.Struct, frozen=True, kw_only=True):
    """A recipe that was read and judged at base and at head."""

    acquired: AcquiredRecipe
    subject: Subject
    policy: PolicyRead
    commands: frozenset[str]


def repro_recipe(request: RecipeRequest, on_progress: OnProgress) -> Report:
    """Play the recipe's upgrade, judge the claims, and write the verdict, whatever fails.

    Raises UsageError or RecipeRefused, with nothing written, where nothing can be played; LabError
    when the apparatus fails: the verdict on disk is then unknown.
    """
    means = choose(request.world, request.engine, on_progress, ["--keep"] if request.keep else [])
    with leased_scratch() as place:
        prepared = prepare(request, place.scratch)
        for note in (*prepared.acquired.notes, in_words(prepared.policy)):
            on_progress(note)
        stage = Stage(
            means=means.with_commands(prepared.commands),
            argv=request.argv,
            on_progress=on_progress,
            trust=request.trust,
        )
        name = "repro-recipe"
        folder = EvidenceFolder.create(request.runs, name)
        folder.write_json("manifest.json", manifest(name, stage, _options(request, prepared)))

        def judge_plays(plays: Plays, note: str) -> Report:
            return report_on(request, prepared, plays, folder, note)

        plan = plan_of_recipe(prepared.subject, prepared.policy, request.settings)
        return play_all(plan, stage, folder, judge_plays, keep=request.keep)


def prepare(request: RecipeRequest, scratch: Path) -> PreparedRecipe:
    """Acquire the recipe, judge its demands, and check that the service can be upgraded.

    Raises UsageError, RecipeRefused, LabError.
    """
    acquired = acquire(request.source, scratch)
    trust = request.trust

    def require_trusted_stack(stack: Stack) -> None:
        require_trusted(demands_of(stack, stack.environment, trust), trust)

    contents = {
        name: read_at_commit(acquired, commit, scratch / f"at-{name}", require_trusted_stack)
        for name, commit in (("base", acquired.base), ("head", acquired.head))
    }
    for name, recipe in contents.items():
        if request.service not in recipe.compose.services:
            services = ", ".join(recipe.compose.services) or "none"
            raise UsageError(
                f"{acquired.name} has no service {request.service!r} at {name}; it has: {services}"
            )
    if request.service != STAMPED_SERVICE:
        raise UsageError(
            f"abra stamps the service {STAMPED_SERVICE!r} alone, so of {request.service!r} no "
            "stamp can tell which commit is deployed: nothing could be judged"
        )
    policy = policy_at_head(acquired, request.service, scratch / "policy")
    return PreparedRecipe(
        acquired=acquired,
        subject=subject_of(acquired, contents["head"].compose, policy),
        policy=policy,
        commands=contents["base"].commands | contents["head"].commands,
    )


def report_on(
    request: RecipeRequest,
    prepared: PreparedRecipe,
    plays: Plays,
    folder: EvidenceFolder,
    note: str,
) -> Report:
    """Judge the plays; ``note`` says why the run was cut short, and is "" for a whole run."""
    first = {key: next(iter(trials), None) for key, trials in plays.items()}
    if is_armed(prepared.policy):
        table, pressed = ARMED, first.get("c")
        reproduced = str(pressed.signature) if pressed else "not played"
    else:
        table = UNARMED
        reproduced = "the recipe's own policy is not armed: there is nothing to reproduce"
    claims = judge(first, {claim[0] for claim in table}, table)
    acquired = prepared.acquired
    return Report(
        verdict=Verdict.UNKNOWN if note else merge(counted_verdicts(claims)),
        reproduced=reproduced,
        claims=claims,
        evidence=str(folder.path),
        replay=shlex.join(request.argv),
        abra=deployer(plays),
        note=note,
        title=f"{acquired.name}: from {acquired.base[:12]} to {acquired.head[:12]}",
    )


def _options(request: RecipeRequest, prepared: PreparedRecipe) -> dict[str, object]:
    acquired = prepared.acquired
    return {
        **msgspec.to_builtins(request.settings),
        "source": request.source,
        "service": request.service,
        "base": acquired.base,
        "head": acquired.head,
        "notes": acquired.notes,
    }
