"""The evidence folder: everything that a stranger needs to judge a run again, offline."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from stamplab.lab.errors import LabError
from stamplab.lab.model.history import (
    Finding,
    LimitSet,
    Note,
    OomKill,
    Record,
    StageBegan,
    StageEnded,
)
from stamplab.lab.model.schema import encode_document
from stamplab.lab.recipe import git


# Each document says its schema (ADR 0055).
class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What ran, on what, and how to run it again."""

    scenario: str
    world: str
    argv: tuple[str, ...]
    replay: str
    """The command that does the same again."""
    started_utc: str
    stamplab: str
    commit: str | None
    """Of the checkout that ran, ``+`` when it was changed; None for an installed program."""
    python: str
    kernel: str
    machine: str
    cgroup_version: int
    engine: str
    engine_source: str
    abra: str
    options: dict[str, object]


def stamplab_version() -> str:
    """Return the installed version; of a checkout that was never installed, a text that says so."""
    try:
        return version("stamplab")
    except PackageNotFoundError:
        return "0.1.0 (run from a checkout)"


def checkout_commit() -> str | None:
    """Return the commit of the checkout that runs, or None."""
    return git.describe(Path(__file__).parent)


class EvidenceFolder(msgspec.Struct, frozen=True):
    """One run's folder; every file in it is written whole or not at all."""

    path: Path

    @staticmethod
    def create(runs: Path, scenario: str) -> EvidenceFolder:
        """Make ``runs/<scenario>/<utc time>-<id>`` and point ``latest`` at it. Raises LabError."""
        parent = runs / scenario
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        folder = parent / name
        try:
            folder.mkdir(parents=True)
            draft = parent / f".latest-{name}"
            draft.symlink_to(name)
            draft.replace(parent / "latest")
        except OSError as error:
            raise LabError(
                f"no evidence can be kept in {folder} ({error.strerror}): "
                "give another --runs folder"
            ) from error
        return EvidenceFolder(folder)

    def part(self, name: str) -> EvidenceFolder:
        """Make a folder for one play of a run. Raises LabError."""
        folder = self.path / name
        try:
            folder.mkdir()
        except OSError as error:
            raise LabError(f"{folder} cannot be made: {error.strerror}") from error
        return EvidenceFolder(folder)

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole. Raises LabError."""
        draft = self.path / f".{name}.new"
        try:
            draft.write_bytes(content)
            draft.replace(self.path / name)
        except OSError as error:
            raise LabError(f"{self.path / name} cannot be written: {error.strerror}") from error

    def write_json(self, name: str, value: object) -> None:
        """Write a value as readable JSON that says its schema. Raises LabError."""
        self.write(name, encode_document(value))


def console_line(record: Record) -> str | None:
    """Format a record as its line of console.log; None for a record that has no line."""
    match record.what:
        case Note(text=text):
            return f"{record.seen_s:8.3f}  {text}"
        case StageBegan(stage=stage):
            return f"{record.seen_s:8.3f}  ==> stage {stage}"
        case StageEnded(stage=stage, end=end, reason=reason):
            why = f": {reason}" if reason else ""
            return f"{record.seen_s:8.3f}  <== stage {stage}: {end}{why}"
        case Finding(text=text, passed=passed):
            return f"{record.seen_s:8.3f}  {'' if passed else 'FAIL '}{text}"
        case LimitSet(reason=reason):
            return f"{record.seen_s:8.3f}  pressure: {reason}"
        case OomKill() as kill:
            return f"{record.seen_s:8.3f}  kernel: OOM-killed {kill.process} in {kill.cgroup}"
        case _:
            return None
