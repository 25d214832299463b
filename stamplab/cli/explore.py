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
from stamplab.invocation import command_line, program_path
from stamplab.lab.abra import go_git
from stamplab.render import Screen, print_result
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.staging import Stage, manifest
from stamplab.runner.worlds import Virtual, virtual
from stamplab.search.explorable import EXPLORABLE, SchedulePlayer, explorable_named, schedule_player
from stamplab.search.laws import LAWS
from stamplab.search.parallel import SearchRequest, SearchResult, search
from stamplab.search.schedule import Kept, keep
from stamplab.search.search import BrokenLaw
from stamplab.search.trial_text import Moment, sentence, timeline

SCHEDULES = "schedules"
"""Where found schedules are kept, in the folder of all runs."""


class Counterexample(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule that breaks a law, and how it does."""

    broken_law: BrokenLaw = msgspec.field(name="found")
    sentence: str
    timeline: tuple[Moment, ...]
    kept: str
    """The schedule's id."""
    replay: tuple[str, ...]


class Explored(msgspec.Struct, frozen=True, kw_only=True):
    """What the command came to; verdict.json holds it."""

    request: SearchRequest = msgspec.field(name="quest")
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
    request = SearchRequest(
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
        go_git.prepare(status.update)
        stage = Stage(means=means, argv=command_line(), on_progress=status.update)
        name = f"explore-{scenario}"
        folder.write_json("manifest.json", manifest(name, stage, request))
        result = search(
            request, lambda outcomes, took_s: status.update(_progress(request, outcomes, took_s))
        )
    explored = _explored(request, result, means, folder, runs)
    folder.write_json("verdict.json", explored)
    print_result(explored, lambda: _show(explored), folder.path, as_json=as_json)
    return 1 if explored.broken else 0


def _progress(request: SearchRequest, outcomes: Mapping[str, int], took_s: float) -> Text:
    tried = sum(outcomes.values())
    rate = tried / took_s if took_s else 0.0
    return Text(f"{tried} of {request.examples} schedules, {rate:.0f}/s; {shares(outcomes)}")


def shares(outcomes: Mapping[str, int]) -> str:
    """Return what became of the upgrades that were drawn, most frequent first."""
    total = sum(outcomes.values())
    counts = Counter(outcomes).most_common()
    return ", ".join(f"{count / total:.0%} {outcome}" for outcome, count in counts)


def _explored(
    request: SearchRequest, result: SearchResult, means: Virtual, folder: EvidenceFolder, runs: Path
) -> Explored:
    broken: tuple[Counterexample, ...] = ()
    if result.broken:
        with schedule_player(explorable_named(request.scenario), means) as player:
            broken = tuple(
                _counterexample(broken_law, request, player, folder, runs)
                for broken_law in result.broken
            )
    names = {broken_law.law for broken_law in result.broken}
    return Explored(
        request=request,
        held=tuple(law for law in request.laws if law not in names),
        broken=broken,
        examples=result.examples,
        per_second=round(result.per_second, 1),
        outcomes=result.outcomes,
    )


def _counterexample(
    broken_law: BrokenLaw,
    request: SearchRequest,
    player: SchedulePlayer,
    folder: EvidenceFolder,
    runs: Path,
) -> Counterexample:
    """Describe a find, and keep it for a replay."""
    trial = player.play(broken_law.schedule, guard=request.guard)
    text = sentence(trial, broken_law.broken)
    kept = Kept(
        scenario=request.scenario,
        law=broken_law.law,
        guard=request.guard,
        broken=broken_law.broken,
        in_words=text,
        schedule=broken_law.schedule,
    )
    keep(kept, runs.absolute() / SCHEDULES)
    folder.part(broken_law.law).write("history.jsonl", trial.as_jsonl())
    argv = (program_path(), "replay", "--runs", str(runs.absolute()), broken_law.schedule.id)
    replay = shlex.join(argv)
    return Counterexample(
        broken_law=broken_law,
        sentence=text,
        timeline=timeline(trial),
        kept=broken_law.schedule.id,
        replay=(replay, f"{replay} --world live"),
    )


def _show(explored: Explored) -> None:
    click.echo(
        f"{explored.examples} schedules ({explored.per_second:.0f}/s): {shares(explored.outcomes)}"
    )
    for law in explored.held:
        click.echo(f"held: {law} ({LAWS[law].says})")
    for counterexample in explored.broken:
        _show_counterexample(counterexample)


def _show_counterexample(counterexample: Counterexample) -> None:
    broken_law = counterexample.broken_law
    where = (
        f"after {broken_law.after_examples} schedules"
        if broken_law.after_examples
        else "known before"
    )
    law = f"{broken_law.law} ({LAWS[broken_law.law].says})"
    click.echo(f"BROKEN: {law}, {where}, and {broken_law.shrunk_by} more")
    if not broken_law.repeatable:
        click.echo("not repeatable: the same schedule ended otherwise when it was played again")
    click.echo(f"\n  {counterexample.sentence}\n\n  seconds since head was applied:")
    for moment in counterexample.timeline:
        click.echo(f"    {moment.at_s:8.3f}  {moment.what}")
    click.echo("\n  play it again:")
    for line in counterexample.replay:
        click.echo(f"    {line}")
