"""``stamplab replay``: plays a schedule that was found once more, in virtual time or live."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from stamplab.cli.explore import SCHEDULES
from stamplab.cli.options import engine_option, json_option, quiet_option, runs_option, world_option
from stamplab.harness.checks.upgrade_truth import upgrade_observed
from stamplab.invocation import command_line
from stamplab.lab.errors import UsageError
from stamplab.render import print_result, progress_printer
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.staging import Stage, play_staged
from stamplab.runner.worlds import Virtual, Which, choose
from stamplab.search.explorable import EXPLORABLE, explorable_named
from stamplab.search.laws import LAWS, law_named
from stamplab.search.schedule import Explorable, Kept, read_kept
from stamplab.search.trial import AFTERWARDS_S, Trial
from stamplab.search.trial_text import Moment, timeline


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay came to; verdict.json holds it."""

    verdict: str
    """``broken again`` or ``held``."""
    world: str
    engine: str
    law: str
    was: str
    """In what way the law was broken when the schedule was found."""
    broken: str
    """In what way it was broken now; empty where it held."""
    end: str
    reason: str
    timeline: tuple[Moment, ...]
    evidence: str


@click.command()
@world_option
@engine_option
@runs_option
@json_option
@quiet_option
@click.argument("id_")
def replay(
    *, world: Which, engine: Path | None, runs: Path, as_json: bool, quiet: bool, id_: str
) -> int:
    """Play a schedule again that `stamplab explore` has found; ID is its name, or a file.

    Exit code 0: it breaks its law again, and in the same way; 1: it does not.
    """
    on_progress = progress_printer(quiet=quiet)
    kept = _kept(id_, runs.absolute())
    on_progress(kept.in_words)
    stage = Stage(
        means=choose(world, engine, on_progress), argv=command_line(), on_progress=on_progress
    )
    folder = EvidenceFolder.create(runs.absolute(), f"replay-{kept.schedule.id}")
    replayed = play_again(kept, stage, folder)
    folder.write_json("verdict.json", replayed)
    print_result(replayed, lambda: _show(replayed), folder.path, as_json=as_json)
    return 0 if replayed.broken else 1


def play_again(kept: Kept, stage: Stage, folder: EvidenceFolder) -> Replayed:
    """Play a kept schedule on a stage and ask its law. Raises LabError."""
    explorable = explorable_named(kept.scenario)
    trial = _trial(kept, explorable, _under_its_conditions(stage, kept), folder)
    broken = law_named(kept.law).check(trial) or ""
    engine = stage.means.engine
    return Replayed(
        verdict="broken again" if broken else "held",
        world=engine.world,
        engine=engine.version,
        law=kept.law,
        was=kept.broken,
        broken=broken,
        end=trial.end,
        reason=trial.reason,
        timeline=timeline(trial),
        evidence=str(folder.path),
    )


def _under_its_conditions(stage: Stage, kept: Kept) -> Stage:
    means = stage.means
    if isinstance(means, Virtual):
        means = msgspec.structs.replace(means, conditions=kept.schedule.conditions)
    return msgspec.structs.replace(stage, means=means)


def _trial(kept: Kept, explorable: Explorable, stage: Stage, folder: EvidenceFolder) -> Trial:
    scenario = kept.schedule.scenario(explorable, guard=kept.guard)
    hold_s = max(kept.schedule.timing.monitor_s or 0.0, (kept.schedule.policy.delay_s or 0) + 1)
    played = play_staged(scenario, stage, folder, watch_s=hold_s + AFTERWARDS_S)
    truth = upgrade_observed(played.history, played.app.service)
    return Trial(kept.schedule, played.app, played.results, played.history, truth, played.ended_s)


def _kept(id_: str, runs: Path) -> Kept:
    """Return the schedule, if there are its law and its scenario. Raises UsageError."""
    kept = read_kept(_find(id_, runs))
    law_named(kept.law)
    explorable_named(kept.scenario)
    return kept


def _find(id_: str, runs: Path) -> Path:
    """Return the file of a schedule. Raises UsageError where there is none."""
    if Path(id_).is_file():
        return Path(id_)
    name = f"{id_}.json"
    known = [
        path
        for explorable in EXPLORABLE.values()
        for law in LAWS
        for path in explorable.known_for(law)
    ]
    places = [runs / SCHEDULES / name, *(path for path in known if path.name == name)]
    files = [place for place in places if place.is_file()]
    if not files:
        raise UsageError(
            f"no schedule {id_!r} is kept in {runs / SCHEDULES}, and none is known by that name"
        )
    return files[0]


def _show(replayed: Replayed) -> None:
    click.echo("seconds since head was applied:")
    for moment in replayed.timeline:
        click.echo(f"  {moment.at_s:8.3f}  {moment.what}")
    click.echo(f"\nupgrade: {replayed.end}{f': {replayed.reason}' if replayed.reason else ''}")
    outcome = replayed.broken or "it held"
    click.echo(f"{replayed.law} ({replayed.world}, {replayed.engine}): {outcome}")
