from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.lab.remote.engine import Engine, running_engine


@pytest.fixture
def engine() -> Iterator[Engine]:
    """A socket's path may have 107 characters, and pytest's folders have long names."""
    with (
        tempfile.TemporaryDirectory(prefix="stamplab-") as folder,
        running_engine(Path(folder)) as running,
    ):
        yield running
