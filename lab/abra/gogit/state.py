"""All of a repository that git and go-git may read differently, gathered without judging it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

from stamplab.lab.abra.gogit.index import Entry, Index, read_index
from stamplab.lab.abra.gogit.names import NameRules
from stamplab.lab.abra.gogit.patterns import lines_in
from stamplab.lab.abra.gogit.place import Place, head_of, locate
from stamplab.lab.abra.gogit.reading import rules_of
from stamplab.lab.abra.gogit.settings import Settings, read_settings, require_supported
from stamplab.lab.abra.gogit.submodules import Submodules, read_submodules
from stamplab.lab.abra.gogit.worktree import GITLINK, LINK, blob_sha, is_trusted, mode_of
from stamplab.lab.errors import LabError
from stamplab.lab.recipe.objects import Listed, files_of_commit

_ATTRIBUTES = ("text", "eol", "filter", "ident", "working-tree-encoding", "crlf")


class State:
    """One checkout, and the HOME of whoever asks git about it."""

    def __init__(self, checkout: Path, home: Path) -> None:
        self.checkout = checkout
        self.home = home

    @cached_property
    def place(self) -> Place:
        """Where it is. Raises LabError."""
        return locate(self.checkout)

    @cached_property
    def settings(self) -> Settings:
        """Its own configuration. Raises LabError."""
        return read_settings(self.place.dot / "config")

    @cached_property
    def index(self) -> Index:
        """Its index. Raises LabError."""
        return read_index(self.place.dot)

    @cached_property
    def committed(self) -> list[Listed]:
        """All that HEAD has. Raises LabError."""
        return files_of_commit(self.place.dot, head_of(self.place.dot) or "")

    @cached_property
    def rules(self) -> NameRules:
        """The names that go-git refuses in it."""
        return rules_of(self.settings)

    @cached_property
    def submodules(self) -> Submodules:
        """Its submodules. Raises LabError."""
        return read_submodules(self.place, self.settings, self.index, self.rules)

    @cached_property
    def files(self) -> dict[bytes, os.stat_result]:
        """Every file, link and the like, whoever ignores it."""
        return {path: status for path, status in self._all if not stat.S_ISDIR(status.st_mode)}

    @cached_property
    def folders(self) -> frozenset[bytes]:
        """Every folder below the root."""
        return frozenset(path for path, status in self._all if stat.S_ISDIR(status.st_mode))

    @cached_property
    def _all(self) -> list[tuple[bytes, os.stat_result]]:
        return list(_walked(os.fsencode(self.place.root), b""))

    @cached_property
    def tracked(self) -> list[tuple[Entry, os.stat_result]]:
        """The files that the index knows and the work tree has."""
        return [
            (entry, self.files[entry.name])
            for entry in self.index.entries
            if entry.name in self.files and entry.mode != GITLINK
        ]

    @cached_property
    def gitlinks(self) -> frozenset[bytes]:
        """The paths where the index has another repository's commit."""
        return frozenset(entry.name for entry in self.index.entries if entry.mode == GITLINK)

    @cached_property
    def repositories_inside(self) -> frozenset[bytes]:
        """Folders with a ``.git`` of their own."""
        return frozenset(path for path in self.folders if self.path(path, b".git").exists())

    @cached_property
    def ignore_lines(self) -> list[str]:
        """The lines of every ``.gitignore`` of the work tree."""
        found = [self.path(path) for path in self.files if _base(path) == b".gitignore"]
        return [line for file in found for line in lines_in(file)]

    def path(self, *parts: bytes) -> Path:
        """A path of the work tree."""
        return self.place.root / os.fsdecode(b"/".join(parts))

    def has_own_bytes(self, entry: Entry, status: os.stat_result) -> bool:
        """Whether a file is, byte for byte, what the index has; so it counts if nobody can tell."""
        file = self.path(entry.name)
        if not stat.S_ISREG(status.st_mode):
            return entry.mode == LINK
        try:
            content = file.read_bytes()
        except PermissionError:
            return True
        return blob_sha(content, len(content)) == entry.sha

    def is_trusted(self, entry: Entry, status: os.stat_result) -> bool:
        """Whether go-git takes it for unchanged without looking into it."""
        return is_trusted(entry, status, self.index)

    def has_mode(self, entry: Entry, status: os.stat_result) -> bool:
        """Whether a file has the mode that the index has."""
        return mode_of(status) == entry.mode

    @cached_property
    def converts(self) -> bool:
        """Whether anything may have git convert files on their way in and out."""
        names = [self.path(path) for path in self.files if _base(path) == b".gitattributes"]
        named = self.settings.last("core.attributesfile")
        others = [
            self.place.dot / "info" / "attributes",
            self.home / "xdg" / "git" / "attributes",
            *([Path(named)] if named else []),
        ]
        texts = [text for file in (*names, *others) for text in lines_in(file)]
        return (
            (self.settings.last("core.autocrlf") or "false") not in ("false", "no", "off", "0")
            or any(word in text for text in texts for word in _ATTRIBUTES)
            or any(_base(entry.name) == b".gitattributes" for entry in self.index.entries)
        )

    def checked_out_head(self, path: bytes) -> str | None:
        """HEAD of the repository that really is in a folder; None where there is none."""
        try:
            return head_of(locate(self.path(path)).dot)
        except LabError:
            return None

    def supported(self) -> None:
        """Raise LabError where go-git does not open it."""
        require_supported(self.place.dot, self.settings)


def fails(look: Callable[[], object]) -> bool:
    """Whether go-git refuses what is looked at."""
    try:
        look()
    except LabError:
        return True
    return False


def _walked(root: bytes, folder: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
    for entry in os.scandir(os.path.join(root, folder)):  # noqa: PTH118
        if entry.name == b".git":
            continue
        path = folder + b"/" + entry.name if folder else entry.name
        status = entry.stat(follow_symlinks=False)
        yield path, status
        if stat.S_ISDIR(status.st_mode):
            yield from _walked(root, path)


def _base(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]
