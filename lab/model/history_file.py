"""A history as a file: written while things happen, read back whichever schema it has.

One line of JSON a record, after a first line that says the schema. A history cut short by
``kill -9`` is still readable up to its last whole line.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from io import SEEK_END
from pathlib import Path
from typing import TextIO

import msgspec

from stamplab.lab.errors import LabError, os_errors_as
from stamplab.lab.model import schema1
from stamplab.lab.model.history import History, Observation, Record, StageBegan, StageEnded, placed
from stamplab.lab.model.schema import SCHEMA, require_known


class HistoryWriter:
    """Gives every observation its place, writes it down at once, and hands it to whoever waits.

    Any thread may append; one reader takes. A full disk does not lose the records already written:
    it is reported by the next `take`, as a LabError. ``on_record`` is told of every record, in
    order.
    """

    def __init__(
        self,
        path: Path,
        now_s: Callable[[], float],
        on_record: Callable[[Record], None] = lambda _: None,
    ) -> None:
        self.path = path
        self._now_s = now_s
        self._on_record = on_record
        with os_errors_as(f"the history {path} cannot be begun"):
            self._file: TextIO = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._waiting: deque[Record] = deque()
        self._next_seq = 0
        self._has_header = self._file.seek(0, SEEK_END) > 0
        self._failure: LabError | None = None

    def append(self, source: str, what: Observation, happened_s: float | None = None) -> None:
        """Record one observation, seen now."""
        with self._lock:
            record = placed(self._next_seq, source, what, self._now_s(), happened_s)
            self._next_seq += 1
            self._write(record)
            self._waiting.append(record)
            self._arrived.notify_all()

    def fail(self, error: LabError) -> None:
        """Make the reader raise ``error`` (the first one wins): the apparatus cannot go on."""
        with self._lock:
            self._failure = self._failure or error
            self._arrived.notify_all()

    def take(self, timeout_s: float) -> Record | None:
        """Return the oldest record not yet taken, or None after ``timeout_s``.

        Raises LabError on failure.
        """
        with self._lock:
            self._arrived.wait_for(lambda: self._waiting or self._failure, max(0.0, timeout_s))
            if self._failure is not None:
                raise self._failure
            return self._waiting.popleft() if self._waiting else None

    def close(self) -> None:
        """Close the file.

        Appending afterwards is an error of the caller, and is reported by `take`.
        """
        with self._lock, suppress(OSError):  # a full disk was reported when it was met
            self._file.close()

    def _write(self, record: Record) -> None:
        if self._failure is not None:
            return
        line = line_of(record) if self._has_header else encode_history([record])
        try:
            self._file.write(line.decode())
            self._file.flush()
            self._has_header = True
        except (OSError, ValueError) as error:
            self._failure = LabError(
                f"the history could not be written to {self.path} ({error}): "
                "free some space or choose another --runs folder"
            )
            return
        try:
            self._on_record(record)
        except OSError as error:
            self._failure = LabError(f"record {record.seq} could not be shown: {error}")


_HEADER = msgspec.json.encode({"schema": SCHEMA}) + b"\n"
"""A history's first line."""


def encode_history(history: History) -> bytes:
    """Write a history as the very bytes that its file has."""
    return b"".join([_HEADER, *map(line_of, history)])


def line_of(record: Record) -> bytes:
    """Encode a record as its one line of a history's file."""
    # A line break in the engine's own JSON can only be space between its parts.
    return msgspec.json.encode(record).replace(b"\n", b" ") + b"\n"


class _Header(msgspec.Struct, frozen=True):
    schema: int


def read_history(path: Path) -> tuple[list[Record], bool]:
    """Read a history back: the records, and whether the file ends in the middle of one.

    Raises LabError where there is none, where a line other than the last is damaged, or where a
    newer program wrote it.
    """
    with os_errors_as(f"no history can be read at {path}"):
        lines = path.read_bytes().split(b"\n")
    torn = lines.pop() != b""
    header = _header_of(lines)
    if header is None:
        return [_of_schema_1(record, path) for record in _decode(lines, 1, path)], torn
    require_known(header.schema, path)
    return _decode(lines[1:], 2, path), torn


def _header_of(lines: list[bytes]) -> _Header | None:
    """Read the first line; None where there is none that says a schema."""
    try:
        return msgspec.json.decode(lines[0], type=_Header) if lines else None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _decode(lines: list[bytes], first_number: int, path: Path) -> list[Record]:
    decoder = msgspec.json.Decoder(Record)
    records: list[Record] = []
    for number, line in enumerate(lines, start=first_number):
        try:
            records.append(decoder.decode(line))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise LabError(f"{path}, line {number} is damaged: {error}") from error
    return records


def _of_schema_1(record: Record, path: Path) -> Record:
    if isinstance(record.what, StageBegan | StageEnded):
        raise LabError(
            f"{path} has no first line that says its schema, and a record that schema 1 had not "
            f"(seq {record.seq}): its beginning was lost"
        )
    return schema1.upgrade(record)
