"""The files of a work tree as go-git sees them.

Source: go-git utils/merkletrie/filesystem/node.go:126 (children), :189 (digest), :217 (the index's
stat data), go-billy helper/chroot/chroot.go:343 (the target of an absolute link).
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stamplab.lab.abra.gogit.index import Entry, Index
from stamplab.lab.abra.gogit.names import NameRules
from stamplab.lab.abra.gogit.nodes import Node, constant, digest
from stamplab.lab.errors import LabError

REGULAR, EXECUTABLE, LINK, GITLINK, FOLDER = 0o100644, 0o100755, 0o120000, 0o160000, 0o040000
_NOTHING = bytes(20)
"""go-git's digest of what it cannot read."""


@dataclass(frozen=True)
class WorkTree:
    """A folder, with what it is compared with: the index, and which paths are submodules."""

    root: Path
    index: Index
    rules: NameRules
    submodules: Mapping[bytes, bytes]
    """The commit that stands for each submodule."""
    created: frozenset[bytes] = frozenset()
    """Submodules whose folder go-git makes before it looks."""

    def tree(self) -> Node:
        """Its root node. Children raise LabError where go-git fails."""
        entries = {entry.name: entry for entry in self.index.entries}
        return _Reader(self, entries).folder(b"", b"")


@dataclass(frozen=True)
class _Reader:
    tree: WorkTree
    entries: Mapping[bytes, Entry]

    def folder(self, name: bytes, path: bytes) -> Node:
        return Node(name, is_folder=True, read_children=lambda: self._children(path))

    def _children(self, path: bytes) -> list[Node]:
        if path and not self.tree.rules.allows(path):
            raise LabError(
                f"{self.tree.root} cannot be read as go-git would: it does not open the folder "
                f"{os.fsdecode(path)!r} (a control character, or a name that Windows reserves)"
            )
        found = {}
        try:
            for entry in os.scandir(os.path.join(os.fsencode(self.tree.root), path)):  # noqa: PTH118
                if entry.name != b".git" and not stat.S_ISSOCK(
                    entry.stat(follow_symlinks=False).st_mode
                ):
                    found[entry.name] = self._node(entry, path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise LabError(f"{self.tree.root} cannot be read: {error}") from error
        return [*found.values(), *self._created(path, set(found))]

    def _node(self, entry: os.DirEntry[bytes], folder: bytes) -> Node:
        path = folder + b"/" + entry.name if folder else entry.name
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode) and path not in self.tree.submodules:
            return self.folder(entry.name, path)
        return Node(entry.name, read_digest=lambda: self._digest(path, status))

    def _created(self, folder: bytes, present: set[bytes]) -> list[Node]:
        prefix = folder + b"/" if folder else b""
        inside = [path[len(prefix) :] for path in self.tree.created if path.startswith(prefix)]
        nodes = []
        for name in {path.split(b"/")[0] for path in inside} - present:
            path = prefix + name
            if path in self.tree.created:
                gitlink = digest(self.tree.submodules[path], GITLINK)
                nodes.append(Node(name, read_digest=constant(gitlink)))
            else:
                nodes.append(self.folder(name, path))
        return nodes

    def _digest(self, path: bytes, status: os.stat_result) -> bytes:
        mode = mode_of(status)
        if mode is None:
            return _NOTHING
        if path in self.tree.submodules:
            return digest(self.tree.submodules[path], GITLINK)
        entry = self.entries.get(path)
        if entry and is_trusted(entry, status, self.tree.index):
            return digest(entry.sha, mode)
        if not self.tree.rules.allows(path):
            return digest(_NOTHING, mode)
        return digest(self._content(path, status), mode)

    def _content(self, path: bytes, status: os.stat_result) -> bytes:
        file = self.tree.root / os.fsdecode(path)
        try:
            if stat.S_ISLNK(status.st_mode):
                return blob_sha(_target(file, self.tree.root), status.st_size)
            return blob_sha(file.read_bytes(), status.st_size)
        except OSError:
            return _NOTHING


def mode_of(status: os.stat_result) -> int | None:
    """The mode that git would give it; None for what git does not store."""
    if stat.S_ISREG(status.st_mode):
        return EXECUTABLE if status.st_mode & stat.S_IXUSR else REGULAR
    if stat.S_ISLNK(status.st_mode):
        return LINK
    return FOLDER if stat.S_ISDIR(status.st_mode) else None


def is_trusted(entry: Entry, status: os.stat_result, index: Index) -> bool:
    """Whether go-git takes a file for unchanged without looking into it.

    It asks for size, mode and the time of the last change alone, not for ctime or inode as git
    does, and for a file that is older than the index.
    """
    return (
        status.st_size & 0xFFFFFFFF == entry.size_bytes
        and status.st_mtime_ns == entry.modified_ns != 0
        and mode_of(status) == entry.mode
        and status.st_mtime_ns < index.written_ns
    )


def blob_sha(content: bytes, size_bytes: int) -> bytes:
    """The name of a blob, with the size that its header states."""
    header = b"blob %d\0" % size_bytes
    return hashlib.sha1(header + content, usedforsecurity=False).digest()


def _target(link: Path, root: Path) -> bytes:
    """A link's target. go-billy rewrites an absolute one, as if the work tree were ``/``."""
    # A Path would normalise it.
    target = os.readlink(os.fsencode(link))  # noqa: PTH115
    if not target.startswith(b"/"):
        return target
    return b"/" + os.path.relpath(target, os.fsencode(root))
