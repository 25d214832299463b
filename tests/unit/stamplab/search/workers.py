"""Jobs of a search whose plays are made up; a new process of its own has to find them by name."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from unittest.mock import patch

import msgspec

from stamplab.search import parallel
from stamplab.search.schedule import Schedule
from stamplab.search.trial import Trial
from tests.unit.stamplab.search.trials import plain, rolled_back, trial

GREEN_S, RED_S = 12.3, 40.0
"""From which pause on an upgrade passes that was rolled back, and from which one it fails for
another reason."""
NOTES = "STAMPLAB_TEST_NOTES"
"""Names the file in which a job notes what it did."""
Play = Callable[[Schedule], Trial]


def played(schedule: Schedule) -> Trial:
    """What becomes of a schedule here."""
    if schedule.hc1_pause_s >= RED_S:
        return trial(rolled_back(), "fail", "(HC1)", schedule=schedule)
    if schedule.hc1_pause_s >= GREEN_S:
        return trial(rolled_back(), "pass", schedule=schedule)
    return trial(schedule=schedule)


def converged(schedule: Schedule) -> Trial:
    return trial(schedule=schedule)


class MadeUp:
    """Stands for a ground on which schedules are played."""

    stamp_label = "stamp"

    def __init__(self, play: Play) -> None:
        self._play = play

    def play(self, schedule: Schedule, *, guard: bool) -> Trial:
        del guard
        return self._play(schedule)


@contextmanager
def playing(play: Play) -> Iterator[None]:
    """A search in this process has no swarm; its schedules are few figures."""

    @contextmanager
    def schedule_player(*_: object) -> Iterator[MadeUp]:
        yield MadeUp(play)

    with (
        patch.object(parallel, "virtual", lambda: None),
        patch.object(parallel, "schedule_player", schedule_player),
        patch.object(parallel, "schedules", lambda _: plain()),
    ):
        yield


def note(word: str) -> None:
    with Path(os.environ[NOTES]).open("a") as notes:
        notes.write(f"{word}\n")


def one_finds_while_another_shrinks(encoded: bytes, job: int, connection: Connection) -> None:
    """Job 0 has found something at once, and is slow to shrink it; job 1 finds something then."""
    ready = Path(os.environ[NOTES]).with_suffix(".ready")

    def play(schedule: Schedule) -> Trial:
        if job == 1:
            while not ready.exists():
                time.sleep(0.01)
            return played(schedule)
        note("late" if connection.poll() else "in time")
        if ready.exists():
            connection.poll(20)
        ready.touch()
        return trial(rolled_back(), "pass", schedule=schedule)

    with playing(play):
        parallel._work(encoded, job, connection)


def decoded(message: bytes) -> parallel._Message:
    return msgspec.json.decode(message, type=parallel._Message)
