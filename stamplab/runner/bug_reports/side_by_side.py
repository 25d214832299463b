"""Plays many bug reports side by side in one world, live or virtual, by one wait: `World.next`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stamplab.lab.errors import LabError
from stamplab.lab.model.history import Record
from stamplab.lab.world import World
from stamplab.runner.bug_reports.player import BugReportPlayer, Waiting


# One wait serves all plays (ADR 0034).
def play_side_by_side(
    world: World,
    players: Sequence[BugReportPlayer],
    at_once: int,
    on_end: Callable[[BugReportPlayer, LabError | None], None],
) -> None:
    """Play all of them in one world, at most ``at_once`` side by side.

    Two that fill the node would wait for each other's memory: they are played one by one.
    ``on_end`` is called with each that has ended, and why it failed, if it did. Raises LabError
    when the world itself fails.
    """
    waiting = list(players)
    running: list[tuple[BugReportPlayer, Waiting, float]] = []
    while waiting or running:
        while len(running) < at_once and (player := _next(waiting, [p for p, _, _ in running])):
            waiting.remove(player)
            running += _advanced(player, player.run(), None, on_end)
        if not running:
            continue
        record = world.next(min(until_s for _, _, until_s in running))
        now_s = world.now_s()
        still: list[tuple[BugReportPlayer, Waiting, float]] = []
        for player, waits, until_s in running:
            if record is None and until_s > now_s:
                still.append((player, waits, until_s))
            else:
                still += _advanced(player, waits, record, on_end)
        running = still


def _next(
    waiting: Sequence[BugReportPlayer], running: Sequence[BugReportPlayer]
) -> BugReportPlayer | None:
    """Return the first player that can begin beside those that run."""
    is_full = any(player.report.fills_node for player in running)
    return next((p for p in waiting if not (is_full and p.report.fills_node)), None)


def _advanced(
    player: BugReportPlayer,
    waits: Waiting,
    record: Record | None,
    on_end: Callable[[BugReportPlayer, LabError | None], None],
) -> list[tuple[BugReportPlayer, Waiting, float]]:
    """Give a player a record; return where it waits now, nothing when it has ended."""
    try:
        return [(player, waits, waits.send(record))]
    except StopIteration:
        on_end(player, None)
    except LabError as error:
        on_end(player, error)
    return []
