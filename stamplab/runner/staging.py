"""Plays scenarios, each in a world of its own, and keeps the evidence."""

from __future__ import annotations

import os
import platform
import shlex
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from stamplab.harness.checks.attribution import explain
from stamplab.lab.abra import go_git
from stamplab.lab.abra.driver import AbraProgram, stand_in_name
from stamplab.lab.model.history import History, OverlayWritten, Record, observations
from stamplab.lab.model.history_file import read_history
from stamplab.lab.recipe.source import AcquiredRecipe
from stamplab.lab.recipe.trust import Grant
from stamplab.runner.evidence import (
    EvidenceFolder,
    Manifest,
    checkout_commit,
    console_line,
    stamplab_version,
)
from stamplab.runner.play import play, prepare_setup, tree_of, watch_on
from stamplab.runner.play_record import PlayRecord
from stamplab.runner.worlds import Means, Opening
from stamplab.scenarios.scenario import Scenario

OnProgress = Callable[[str], None]


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """What every play of one command has in common."""

    means: Means
    argv: tuple[str, ...]
    on_progress: OnProgress
    trust: frozenset[Grant] = frozenset()
    """What recipes may have, beyond what all get."""
    abra: AbraProgram | None = None
    """A real abra that deploys, in the place of the stand-in."""


def play_staged(
    scenario: Scenario,
    stage: Stage,
    folder: EvidenceFolder,
    *,
    keep: bool = False,
    watch_s: float = 0.0,
) -> PlayRecord:
    """Play a scenario in a new world; evidence is kept. Raises LabError: the apparatus failed.

    The world is watched for ``watch_s`` more, in which nobody does anything.
    """
    if stage.abra is None:
        go_git.prepare(stage.on_progress)
    folder.write_json("manifest.json", manifest(scenario.name, stage, _options(scenario)))
    stage.on_progress(f"({scenario.name}) {scenario.title}")
    console = folder.path / "console.log"
    with console.open("w", encoding="utf-8") as log:

        def on_record(record: Record) -> None:
            line = console_line(record)
            if line is not None:
                log.write(line + "\n")
                log.flush()
                stage.on_progress(line)

        opening = Opening(
            service=scenario.service,
            keep=keep,
            trust=stage.trust,
            patience=scenario.time_scale,
            on_progress=stage.on_progress,
            on_record=on_record,
        )
        with stage.means.open(folder.path, opening) as (world, scratch):
            setup = prepare_setup(scenario, scratch)
            tree = tree_of(scenario, world, setup, scratch, stage.abra)
            results = play(scenario, world, setup, tree, deployer(stage))
            watch_on(world, world.now_s() + watch_s)
        folder.write("results.json", results.as_json())
        history, _ = read_history(folder.path / "history.jsonl")
        _keep_overlays(history, folder)
        played = PlayRecord(setup.app, results, history, folder.path, scenario.shape)
        if played.attribution is not None and played.attribution.rollback is not None:
            line = f"attribution: {explain(played.attribution)}"
            log.write(line + "\n")
            stage.on_progress(line)
    return played


def deployer(stage: Stage) -> str:
    """Name whose abra deploys."""
    return stage.abra.whose if stage.abra else stand_in_name()


def manifest(name: str, stage: Stage, options: object) -> Manifest:
    """Say what runs with which options (a struct or a dict), on what, and how to run it again."""
    engine = stage.means.engine
    return Manifest(
        scenario=name,
        world=engine.world,
        argv=stage.argv,
        replay=shlex.join(stage.argv),
        started_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        stamplab=stamplab_version(),
        commit=checkout_commit(),
        python=platform.python_version(),
        kernel=platform.release(),
        machine=f"{platform.machine()}, {os.cpu_count()} cores",
        cgroup_version=engine.cgroup_version,
        engine=engine.version,
        engine_source=engine.source,
        abra=deployer(stage),
        options={**msgspec.to_builtins(options), "trust": sorted(stage.trust)},
    )


def _options(scenario: Scenario) -> dict[str, object]:
    """Return a scenario's own choices.

    The recipe's commits are in the repository that it is built into, or was taken from.
    """
    values: dict[str, object] = msgspec.to_builtins(scenario, enc_hook=str)
    recipe = scenario.recipe
    del values["recipe"]
    if isinstance(recipe, AcquiredRecipe):
        values |= {"recipe": recipe.name, "base": recipe.base, "head": recipe.head}
    return values


def _keep_overlays(history: History, folder: EvidenceFolder) -> None:
    """Put what was laid over the recipe into the evidence, as files that one can read."""
    laid = observations(history, OverlayWritten)
    if laid:
        overlays = folder.part("overlays")
        for file in laid:
            overlays.write(f"{file.commit[:12]}-{file.name}", file.text.encode())
