"""Reads a history back, whichever schema it was written by."""

from __future__ import annotations

from pathlib import Path

import msgspec

from stamplab.lab.errors import LabError
from stamplab.lab.model import schema1
from stamplab.lab.model.history import Record, StageBegan, StageEnded
from stamplab.lab.model.schema import require_known


class _Header(msgspec.Struct, frozen=True):
    schema: int


def read_history(path: Path) -> tuple[list[Record], bool]:
    """Read a history back: the records, and whether the file ends in the middle of one.

    Raises LabError where there is none, where a line other than the last is damaged, or where a
    newer program wrote it.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise LabError(f"no history can be read at {path}: {error.strerror}") from error
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
