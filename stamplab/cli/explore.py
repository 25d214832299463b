"""``stamplab explore``: searches the timing of an upgrade for a schedule that breaks a law."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import click
import msgspec
from rich.text import Text

from stamplab.cli.options import json_option, quiet_option, runs_option
from stamplab.invocation import again, ourselves
from stamplab.lab.model.schema import encode_document
from stamplab.render import Screen
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.staging import Stage, manifest
from stamplab.runner.worlds import Virtual, virtual
from stamplab.search.explorable import EXPLORABLE, Ground, explorable_named, ground_of
from stamplab.search.laws import LAWS
from stamplab.search.parallel import Quarry, Quest, search
from stamplab.search.schedule import Kept, keep
from stamplab.search.search import Found
from stamplab.search.trial_text import Moment, sentence, timeline

SCHEDULES = "schedules"
"""Where found schedules are kept, in the folder of all runs."""


class Counterexample(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule that breaks a law, told."""

    found: Found
    sentence: str
    timeline: tuple[Moment, ...]
    kept: str
    """The schedule's id."""
    replay: tuple[str, ...]


class Explored(msgspec.Struct, frozen=True, kw_only=True):
    """What the command came to; verdict.json holds it."""

    quest: Quest
    held: tuple[str, ...]
    """Laws that no schedule of those that were drawn has broken."""
    broken: tuple[Counterexample, ...]
    examples: int
    per_second: float
    outcomes: dict[str, int]
    """What became of the upgrades that were drawn, in truth."""


@click.command()
@click.option(
    "--law",
    "laws",
    type=click.Choice(sorted(LAWS)),
    multiple=True,
    help="The law that is to be broken; may be repeated.  [default: all]",
)
@click.option(
    "--guard",
    type=click.Choice(["on", "off"]),
    default="on",
    show_default=True,
    help="Which harness is on trial: the guarded one, or the pre-fix exhibit.",
)
@click.option(
    "--examples",
    type=click.IntRange(1, 10_000_000),
    default=1000,
    show_default=True,
    help="How many schedules are drawn.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    default=lambda: os.cpu_count() or 1,
    show_default="one a core",
    help="In how many processes.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="What chance begins with.")
@click.option("--from-scratch", is_flag=True, help="Do not try first what is known to break a law.")
@runs_option
@json_option
@quiet_option
@click.argument("scenario", type=click.Choice(sorted(EXPLORABLE)))
def explore(
    *,
    laws: tuple[str, ...],
    guard: str,
    examples: int,
    jobs: int,
    seed: int,
    from_scratch: bool,
    runs: Path,
    as_json: bool,
    quiet: bool,
    scenario: str,
) -> int:
    """Search the timing of a scenario's upgrade for a schedule that breaks a law.

    Hypothesis draws the schedules, the real SwarmKit plays them in virtual time under the harness
    as it is. The first that breaks a law is shrunk to a small one, told, and kept for `stamplab
    replay`. Exit code 0: the laws held in all that were drawn; 1: one was broken.
    """
    screen = Screen(stderr=True, quiet=quiet, highlight=False)
    quest = Quest(
        scenario=scenario,
        laws=laws or tuple(LAWS),
        guard=guard == "on",
        examples=examples,
        jobs=min(jobs, examples),
        seed=seed,
        from_scratch=from_scratch,
    )
    folder = EvidenceFolder.create(runs.absolute(), f"explore-{scenario}")
    with screen.status("starting") as status:
        means = virtual(status.update)  # before the workers need it, which say nothing
        stage = Stage(means=means, argv=again(), tell=status.update)
        name = f"explore-{scenario}"
        folder.write_json("manifest.json", manifest(name, stage, _options(quest)))
        quarry = search(
            quest, lambda outcomes, took_s: status.update(_progress(quest, outcomes, took_s))
        )
    explored = _explored(quest, quarry, means, folder, runs)
    folder.write_json("verdict.json", explored)
    if as_json:
        click.echo(encode_document(explored), nl=False)
    else:
        show(explored, folder.path)
    return 1 if explored.broken else 0


def _options(quest: Quest) -> dict[str, object]:
    options: dict[str, object] = msgspec.to_builtins(quest)
    return options


def _progress(quest: Quest, outcomes: Mapping[str, int], took_s: float) -> Text:
    tried = sum(outcomes.values())
    rate = tried / took_s if took_s else 0.0
    return Text(f"{tried} of {quest.examples} schedules, {rate:.0f}/s; {shares(outcomes)}")


def shares(outcomes: Mapping[str, int]) -> str:
    """What became of the upgrades that were drawn, most frequent first."""
    tried = sum(outcomes.values())
    found = Counter(outcomes).most_common()
    return ", ".join(f"{count / tried:.0%} {outcome}" for outcome, count in found)


def _explored(
    quest: Quest, quarry: Quarry, means: Virtual, folder: EvidenceFolder, runs: Path
) -> Explored:
    broken: tuple[Counterexample, ...] = ()
    if quarry.found:
        with ground_of(explorable_named(quest.scenario), means) as ground:
            found = quarry.found
            broken = tuple(_counterexample(one, quest, ground, folder, runs) for one in found)
    names = {one.law for one in quarry.found}
    return Explored(
        quest=quest,
        held=tuple(law for law in quest.laws if law not in names),
        broken=broken,
        examples=quarry.examples,
        per_second=round(quarry.per_second, 1),
        outcomes=quarry.outcomes,
    )


def _counterexample(
    found: Found, quest: Quest, ground: Ground, folder: EvidenceFolder, runs: Path
) -> Counterexample:
    """Tell a find, and keep it for a replay."""
    trial = ground.play(found.schedule, guard=quest.guard)
    said = sentence(trial, found.broken)
    kept = Kept(
        scenario=quest.scenario,
        law=found.law,
        guard=quest.guard,
        broken=found.broken,
        in_words=said,
        schedule=found.schedule,
    )
    keep(kept, runs.absolute() / SCHEDULES)
    folder.part(found.law).write("history.jsonl", trial.as_jsonl())
    again = (ourselves(), "replay", "--runs", str(runs.absolute()), found.schedule.id)
    replay = shlex.join(again)
    return Counterexample(
        found=found,
        sentence=said,
        timeline=timeline(trial),
        kept=found.schedule.id,
        replay=(replay, f"{replay} --world live"),
    )


def show(explored: Explored, folder: Path) -> None:
    """Print what was found."""
    click.echo(
        f"{explored.examples} schedules ({explored.per_second:.0f}/s): {shares(explored.outcomes)}"
    )
    for law in explored.held:
        click.echo(f"held: {law} ({LAWS[law].says})")
    for counterexample in explored.broken:
        _show(counterexample)
    click.echo(f"evidence: {folder}")


def _show(told: Counterexample) -> None:
    found = told.found
    where = f"after {found.after_examples} schedules" if found.after_examples else "known before"
    click.echo(f"BROKEN: {found.law} ({LAWS[found.law].says}), {where}, and {found.shrunk_by} more")
    if not found.repeatable:
        click.echo("not repeatable: the same schedule ended otherwise when it was played again")
    click.echo(f"\n  {told.sentence}\n\n  seconds since head was applied:")
    for moment in told.timeline:
        click.echo(f"    {moment.at_s:8.3f}  {moment.what}")
    click.echo("\n  play it again:")
    for line in told.replay:
        click.echo(f"    {line}")
