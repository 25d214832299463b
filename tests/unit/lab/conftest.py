"""What tests of the lab share: a bare machine, a history on disk, states of a repository."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stamplab.lab.live.inventory import GO_PROGRAMS
from stamplab.lab.model.history_file import HistoryWriter
from tests.property.repositories import Builder


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on PATH (``host``), an empty cache, and no ready-made program."""
    monkeypatch.setenv("PATH", str(tmp_path / "host"))
    monkeypatch.setenv("STAMPLAB_CACHE", str(tmp_path / "cache"))
    for variable in ("STAMPLOAD", *(program.variable for program in GO_PROGRAMS)):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("stamplab.lab.live.engine._SYSTEM_FOLDERS", ())
    return tmp_path


@pytest.fixture
def history(tmp_path: Path) -> Iterator[HistoryWriter]:
    history = HistoryWriter(tmp_path / "history.jsonl", time.monotonic)
    yield history
    history.close()


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    return Builder(tmp_path_factory.mktemp("states"))
