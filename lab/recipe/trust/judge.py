"""Judges a whole stack: every compose file of it, whichever wins in the end."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from stamplab.lab.recipe.containment import way_out
from stamplab.lab.recipe.trust.demand import Demand, Grant, printable
from stamplab.lab.recipe.trust.document import NotUnderstood, read_document
from stamplab.lab.recipe.trust.folder import Folder
from stamplab.lab.recipe.trust.resources import compose_file
from stamplab.lab.world import Stack

_BYTES_MAX = 1024 * 1024
_WHOLE_FILE = "the whole file"
_CLIENTS_SEPARATORS = set(',"\n\r')
"""The client reads the value of ``--compose-file`` as a line of CSV."""


# Every value that might win is judged, none is resolved (ADR 0015).
def demands_of(
    stack: Stack, environment: Mapping[str, str], trust: Collection[Grant] = ()
) -> tuple[Demand, ...]:
    """All that a stack's compose files ask for, read with the docker client's ``environment``.

    What ``trust`` allows is among it. A compose file outside the recipe's folder is not even opened
    unless it is trusted: what a reader says of it would tell what is in it.
    """
    # The client, too, lets references begin where the first file is (docker/cli
    # cli/command/stack/loader/loader.go, GetConfigDetails).
    folder = Folder(stack.directory, (stack.directory / stack.compose_files[0]).parent)
    found: list[Demand] = []
    for file in stack.compose_files:
        path = stack.directory / file
        if _CLIENTS_SEPARATORS & set(str(path)):
            found.append(_whole(stack.directory, path, "is several files to the docker client"))
            continue
        outside = None if file in stack.own_files else _outside(stack.directory, path)
        if outside is not None:
            found.append(outside)
        if outside is None or Grant.OUTSIDE_FILES in trust:
            found += _in_file(stack.directory, path, environment, folder)
    return tuple(dict.fromkeys(found))


def _outside(root: Path, path: Path) -> Demand | None:
    written = path.relative_to(root) if path.is_relative_to(root) else path
    objection = "goes up by .." if ".." in written.parts else way_out(root, path)
    if objection is None:
        return None
    return _whole(root, path, objection, Grant.OUTSIDE_FILES)


def _in_file(
    root: Path, path: Path, environment: Mapping[str, str], folder: Folder
) -> Iterator[Demand]:
    try:
        data = _read(root, path)
        yield from compose_file(read_document(data, _name(root, path), environment), folder)
    except NotUnderstood as error:
        yield error.demand


def _read(root: Path, path: Path) -> bytes:
    reason = f"is no regular file of at most {_BYTES_MAX} bytes"
    try:
        if path.is_file() and path.stat().st_size <= _BYTES_MAX:
            return path.read_bytes()
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
    raise NotUnderstood(_whole(root, path, reason))


def _whole(root: Path, path: Path, reason: str, grant: Grant | None = None) -> Demand:
    """Say something of a file as a whole."""
    name, value = _name(root, path), printable(str(path))
    return Demand(file=name, place=_WHOLE_FILE, value=value, reason=reason, grant=grant)


def _name(root: Path, path: Path) -> str:
    return printable(str(path.relative_to(root) if path.is_relative_to(root) else path))
