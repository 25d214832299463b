"""Ignore files in go-git's dialect.

It differs from git's: a pattern is held against every part of a path, whichever pattern matched
last decides, and a folder that is ignored does not take its files with it for good. Source: go-git
plumbing/format/gitignore/dir.go:55, matcher.go:26, pattern.go:39.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from stamplab.lab.abra.gogit.names import NameRules

_LONGEST_LINE_BYTES = 64 * 1024
_WHITE = " \t\n\v\f\r\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)


class Pattern(msgspec.Struct, frozen=True):
    """One line of an ignore file, and the folder whose paths it speaks of."""

    domain: tuple[str, ...]
    parts: tuple[str, ...]
    includes: bool
    folders_only: bool

    def matches(self, path: Sequence[str], is_folder: bool) -> bool:
        """Whether it speaks of a path, or of a folder that the path is in."""
        depth = len(self.domain)
        if len(path) <= depth or tuple(path[:depth]) != self.domain:
            return False
        rest = path[depth:]
        return self._by_path(rest, is_folder) if self._is_path else self._by_name(rest, is_folder)

    @property
    def _is_path(self) -> bool:
        return len(self.parts) > 1

    def _by_name(self, path: Sequence[str], is_folder: bool) -> bool:
        for index, name in enumerate(path):
            if glob_matches(self.parts[0], name):
                return is_folder or not self.folders_only or index < len(path) - 1
        return False

    def _by_path(self, path: Sequence[str], is_folder: bool) -> bool:
        """Part by part; a ``**`` takes the first folder that fits, and never another."""
        rest, matched, anywhere = list(path), False, False
        for index, part in enumerate(self.parts):
            if not part:
                anywhere = False
            elif part == "**":
                if index == len(self.parts) - 1:
                    break
                anywhere = True
            elif "**" in part or not rest:
                return False
            elif anywhere:
                anywhere = False
                matched = _skip_to(part, rest)
            elif glob_matches(part, rest.pop(0)):
                matched = True
            else:
                return False
        return matched and (is_folder or not self.folders_only or bool(rest))


def _skip_to(part: str, rest: list[str]) -> bool:
    """Drop names up to the first that fits, that one too; False where none fits."""
    while rest:
        if glob_matches(part, rest.pop(0)):
            return True
    return False


def parse_pattern(line: str, domain: tuple[str, ...] = ()) -> Pattern:
    """Read one line that is neither blank nor a comment."""
    includes = line.startswith("!")
    text = line[1:] if includes else line
    if not text.endswith("\\ "):
        text = text.rstrip(" ")
    folders_only = text.endswith("/")
    parts = tuple((text[:-1] if folders_only else text).split("/"))
    return Pattern(domain=domain, parts=parts, includes=includes, folders_only=folders_only)


def is_ignored(patterns: Sequence[Pattern], path: Sequence[str], is_folder: bool) -> bool:
    """What the last pattern that matches says."""
    for pattern in reversed(patterns):
        if pattern.matches(path, is_folder):
            return not pattern.includes
    return False


def patterns_in(file: Path, domain: tuple[str, ...] = ()) -> list[Pattern]:
    """The patterns of one file; none where it cannot be read."""
    return [parse_pattern(line, domain) for line in lines_in(file)]


def lines_in(file: Path) -> Iterator[str]:
    """The lines that count as patterns, as Go's line scanner gives them."""
    try:
        data = file.read_bytes() if file.is_file() else b""
    except OSError:
        return
    for line in data.split(b"\n"):
        if len(line) >= _LONGEST_LINE_BYTES:
            return
        text = os.fsdecode(line.removesuffix(b"\r"))
        if not text.startswith("#") and text.strip(_WHITE):
            yield text


def patterns_of_tree(
    root: Path, rules: NameRules, path: tuple[str, ...] = ()
) -> list[Pattern] | None:
    """The patterns of every ``.gitignore`` of a work tree; None where go-git gives up on all.

    Neither ``.git/info/exclude`` (the name is forbidden, worktree_fs.go:280) nor any file that a
    configuration names is read. Only a folder's own patterns say which of its folders are passed
    over.
    """
    folder = root.joinpath(*path)
    if path and not rules.allows(os.fsencode("/".join(path))):
        return None
    found = patterns_in(folder / ".gitignore", path) if _is_inside(root, folder) else []
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if _is_folder(entry))
    except OSError:
        return None
    for name in sorted(names, key=os.fsencode):
        if is_ignored(found, (*path, name), is_folder=True):
            continue
        deeper = patterns_of_tree(root, rules, (*path, name))
        if deeper is None:
            return None
        found += deeper
    return found


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.name != ".git" and entry.is_dir(follow_symlinks=False)


def _is_inside(root: Path, folder: Path) -> bool:
    """A link named ``.gitignore`` is followed, unless it leads out of the work tree."""
    try:
        return (folder / ".gitignore").resolve().is_relative_to(root)
    except (OSError, RuntimeError):
        return False


def glob_matches(pattern: str, name: str) -> bool:
    """Go's ``filepath.Match``: no ``[!a]``, no ``[:alpha:]``; what is malformed matches nothing."""
    compiled = _compiled(pattern)
    return compiled is not None and compiled.fullmatch(name) is not None


@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile("".join(_translated(iter(pattern))), re.DOTALL)
    except StopIteration:
        return None
    except RuntimeError:
        return None


def _translated(rest: Iterator[str]) -> Iterable[str]:
    found = []
    for character in rest:
        if character == "*":
            found.append(".*")
        elif character == "?":
            found.append(".")
        elif character == "[":
            found.append(_class(rest))
        elif character == "\\":
            found.append(re.escape(next(rest)))
        else:
            found.append(re.escape(character))
    return found


def _class(rest: Iterator[str]) -> str:
    """A bracket's ranges. Raises StopIteration where it is malformed."""
    character = next(rest)
    negated = character == "^"
    if negated:
        character = next(rest)
    ranges: list[str] = []
    while character != "]" or not ranges:
        low, character = _bound(character, rest), next(rest)
        high = low
        if character == "-":
            high, character = _bound(next(rest), rest), next(rest)
        if low <= high:
            ranges.append(f"{re.escape(low)}-{re.escape(high)}")
        else:
            ranges.append("")
    inside = "".join(ranges)
    if not inside:
        return "." if negated else "(?!)"
    return f"[{'^' if negated else ''}{inside}]"


def _bound(character: str, rest: Iterator[str]) -> str:
    if character in "-]":
        raise StopIteration
    return next(rest) if character == "\\" else character
