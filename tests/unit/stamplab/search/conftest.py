from __future__ import annotations

from collections.abc import Iterator

import pytest

from stamplab.runner.worlds import Virtual
from stamplab.search.explorable import EXPLORABLE, Ground, ground_of


@pytest.fixture(scope="session")
def ground(virtual: Virtual) -> Iterator[Ground]:
    """The incident's upgrade, rehearsed, and the real SwarmKit to play it on."""
    with ground_of(EXPLORABLE["discourse"], virtual) as found:
        yield found
