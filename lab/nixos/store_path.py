"""Store paths of Nix, parsed: ``<store>/<hash>-<name>-<version>``.

Source: Nix's manual, "Store path" (the digest's 32 digits lack e, o, t and u); a name's version
begins at the first dash that no letter follows (``builtins.parseDrvName``).
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import msgspec

DIGITS = "0123456789abcdfghijklmnpqrsvwxyz"
DIGEST_LENGTH = 32

_OBJECT = re.compile(rf"([{DIGITS}]{{{DIGEST_LENGTH}}})-([0-9A-Za-z+\-._?=]+)")
_NAMED = re.compile(r"(.*?)-([^A-Za-z].*)")


class StorePath(msgspec.Struct, frozen=True, kw_only=True):
    """One object of a Nix store; tools with the same path are the same tool."""

    path: str
    digest: str
    name: str
    version: str
    """The version; empty where the name has none."""

    def __str__(self) -> str:
        """Return the path as ``readlink`` prints it."""
        return self.path


def store_path_in(path: str) -> StorePath | None:
    """Return the store object that a path lies in; None if it lies in no store.

    A store whose own name cannot be printed counts as none.
    """
    parts = PurePosixPath(path).parts if path.isprintable() else ()
    for end, part in enumerate(parts, start=1):
        if match := _OBJECT.fullmatch(part):
            digest, full = match.groups()
            named = _NAMED.fullmatch(full)
            name, version = named.groups() if named else (full, "")
            whole = str(PurePosixPath(*parts[:end]))
            return StorePath(path=whole, digest=digest, name=name, version=version)
    return None
