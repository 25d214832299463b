from __future__ import annotations

from collections.abc import Iterator

import pytest

from stamplab.runner.worlds import Virtual
from stamplab.search.explorable import EXPLORABLE, SchedulePlayer, schedule_player


@pytest.fixture(scope="session")
def player(virtual: Virtual) -> Iterator[SchedulePlayer]:
    """The incident's upgrade, rehearsed, and the real SwarmKit to play it on."""
    with schedule_player(EXPLORABLE["discourse"], virtual) as player:
        yield player
