"""Why go-git refuses a checkout that git reads, and what helps, from what holds of the checkout.

go-git's own words are quoted and never read. The causes are rows of the table in docs/abra.md;
tests follow each remedy and ask go-git again.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec

from stamplab.lab.errors import LabError
from stamplab.lab.recipe import git

_CHECKSUM_BYTES = 20
_REMEDIES = {
    "worktreeconfig": "git sparse-checkout disable; git config --unset extensions.worktreeConfig",
    "partialclone": "git config --unset extensions.partialClone",
    "preciousobjects": "git config --unset extensions.preciousObjects",
    "refstorage": "git refs migrate --ref-format=files",
}
"""What takes an extension out of a repository, by its name. SHA-256 cannot be taken out."""


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """What probably made go-git refuse a checkout."""

    why: str
    remedy: str | None
    """Commands for a shell in the checkout, after which go-git reads it."""


_FindCause = Callable[[Path], Cause | None]
"""Finds whether a cause holds of git's folder."""


def refusal(checkout: Path, step: str, reason: str, version: str) -> str:
    """Say in one sentence what go-git refuses, probably why, and what helps.

    ``step`` is where go-git failed, and ``reason`` what it said.
    """
    one_line_reason = " ".join(reason.split())
    sentence = f"{checkout} has no stamp: go-git {version} refuses it ({step}: {one_line_reason})"
    cause = find_cause(checkout, step)
    if cause is None:
        return f'{sentence}; docs/abra.md, "How go-git reads a repository", has what it refuses'
    helps = f"; what helps, in that folder: {cause.remedy}" if cause.remedy else ""
    return f"{sentence}, for {cause.why}{helps}"


def find_cause(checkout: Path, step: str) -> Cause | None:
    """Find the first cause that holds of a checkout which go-git refused in this step."""
    try:
        dot = _git_folder(checkout)
        if dot is None:
            return Cause(why=_lack(checkout), remedy=None)
        return next((cause for find in _CAUSES.get(step, ()) if (cause := find(dot))), None)
    except (LabError, OSError):  # it cannot be looked at, so go-git's own words have to do
        return None


def _git_folder(checkout: Path) -> Path | None:
    dot = checkout / ".git"
    if dot.is_file():
        named = os.fsdecode(dot.read_bytes()).removeprefix("gitdir: ").partition("\n")[0].strip()
        dot = checkout / named
    return dot if (dot / "HEAD").exists() or (dot / "HEAD").is_symlink() else None


def _lack(checkout: Path) -> str:
    dot = checkout / ".git"
    if dot.is_file():
        return "it is no git work tree: its .git names a folder that is no repository"
    if (checkout / "HEAD").is_file() and (checkout / "objects").is_dir():
        return "it is a bare repository, which has no work tree: clone it first"
    return f"it is no git work tree: it has no {'HEAD in its ' if dot.is_dir() else ''}.git"


def _leads_out(dot: Path) -> Cause | None:
    root = os.path.realpath(dot.parent)
    files = (dot, dot / "HEAD", dot / "config", dot / "index")
    # A Path's resolve() raises where links lead in a circle.
    if all(os.path.commonpath((root, os.path.realpath(file))) == root for file in files):
        return None
    return Cause(why="its .git, or a file in it, is a link that leads out of it", remedy=None)


def _object_format(dot: Path) -> Cause | None:
    return _extensions(dot) if "objectformat" in _extension_names(dot) else None


def _extension_names(dot: Path) -> list[str]:
    if not _is_regular(dot / "config"):
        return []
    with git.errors_as(f"{dot} cannot be read"):
        settings = git.settings_in(dot / "config")
    return sorted({key.partition(".")[2] for key, _ in settings if key.startswith("extensions.")})


def _extensions(dot: Path) -> Cause | None:
    names = _extension_names(dot)
    if not names:
        return None
    known = [_REMEDIES.get(name) for name in names]
    helps = "; ".join(remedy for remedy in known if remedy) if all(known) else None
    return Cause(
        why=f"its .git/config has {', '.join(f'extensions.{name}' for name in names)}, which only "
        "some versions of go-git support (docs/abra.md: unsupported format)",
        remedy=helps,
    )


def _if_there(pattern: str, why: str, remedy: str | None = None) -> _FindCause:
    """Find a cause wherever git's folder has a file of that pattern."""
    return lambda dot: Cause(why=why, remedy=remedy) if any(dot.glob(pattern)) else None


_linked = _if_there(
    "commondir",
    "it was made by `git worktree add`, which go-git cannot read before 6: clone the repository "
    "instead",
)
_split_index = _if_there(
    "sharedindex.*",
    "its index is split in two",
    "git config core.splitIndex false; git update-index --no-split-index",
)
_borrowed = _if_there(
    "objects/info/alternates",
    "it borrows objects from another repository (`git clone --shared` or `--reference`)",
    "git repack -a -d; rm .git/objects/info/alternates",
)


def _unborn(dot: Path) -> Cause | None:
    if not _is_regular(dot / "HEAD"):
        return None
    return Cause(why="its HEAD names a branch that has no commit yet", remedy=None)


def _bad_checksum(dot: Path) -> Cause | None:
    if not _is_regular(dot / "index"):
        return None
    data = (dot / "index").read_bytes()
    content, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    if not any(checksum):
        return Cause(
            why="its index has no checksum: index.skipHash is on, or feature.manyFiles, if only in "
            "$HOME/.gitconfig or /etc/gitconfig",
            remedy="git config index.skipHash false; git update-index --force-write-index",
        )
    if hashlib.sha1(content, usedforsecurity=False).digest() == checksum:
        return None
    return Cause(
        why="its index is damaged (what was staged is lost by what helps)",
        remedy="git read-tree HEAD",
    )


def _sparse_index(dot: Path) -> Cause | None:
    files = [file for name in ("config", "config.worktree") if _is_regular(file := dot / name)]
    with git.errors_as(f"{dot} cannot be read"):
        settings = [setting for file in files for setting in git.settings_in(file)]
    if ("index.sparse", "true") not in settings:
        return None
    return Cause(
        why="its index is a sparse one, which has folders in the place of files",
        remedy="git config index.sparse false; git sparse-checkout disable",
    )


def _is_regular(file: Path) -> bool:
    """Whether it can be read to its end: no link, no device, no FIFO."""
    return stat.S_ISREG(file.lstat().st_mode) if os.path.lexists(file) else False


_CAUSES: dict[str, tuple[_FindCause, ...]] = {
    "open": (_leads_out, _extensions),
    "head": (_leads_out, _linked, _extensions, _unborn),
    "status": (
        _leads_out,
        _linked,
        _borrowed,
        _object_format,
        _bad_checksum,
        _split_index,
        _sparse_index,
    ),
}
"""What may be the cause, by the step in which go-git failed; the likeliest first."""
