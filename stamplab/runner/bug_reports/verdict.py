"""Judges a play: whether the report was reproduced, and whether the guard was right. Pure."""

from __future__ import annotations

import msgspec

from stamplab.harness.checks.deploy_ground_truth import Fate
from stamplab.harness.checks.shape import Shape, Stamp
from stamplab.harness.guard import Outcome, Ruling
from stamplab.harness.verdict import Verdict
from stamplab.scenarios.bug_reports.report import Entry, Sign
from stamplab.scenarios.bug_reports.timeline import Command, Life, Played, Tried
from stamplab.scenarios.discourse.shapes import GUARD

RIGHT: dict[Fate, frozenset[Outcome]] = {
    Fate.DEPLOYED: frozenset({Outcome.CONVERGED}),
    Fate.FINISHED: frozenset({Outcome.CONVERGED}),
    Fate.DOWN: frozenset({Outcome.STALLED, Outcome.TIMED_OUT}),
    Fate.PAUSED: frozenset({Outcome.PAUSED}),
    Fate.ROLLED_BACK: frozenset({Outcome.ROLLED_BACK}),
    Fate.REPLACED: frozenset({Outcome.SUPERSEDED}),
    Fate.REMOVED: frozenset({Outcome.REMOVED}),
}
"""What a guard may say of each fate."""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What a play comes to."""

    verdict: Verdict
    reproduced: bool
    must: bool
    missing: tuple[str, ...]
    """Parts of the signature that do not hold."""
    unseen: tuple[str, ...]
    """Parts that this world has nothing to see by."""
    wrong: tuple[str, ...]
    """Where the guard was wrong."""
    later: tuple[str, ...]
    """What broke after the guard had rightly ruled, and after the swarm was done with it."""
    differences: tuple[str, ...]
    """In what the history differs from the shape that the entry declares."""


def judge(entry: Entry, played: Played, world: str, engine: str) -> Judged:
    """Hold a play to its entry."""
    told: list[tuple[Sign, bool | None]] = [(one, one.holds(played)) for one in entry.signature]
    missing = tuple(one.text for one, holds in told if holds is False)
    must = entry.must_reproduce(world, engine)
    wrong = tuple(said for tried in played.tried for said in wrong_in(entry, tried))
    differences = entry.shape.differences(shape_of(played)) if entry.shape else ()
    unseen = tuple(one.text for one, holds in told if holds is None)
    # The swarm's part alone may be as it always was where the rest has been mended.
    reproduced = not missing and (must or not unseen)
    as_expected = reproduced == must and not wrong and not differences
    return Judged(
        verdict=Verdict.of(as_expected),
        reproduced=reproduced,
        must=must,
        missing=missing,
        unseen=unseen,
        wrong=wrong,
        later=tuple(
            said for tried in played.tried if (said := _broke_later(entry, tried, tried.ruling))
        ),
        differences=differences,
    )


def wrong_in(entry: Entry, tried: Tried) -> list[str]:
    """Say how a guard was wrong about a deploy; nothing where both were right."""
    words: list[tuple[str, Ruling | Command]] = [("the guard", tried.ruling)]
    words += [("`stamplab guard`", tried.command)] if tried.command else []
    truth = f"in truth it is {tried.truth.fate} ({tried.truth.text})"
    wrong = [
        f"{tried.what}: {who} says {word.outcome}, {truth}"
        for who, word in words
        if word.outcome not in RIGHT[tried.truth.fate] and not _broke_later(entry, tried, word)
    ]
    command = tried.command
    if command and command.exit_code != command.outcome.exit_code:
        said = f"`stamplab guard` says {command.outcome}, and exits {command.exit_code}"
        wrong.append(f"{tried.what}: {said}")
    return wrong


def _broke_later(entry: Entry, tried: Tried, word: Ruling | Command) -> str:
    """Say how long after a right word a deploy broke; nothing where that is not what happened."""
    truth = tried.truth
    if not entry.breaks_late or truth.broke_s is None or truth.fate is not Fate.DOWN:
        return ""
    after_s = truth.broke_s - word.decided_s
    if word.outcome is not Outcome.CONVERGED or after_s <= 0:
        return ""
    return f"its first task failed {after_s:.1f} s after the guard's ruling"


def shape_of(played: Played) -> Shape:
    """The shape of the last deploy's service's history."""
    life = played.life
    return Shape(
        states=_states(life),
        stamps=tuple(_whose(stamp, played) for stamp in life.stamps),
        new_task=_new_task(life, played.last),
        old_kept=bool(life.first) and life.first <= life.running,
        end="pass" if played.last.ruling.outcome is Outcome.CONVERGED else GUARD,
    )


def _states(life: Life) -> tuple[str, ...]:
    """Without nil, and without the start of a rollback, which may be over at once."""
    states: list[str] = []
    for state in life.states:
        if state in (None, "rollback_started") or states[-1:] == [state]:
            continue
        states.append(state or "")
    return tuple(states)


def _whose(stamp: str | None, played: Played) -> Stamp:
    if stamp == played.last.wanted.stamp:
        return "head"
    return "base" if stamp == played.life.stamps[0] else "other"


def _new_task(life: Life, last: Tried) -> str:
    """What became of the first task of what was deployed last."""
    new = life.new_tasks(last.wanted.stamp)
    if not new:
        return "never created"
    task = new[0]
    if task.state == "pending":
        return "pending"
    if last.truth.fate is Fate.FINISHED:
        return "finished"
    if task.has_failed:
        return f"failed {'after' if task.id in life.was_running else 'before'} RUNNING"
    return "did not fail"
