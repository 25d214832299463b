"""What a commit holds, by the objects of one git folder alone, which is how go-git finds them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from git import GitCommandError

from stamplab.lab.errors import LabError
from stamplab.lab.recipe import git

_FOLDER = 0o040000
_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""Git knows this object without having it, so a repository may lack it."""


class Listed(msgspec.Struct, frozen=True):
    """One path of a commit."""

    mode: int
    sha: str
    name: bytes

    @property
    def is_folder(self) -> bool:
        """Whether it is no file: a folder that holds nothing."""
        return self.mode == _FOLDER

    @property
    def folders(self) -> list[bytes]:
        """The names of the folders that lead to it, its own too if it is one."""
        *parents, own = self.name.split(b"/")
        return [*parents, own] if self.is_folder else parents


def files_of_commit(dot: Path, sha: str) -> list[Listed]:
    """List all files of a commit, and its folders that hold nothing: go-git passes over them.

    The git folder is named outright, so git does not ask whose it is; objects that it borrows from
    another repository (alternates) and replacements (`refs/replace`) are not looked at. Where a
    folder's object is missing, the listing of the folder that it is in ends before it, silently,
    as go-git's does (plumbing/object/tree.go:581). Raises LabError.
    """
    with git.told("git cannot list it"), _own_objects(dot) as objects:
        store = _Store(dot, objects)
        try:
            found = store.listed(sha, "-r", "-t")
            is_complete = not (_names_empty_tree(found) and store.lacks_empty_tree)
        except GitCommandError:
            found, is_complete = [], False
        if not is_complete:
            found = store.listed_as_far_as_possible(sha)
        if not found and store.lacks_empty_tree:
            raise LabError("its tree is empty, and the repository lacks even that object")
    return [one for one in found if not one.is_folder or one.sha == _EMPTY_TREE]


def _names_empty_tree(found: list[Listed]) -> bool:
    return any(one.sha == _EMPTY_TREE for one in found)


class _Store:
    def __init__(self, dot: Path, objects: Path) -> None:
        self._dot = dot
        self._objects = objects
        self._environment = {
            "GIT_DIR": str(dot),
            "GIT_OBJECT_DIRECTORY": str(objects),
            "GIT_NO_REPLACE_OBJECTS": "1",
        }

    def listed(self, tree: str, *options: str) -> list[Listed]:
        found = []
        for line in self._ask("ls-tree", "-z", "--full-tree", *options, tree).split(b"\0")[:-1]:
            fields, _, name = line.partition(b"\t")
            mode, _, sha = fields.decode().split()
            found.append(Listed(int(mode, 8), sha, name))
        return found

    def listed_as_far_as_possible(self, tree: str) -> list[Listed]:
        found = []
        for one in self.listed(tree):
            if not one.is_folder:
                found.append(one)
                continue
            if one.sha == _EMPTY_TREE and self.lacks_empty_tree:
                break
            try:
                inside = self.listed_as_far_as_possible(one.sha)
            except GitCommandError:
                break
            if not inside:
                found.append(Listed(one.mode, _EMPTY_TREE, one.name))
            found += [Listed(file.mode, file.sha, one.name + b"/" + file.name) for file in inside]
        return found

    @cached_property
    def lacks_empty_tree(self) -> bool:
        if (self._objects / _EMPTY_TREE[:2] / _EMPTY_TREE[2:]).exists():
            return False
        every = ("cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
        return _EMPTY_TREE.encode() not in self._ask(*every).split()

    def _ask(self, *arguments: str) -> bytes:
        return git.plumbing(self._dot, self._environment, *arguments)


@contextmanager
def _own_objects(dot: Path) -> Iterator[Path]:
    """A folder of the objects without ``info/alternates``."""
    if not (dot / "objects" / "info" / "alternates").exists():
        yield dot / "objects"
        return
    with TemporaryDirectory(prefix="stamplab-objects-") as name:
        for entry in (dot / "objects").iterdir():
            if entry.name != "info":
                (Path(name) / entry.name).symlink_to(entry.absolute())
        yield Path(name)
