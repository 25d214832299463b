"""Plays many entries side by side in one world, live or virtual, with one wait: `World.next`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stamplab.lab.errors import LabError
from stamplab.lab.model.history import Record
from stamplab.lab.world import World
from stamplab.runner.bug_reports.player import Play, Waiting


# One wait serves all plays (ADR 0034).
def conduct(
    world: World,
    plays: Sequence[Play],
    at_once: int,
    over: Callable[[Play, LabError | None], None],
) -> None:
    """Play all of them in one world, at most ``at_once`` side by side.

    Two that fill the node would wait for each other's memory: they are played one by one. ``over``
    hears of each that has ended, and why it failed, if it did. Raises LabError when the
    world itself fails.
    """
    waiting = list(plays)
    running: list[tuple[Play, Waiting, float]] = []
    while waiting or running:
        while len(running) < at_once and (play := _next(waiting, [one for one, _, _ in running])):
            waiting.remove(play)
            running += _advanced(play, play.run(), None, over)
        if not running:
            continue
        record = world.next(min(until_s for _, _, until_s in running))
        now_s = world.now_s()
        still: list[tuple[Play, Waiting, float]] = []
        for play, waits, until_s in running:
            if record is None and until_s > now_s:
                still.append((play, waits, until_s))
            else:
                still += _advanced(play, waits, record, over)
        running = still


def _next(waiting: Sequence[Play], running: Sequence[Play]) -> Play | None:
    """The first one that can be begun beside those that run."""
    is_full = any(play.entry.fills_node for play in running)
    return next((play for play in waiting if not (is_full and play.entry.fills_node)), None)


def _advanced(
    play: Play,
    waits: Waiting,
    record: Record | None,
    over: Callable[[Play, LabError | None], None],
) -> list[tuple[Play, Waiting, float]]:
    """A play that was given a record: where it waits now; nothing when it is over."""
    try:
        return [(play, waits, waits.send(record))]
    except StopIteration:
        over(play, None)
    except LabError as error:
        over(play, error)
    return []
