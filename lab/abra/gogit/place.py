"""Where go-git looks for a repository, and which commit its HEAD names."""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

from stamplab.lab.errors import LabError

_POINTER = "gitdir: "
_SYMBOLIC = "ref: "
_LINKS_FOLLOWED = 1024
_SHA_DIGITS = 40
NO_COMMIT = "0" * _SHA_DIGITS
"""What a HEAD that holds no SHA comes to; go-git takes it for a repository without files."""

_PSEUDO_REFERENCE = re.compile(r"[A-Z_]+")


class Place(msgspec.Struct, frozen=True):
    """A work tree, and the folder that holds git's own files."""

    root: Path
    dot: Path


def locate(checkout: Path) -> Place:
    """Find the repository, looking at no parent folder and at no ``core.worktree``.

    Source: go-git repository.go:341 (dotGitToOSFilesystems), :401 (a ``.git`` that is a file).
    Raises LabError.
    """
    root = checkout.resolve()
    dot = root / ".git"
    if not dot.exists():
        raise LabError(_absent(checkout, root))
    if dot.is_symlink() and not dot.resolve().is_relative_to(root):
        raise LabError(f"{checkout} is no git work tree for go-git: its .git leads out of it")
    if dot.is_file():
        dot = _pointed(checkout, dot)
    if _raw_reference(dot, "HEAD") is None:
        raise LabError(f"{checkout} is no git work tree: {dot} has no HEAD")
    return Place(root=root, dot=dot)


def _absent(checkout: Path, root: Path) -> str:
    if (root / "HEAD").is_file() and (root / "objects").is_dir():
        return f"{checkout} is a bare repository, which has no work tree; clone it first"
    return f"{checkout} is no git work tree: it has no .git"


def _pointed(checkout: Path, pointer: Path) -> Path:
    try:
        text = os.fsdecode(pointer.read_bytes())
    except OSError as error:
        raise LabError(f"{checkout} is no git work tree: {pointer}: {error.strerror}") from error
    if not text.startswith(_POINTER):
        raise LabError(f"{checkout} is no git work tree: its .git is a file that names no folder")
    dot = pointer.parent / text.removeprefix(_POINTER).partition("\n")[0].strip()
    if not dot.is_dir():
        raise LabError(f"{checkout} is no git work tree: there is no {dot}, which its .git names")
    return dot


def head_of(dot: Path) -> str | None:
    """The SHA that HEAD leads to, or None where it names a branch that is not there.

    Source: go-git plumbing/storer/reference.go:217, storage/filesystem/dotgit/dotgit.go:792. A
    linked work tree's branches are in another folder (``commondir``), which abra does not have
    go-git look at (PlainOpen). Raises LabError.
    """
    name = "HEAD"
    for _ in range(_LINKS_FOLLOWED):
        text = _raw_reference(dot, name)
        if text is None:
            return None
        if not text.startswith(_SYMBOLIC):
            return _as_sha(text)
        name = text.removeprefix(_SYMBOLIC)
    raise LabError(f"the HEAD of {dot} cannot be read: it leads from name to name for ever")


def _as_sha(text: str) -> str:
    """What go-git makes of a SHA: what is no hexadecimal digit and all after it are zeros."""
    digits = re.match(r"(?:[0-9a-f]{2})*", text.lower())
    return (digits[0] if digits else "")[:_SHA_DIGITS].ljust(_SHA_DIGITS, "0")


def _raw_reference(dot: Path, name: str) -> str | None:
    """What a reference's own file says, else the list of packed ones."""
    if not name.startswith("refs/") and not _PSEUDO_REFERENCE.fullmatch(name):
        raise LabError(f"the HEAD of {dot} cannot be read: it names {name!r}, which is no branch")
    if ".." in name.split("/"):
        raise LabError(f"the HEAD of {dot} cannot be read: {name!r} leads out of its references")
    try:
        if text := (dot / name).read_bytes():
            return os.fsdecode(text).strip()
    except OSError:
        pass
    return _packed_reference(dot, name)


def _packed_reference(dot: Path, name: str) -> str | None:
    try:
        lines = os.fsdecode((dot / "packed-refs").read_bytes()).split("\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LabError(f"the HEAD of {dot} cannot be read: packed-refs: {error}") from error
    for line in lines:
        if not line or line[0] in "#^":
            continue
        sha, *names = line.split(" ")
        if len(names) != 1:
            raise LabError(f"the HEAD of {dot} cannot be read: its packed-refs are malformed")
        if names[0].rstrip("\r") == name:
            return sha
    return None
