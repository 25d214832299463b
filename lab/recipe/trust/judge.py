"""Judges a whole stack: every compose file, whichever overrides the others."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from stamplab.lab.recipe.containment import escape_target
from stamplab.lab.recipe.trust.demand import Demand, Grant, printable
from stamplab.lab.recipe.trust.document import NotUnderstood, read_document
from stamplab.lab.recipe.trust.folder import RecipeFolder
from stamplab.lab.recipe.trust.resources import compose_file_rule
from stamplab.lab.world import Stack

_BYTES_MAX = 1024 * 1024
_WHOLE_FILE = "the whole file"
_CSV_SEPARATORS = set(',"\n\r')
"""The docker client reads the value of ``--compose-file`` as a line of CSV."""


# Every value that might win is judged, none is resolved (ADR 0015).
def demands_of(
    stack: Stack, environment: Mapping[str, str], trust: Collection[Grant] = ()
) -> tuple[Demand, ...]:
    """Return every demand of a stack's compose files, interpolated with ``environment``.

    Demands that ``trust`` allows are included. A compose file outside the recipe's folder is
    opened only if ``trust`` allows it: a reader's error would reveal its content.
    """
    # As in the client, references begin in the first file's folder (docker/cli
    # cli/command/stack/loader/loader.go, GetConfigDetails).
    folder = RecipeFolder(stack.directory, (stack.directory / stack.compose_files[0]).parent)
    demands: list[Demand] = []
    for file in stack.compose_files:
        path = stack.directory / file
        if _CSV_SEPARATORS & set(str(path)):
            reason = "is several files to the docker client"
            demands.append(_whole_file_demand(stack.directory, path, reason))
            continue
        outside = None if file in stack.lab_files else _outside_demand(stack.directory, path)
        if outside is not None:
            demands.append(outside)
        if outside is None or Grant.OUTSIDE_FILES in trust:
            demands += _file_demands(stack.directory, path, environment, folder)
    return tuple(dict.fromkeys(demands))


def _outside_demand(root: Path, path: Path) -> Demand | None:
    written = path.relative_to(root) if path.is_relative_to(root) else path
    objection = "goes up by .." if ".." in written.parts else escape_target(root, path)
    if objection is None:
        return None
    return _whole_file_demand(root, path, objection, Grant.OUTSIDE_FILES)


def _file_demands(
    root: Path, path: Path, environment: Mapping[str, str], folder: RecipeFolder
) -> Iterator[Demand]:
    try:
        document = read_document(_read(root, path), _display_name(root, path), environment)
        yield from compose_file_rule(document, folder)
    except NotUnderstood as error:
        yield error.demand


def _read(root: Path, path: Path) -> bytes:
    reason = f"is no regular file of at most {_BYTES_MAX} bytes"
    try:
        if path.is_file() and path.stat().st_size <= _BYTES_MAX:
            return path.read_bytes()
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
    raise NotUnderstood(_whole_file_demand(root, path, reason))


def _whole_file_demand(root: Path, path: Path, reason: str, grant: Grant | None = None) -> Demand:
    name, value = _display_name(root, path), printable(str(path))
    return Demand(file=name, place=_WHOLE_FILE, value=value, reason=reason, grant=grant)


def _display_name(root: Path, path: Path) -> str:
    return printable(str(path.relative_to(root) if path.is_relative_to(root) else path))
