"""What the property tests print at the end of a run."""

from __future__ import annotations

import pytest

from tests.property.tally import Tally
from tests.unit.stamplab.search.conftest import player

__all__ = ["player"]

_TALLY = pytest.StashKey[Tally]()


@pytest.fixture(scope="session")
def tally(pytestconfig: pytest.Config) -> Tally:
    """Counts that are printed at the end."""
    return pytestconfig.stash.setdefault(_TALLY, Tally())


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    tally = config.stash.get(_TALLY, None)
    if tally and tally.states:
        terminalreporter.section("the stamp and go-git")
        for line in tally.lines():
            terminalreporter.line(line)
