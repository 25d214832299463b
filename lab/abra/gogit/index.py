"""The index file, as far as go-git understands it.

Source: git's own description (gitformat-index(5)) and go-git plumbing/format/index/decoder.go.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import msgspec

from stamplab.lab.errors import LabError

_HEADER = struct.Struct(">4sII")
_FIXED = struct.Struct(">8x2I8xI8xI20sH")
_SHA_BYTES = 20
_EXTENDED, _ASSUME_VALID, _NAME_MASK = 0x4000, 0x8000, 0x0FFF
_SKIP_WORKTREE, _INTENT_TO_ADD = 0x4000, 0x2000


class Entry(msgspec.Struct, frozen=True):
    """One path of the index."""

    name: bytes
    mode: int
    sha: bytes
    size_bytes: int
    modified_ns: int
    stage: int
    skip_worktree: bool
    intent_to_add: bool
    assume_valid: bool


class Index(msgspec.Struct, frozen=True):
    """All entries in the file's order, and when the file was written."""

    entries: tuple[Entry, ...]
    written_ns: int
    exists: bool = True

    def find(self, name: bytes) -> Entry | None:
        """The first entry of a path."""
        return next((entry for entry in self.entries if entry.name == name), None)


class _Malformed(Exception):
    pass


def read_index(dot: Path) -> Index:
    """Read the index; none at all is an empty one. Raises LabError for what go-git refuses."""
    file = dot / "index"
    try:
        return Index(_parse(file.read_bytes()), file.stat().st_mtime_ns)
    except FileNotFoundError:
        return Index((), 0, exists=False)
    except OSError as error:
        raise LabError(f"the index {file} cannot be read: {error.strerror}") from error
    except (_Malformed, struct.error, IndexError, ValueError) as error:
        reason = str(error) if isinstance(error, _Malformed) else "it is cut off"
        raise LabError(
            f"the index {file} cannot be read as go-git would: {reason}"
            " (`git read-tree HEAD` in that checkout makes a new one)"
        ) from error


def _parse(data: bytes) -> tuple[Entry, ...]:
    signature, version, count = _HEADER.unpack_from(data)
    if signature != b"DIRC":
        raise _Malformed("it is no index file")
    if version not in (2, 3, 4):
        raise _Malformed(f"its version is {version}")
    entries: list[Entry] = []
    position = _HEADER.size
    for _ in range(count):
        entry, position = _entry(data, position, version, entries[-1].name if entries else b"")
        entries.append(entry)
    position = _after_extensions(data, position)
    checksum = data[position : position + _SHA_BYTES]
    if hashlib.sha1(data[:position], usedforsecurity=False).digest() != checksum:
        raise _Malformed("its checksum is wrong or missing (index.skipHash)")
    return tuple(entries)


def _entry(data: bytes, at: int, version: int, previous: bytes) -> tuple[Entry, int]:
    seconds, nanoseconds, mode, size_bytes, sha, flags = _FIXED.unpack_from(data, at)
    position, extended = at + _FIXED.size, 0
    if flags & _EXTENDED:
        (extended,) = struct.unpack_from(">H", data, position)
        position += 2
    if version == 4:
        dropped, position = _variable_width(data, position)
        if dropped > len(previous):
            raise _Malformed("a name takes more of the name before it than there is")
        end = data.index(b"\0", position)
        name = previous[: len(previous) - dropped] + data[position:end]
        position = end + 1
    else:
        length = flags & _NAME_MASK
        end = data.index(b"\0", position) if length == _NAME_MASK else position + length
        name = data[position:end]
        position = at + (end - at) // 8 * 8 + 8
    entry = Entry(
        name=name,
        mode=mode,
        sha=sha,
        size_bytes=size_bytes,
        modified_ns=seconds * 1_000_000_000 + nanoseconds,
        stage=flags >> 12 & 3,
        skip_worktree=bool(extended & _SKIP_WORKTREE),
        intent_to_add=bool(extended & _INTENT_TO_ADD),
        assume_valid=bool(flags & _ASSUME_VALID),
    )
    return entry, position


def _variable_width(data: bytes, position: int) -> tuple[int, int]:
    byte = data[position]
    value = byte & 0x7F
    while byte & 0x80:
        position += 1
        byte = data[position]
        value = (value + 1 << 7) | byte & 0x7F
    return value, position + 1


def _after_extensions(data: bytes, position: int) -> int:
    """Where the checksum begins. An extension in lower case must be understood, and is not."""
    while len(data) - position >= 8 + _SHA_BYTES:
        name, length = struct.unpack_from(">4sI", data, position)
        if not b"A" <= name[:1] <= b"Z":
            raise _Malformed(
                f"it needs the extension {name.decode(errors='replace')!r}"
                " (a split or a sparse index)"
            )
        position += 8 + length
    return position
