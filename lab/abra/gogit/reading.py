"""HEAD and cleanliness, put together."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from stamplab.lab.abra.gogit.index import Entry, read_index
from stamplab.lab.abra.gogit.names import NameRules, allows_in_tree
from stamplab.lab.abra.gogit.nodes import Change, changes, tree_of
from stamplab.lab.abra.gogit.patterns import Pattern, is_ignored, patterns_in, patterns_of_tree
from stamplab.lab.abra.gogit.place import NO_COMMIT, Place, head_of, locate
from stamplab.lab.abra.gogit.settings import Settings, read_settings, require_supported
from stamplab.lab.abra.gogit.submodules import read_submodules
from stamplab.lab.abra.gogit.worktree import WorkTree
from stamplab.lab.errors import LabError
from stamplab.lab.recipe.objects import Listed, files_of_commit


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """The commit that HEAD names, and the paths that make the work tree dirty."""

    head: str
    staged: tuple[str, ...]
    unstaged: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Whether nothing was changed since that commit."""
        return not (self.staged or self.unstaged)


def read(checkout: Path, home: Path | None = None) -> Reading:
    """Read a checkout as go-git's PlainOpen, Head and Status do.

    ``home`` adds the patterns of the file that its ``.gitconfig`` names as ``core.excludesFile``,
    as abra is believed to do (unverified). Source: go-git worktree_status.go:54. Raises LabError.
    """
    place = locate(checkout)
    settings = read_settings(place.dot / "config")
    require_supported(place.dot, settings)
    head = head_of(place.dot)
    if head is None:
        raise LabError(
            f"the HEAD of {checkout} cannot be read: it names a branch that has no commit yet"
            + _if_linked(place)
        )
    index = read_index(place.dot)
    committed = _committed(checkout, place, head)
    staged = changes(tree_of(committed), tree_of(index.entries))
    rules = rules_of(settings)
    submodules = read_submodules(place, settings, index, rules)
    tree = WorkTree(place.root, index, rules, submodules.commits, submodules.created)
    found = list(changes(tree_of(index.entries), tree.tree()))
    patterns = patterns_of_tree(place.root, rules)
    extra = _global_patterns(home) if home else []
    return Reading(
        head=head,
        staged=tuple(_shown(change) for change in staged),
        unstaged=tuple(_shown(one) for one in found if not _is_ignored(one, patterns, extra)),
    )


def rules_of(settings: Settings) -> NameRules:
    """Which names go-git refuses in this repository."""
    ntfs, hfs = settings.truth("core.protectntfs"), settings.truth("core.protecthfs")
    return NameRules(ntfs=ntfs is not False, hfs=hfs is True)


def _committed(checkout: Path, place: Place, head: str) -> list[Entry]:
    if head == NO_COMMIT:
        return []
    try:
        files = files_of_commit(place.dot, head)
    except LabError as error:
        raise LabError(
            f"the commit {head} of {checkout} cannot be read: {error}{_if_linked(place)}"
        ) from error
    folders = {folder for file in files for folder in file.folders}
    if unreadable := sorted(folder for folder in folders if not allows_in_tree(folder)):
        raise LabError(
            f"the commit {head} of {checkout} cannot be read as go-git would: it does not open "
            f"the folder {os.fsdecode(unreadable[0])!r}"
        )
    return [_as_entry(file) for file in files]


def _as_entry(file: Listed) -> Entry:
    return Entry(
        name=file.name,
        mode=file.mode,
        sha=bytes.fromhex(file.sha),
        size_bytes=0,
        modified_ns=0,
        stage=0,
        skip_worktree=False,
        intent_to_add=False,
        assume_valid=False,
    )


def _if_linked(place: Place) -> str:
    if not (place.dot / "commondir").exists():
        return ""
    return " (it is a linked work tree, made by `git worktree add`, which go-git cannot read)"


def _is_ignored(change: Change, patterns: list[Pattern] | None, extra: list[Pattern]) -> bool:
    """Only what is not in the index can be ignored (worktree_status.go:180)."""
    if change.before or patterns is None:
        return False
    return is_ignored([*patterns, *extra], [os.fsdecode(part) for part in change.path], False)


def _global_patterns(home: Path) -> list[Pattern]:
    """Source: go-git plumbing/format/gitignore/dir.go:92 (loadPatterns)."""
    named = read_settings(home / ".gitconfig").section("core").get("excludesfile", "")
    if not named:
        return []
    path = home / named.removeprefix("~/") if named.startswith("~/") else Path("/") / named
    return patterns_in(path)


def _shown(change: Change) -> str:
    return os.fsdecode(b"/".join(change.path))
