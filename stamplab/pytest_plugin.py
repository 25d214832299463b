"""A pytest fixture, `swarm_guard`; pytest loads this everywhere, so it imports nothing else.

def test_the_upgrade(swarm_guard):
with swarm_guard("shop") as guard:
deploy()
guard.check()
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def swarm_guard() -> Callable[..., Any]:
    """Guard a deploy; see `stamplab.guarding`. Its `check` fails a test with the reason."""
    from stamplab import guarding

    return guarding
