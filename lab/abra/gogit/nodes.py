"""Trees of named nodes, and the changes from one to the other.

Source: go-git utils/merkletrie/difftree.go:255, doubleiter.go, utils/merkletrie/index/node.go:28.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from stamplab.lab.abra.gogit.index import Entry

Path = tuple["Node", ...]


def no_children() -> list[Node]:
    """A file has none."""
    return []


@dataclass
class Node:
    """A file or a folder. Its children and its digest are asked for only when they are needed."""

    name: bytes
    is_folder: bool = False
    is_skipped: bool = False
    read_digest: Callable[[], bytes] = bytes
    read_children: Callable[[], list[Node]] = no_children
    _children: list[Node] | None = field(default=None, repr=False)

    @property
    def children(self) -> list[Node]:
        """What a folder holds, in the order of the names. Raises LabError."""
        if self._children is None:
            self._children = sorted(self.read_children(), key=lambda node: node.name)
        return self._children


@dataclass(frozen=True)
class Change:
    """A path that one tree has otherwise than the other, or alone."""

    before: Path
    after: Path

    @property
    def path(self) -> tuple[bytes, ...]:
        """The names from the root to what changed."""
        return tuple(node.name for node in self.after or self.before)


def digest(sha: bytes, mode: int) -> bytes:
    """What makes two files equal: content and mode."""
    return sha + mode.to_bytes(4, "little")


def tree_of(entries: Iterable[Entry]) -> Node:
    """The tree of an index, or of a commit. The first of several stages of a path counts."""
    root = Node(b"", is_folder=True)
    known: dict[bytes, Node] = {b"": root}
    held: dict[bytes, list[Node]] = {b"": []}
    for entry in entries:
        parent = b""
        for part in entry.name.split(b"/"):
            path = parent + b"/" + part if parent else part
            if path not in known:
                known[path] = Node(part, is_skipped=entry.skip_worktree)
                held[path] = []
                held[parent].append(known[path])
                if path == entry.name and not stat.S_ISDIR(entry.mode):
                    known[path].read_digest = constant(digest(entry.sha, entry.mode))
                else:
                    known[path].is_folder = True
            elif not entry.skip_worktree:
                known[path].is_skipped = False
            parent = path
    for path, node in known.items():
        node.read_children = _listing(held[path])
    return root


def constant(value: bytes) -> Callable[[], bytes]:
    """A digest that is known."""
    return lambda: value


def _listing(children: list[Node]) -> Callable[[], list[Node]]:
    return lambda: children


def changes(before: Node, after: Node) -> Iterator[Change]:
    """Every change, in go-git's order, with what it passes over because of ``skip-worktree``.

    A skipped node is paired with another by its last name alone, even in another folder; this
    follows go-git in that too. Raises LabError.
    """
    one, other = _Walk(before), _Walk(after)
    while one.current or other.current:
        if not one.current or not other.current:
            yield from _alone(one, other)
        elif one.current[-1].is_skipped:
            same = one.current[-1].name == other.current[-1].name
            one.next()
            if same:
                other.next()
        elif other.current[-1].is_skipped:
            same = one.current[-1].name == other.current[-1].name
            other.next()
            if same:
                one.next()
        else:
            yield from _compared(one, other)


def _alone(one: _Walk, other: _Walk) -> Iterator[Change]:
    walk = one if one.current else other
    if not walk.current[-1].is_skipped:
        yield from (_deleted if walk is one else _inserted)(walk.current)
    walk.next()


def _compared(one: _Walk, other: _Walk) -> Iterator[Change]:
    before, after = one.current, other.current
    names = [[node.name for node in path] for path in (before, after)]
    if names[0] < names[1]:
        yield from _deleted(before)
        one.next()
    elif names[0] > names[1]:
        yield from _inserted(after)
        other.next()
    elif before[-1].is_folder and after[-1].is_folder and before[-1].children:
        if after[-1].children:
            one.step()
            other.step()
            return
        yield from _deleted(before)
        one.next()
        other.next()
    else:
        yield from _replaced(before, after)
        one.next()
        other.next()


def _replaced(before: Path, after: Path) -> Iterator[Change]:
    if before[-1].is_folder or after[-1].is_folder:
        yield from _deleted(before)
        yield from _inserted(after)
    elif before[-1].read_digest() != after[-1].read_digest():
        yield Change(before, after)


def _deleted(path: Path) -> Iterator[Change]:
    return (Change(file, ()) for file in _files(path))


def _inserted(path: Path) -> Iterator[Change]:
    return (Change((), file) for file in _files(path))


def _files(path: Path) -> Iterator[Path]:
    if path[-1].is_folder:
        for child in path[-1].children:
            yield from _files((*path, child))
    elif not path[-1].is_skipped:
        yield path


class _Walk:
    """The nodes of a tree in the order of their names; a folder is entered only when told to."""

    def __init__(self, root: Node) -> None:
        self._frames = [root.children[::-1]]

    @property
    def current(self) -> Path:
        """From the root's child down to where the walk is; empty at the end."""
        if not self._frames or not self._frames[-1]:
            return ()
        return tuple(frame[-1] for frame in self._frames)

    def next(self) -> None:
        """Go on to the sibling. go-git reads a folder even when it passes over it."""
        _ = self._frames[-1][-1].children
        self._drop()

    def step(self) -> None:
        """Go on to the first child."""
        self._frames.append(self._frames[-1][-1].children[::-1])

    def _drop(self) -> None:
        while self._frames:
            self._frames[-1].pop()
            if self._frames[-1]:
                return
            self._frames.pop()
