"""Why git and go-git do not say the same of a repository, each reason a predicate on its state.

None of them asks git or go-git; each says what git's verdict may be where go-git's is another.
docs/abra.md has them in a table. `explain` tells a person why abra marks a checkout that git calls
clean, or the other way round.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec

from stamplab.lab.abra.gogit.names import allows_in_tree
from stamplab.lab.abra.gogit.patterns import lines_in
from stamplab.lab.abra.gogit.place import NO_COMMIT, head_of
from stamplab.lab.abra.gogit.settings import Settings, read_settings
from stamplab.lab.abra.gogit.state import State, fails
from stamplab.lab.abra.gogit.worktree import LINK
from stamplab.lab.errors import LabError

_OTHER_DIALECT = re.compile(r"^!|^\ufeff|\*\*|\[|\\")
CLEAN_DIRTY, DIRTY_CLEAN = ("clean", "dirty"), ("dirty", "clean")
EITHER = (CLEAN_DIRTY, DIRTY_CLEAN)
GOGIT_REFUSES = (("clean", "refused"), ("dirty", "refused"))
GIT_REFUSES = (("refused", "clean"), ("refused", "dirty"))


class Difference(msgspec.Struct, frozen=True):
    """A reason, and the pairs of verdicts (git's, go-git's) that it explains."""

    name: str
    pairs: tuple[tuple[str, str], ...]
    holds: Callable[[State], bool]


def explain(checkout: Path, home: Path) -> tuple[Difference, ...]:
    """Every reason that holds for a checkout, for a user of that HOME."""
    state = State(checkout, home)
    return tuple(difference for difference in DIFFERENCES if _holds(difference, state))


def _holds(difference: Difference, state: State) -> bool:
    try:
        return difference.holds(state)
    except LabError:
        # Where something cannot be read, that is the reason, and has a predicate of its own.
        return False


def _ignored_elsewhere(state: State) -> bool:
    files = [state.place.dot / "info" / "exclude", state.home / "xdg" / "git" / "ignore"]
    for settings in (state.settings, read_settings(state.home / ".gitconfig")):
        if named := settings.last("core.excludesfile"):
            files.append(state.home / named.removeprefix("~/"))
    return any(any(lines_in(file)) for file in files)


def _other_dialect(state: State) -> bool:
    return (
        any(_OTHER_DIALECT.search(line) for line in state.ignore_lines)
        or any(
            path.rpartition(b"/")[2] == b".gitignore" and stat.S_ISLNK(status.st_mode)
            for path, status in state.files.items()
        )
        or state.settings.truth("core.ignorecase") is True
    )


def _converted(state: State) -> bool:
    return state.converts and bool(state.tracked)


def _mode_ignored(state: State) -> bool:
    return state.settings.truth("core.filemode") is False and any(
        stat.S_ISREG(status.st_mode) and not state.has_mode(entry, status)
        for entry, status in state.tracked
    )


def _link_as_file(state: State) -> bool:
    return state.settings.truth("core.symlinks") is False and any(
        (entry.mode == LINK) != stat.S_ISLNK(status.st_mode) for entry, status in state.tracked
    )


def _absolute_link(state: State) -> bool:
    return any(
        entry.mode == LINK
        and stat.S_ISLNK(status.st_mode)
        and os.readlink(state.path(entry.name)).startswith("/")  # noqa: PTH115
        and not state.is_trusted(entry, status)
        for entry, status in state.tracked
    )


def _stat_trusted(state: State) -> bool:
    return any(
        state.is_trusted(entry, status) and not state.has_own_bytes(entry, status)
        for entry, status in state.tracked
    )


def _stat_overtrusted(state: State) -> bool:
    lenient = state.settings.last("core.checkstat") == "minimal" or (
        state.settings.truth("core.trustctime") is False
    )
    return lenient and any(not state.is_trusted(*one) for one in state.tracked)


def _assumed_unchanged(state: State) -> bool:
    return any(entry.assume_valid for entry in state.index.entries)


def _skipped(state: State) -> bool:
    return any(entry.skip_worktree for entry in state.index.entries)


def _inside_submodule(state: State) -> bool:
    return any(path in state.repositories_inside for path in state.gitlinks)


def _unnamed_gitlink(state: State) -> bool:
    return bool(state.gitlinks - state.submodules.commits.keys())


def _other_submodule_head(state: State) -> bool:
    populated = state.gitlinks & state.repositories_inside & state.submodules.commits.keys()
    return any(
        state.checked_out_head(path) != state.submodules.commits[path].hex() for path in populated
    )


def _submodule_without_repository(state: State) -> bool:
    return bool(state.submodules.created)


def _file_as_submodule(state: State) -> bool:
    return any(path in state.files for path in state.gitlinks & state.submodules.commits.keys())


def _named_but_no_gitlink(state: State) -> bool:
    others = state.submodules.commits.keys() - state.gitlinks
    return any(path in state.folders or path in state.files for path in others)


def _nested_repository(state: State) -> bool:
    return bool(state.repositories_inside - state.gitlinks)


def _special_file(state: State) -> bool:
    return any(
        not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode))
        for status in state.files.values()
    )


def _unopenable_file(state: State) -> bool:
    return any(
        not state.rules.allows(entry.name) and not state.is_trusted(entry, status)
        for entry, status in state.tracked
    )


def _replaced(state: State) -> bool:
    dot = state.place.dot
    packed = dot / "packed-refs"
    return any((dot / "refs" / "replace").glob("*")) or (
        packed.is_file() and b" refs/replace/" in packed.read_bytes()
    )


def _elsewhere(state: State) -> bool:
    return state.settings.last("core.worktree") is not None


def _hidden(state: State) -> bool:
    own = (state.settings, read_settings(state.home / ".gitconfig"))
    return any(_hides(settings) for settings in own) or (
        _hides(read_settings(state.place.root / ".gitmodules"))
    )


def _hides(settings: Settings) -> bool:
    return any(
        key in ("status.showuntrackedfiles", "diff.ignoresubmodules")
        or (key.startswith("submodule.") and key.endswith(".ignore"))
        for key, _ in settings.entries
    )


def _conflict(state: State) -> bool:
    return any(entry.stage for entry in state.index.entries)


def _no_index(state: State) -> bool:
    return not state.index.exists


def _foreign(state: State) -> bool:
    owners = {path.stat().st_uid for path in (state.place.root, state.place.dot)}
    return owners != {os.geteuid()}


def _bare(state: State) -> bool:
    return state.settings.truth("core.bare") is True


def _headless(state: State) -> bool:
    return head_of(state.place.dot) == NO_COMMIT


def _not_utf8(state: State) -> bool:
    known = {entry.name for entry in state.index.entries}
    return any(not _is_utf8(path) for path in state.files if path not in known)


def _is_utf8(path: bytes) -> bool:
    try:
        path.decode()
    except UnicodeDecodeError:
        return False
    return True


def _unsupported(state: State) -> bool:
    return fails(state.supported)


def _linked(state: State) -> bool:
    return (state.place.dot / "commondir").exists()


def _borrows(state: State) -> bool:
    return (state.place.dot / "objects" / "info" / "alternates").exists()


def _unreadable_commit(state: State) -> bool:
    return fails(lambda: state.committed)


def _unreadable_index(state: State) -> bool:
    return fails(lambda: state.index)


def _unopenable_folder(state: State) -> bool:
    committed = {folder for file in state.committed for folder in file.folders}
    return any(not state.rules.allows(path) for path in state.folders) or any(
        not allows_in_tree(folder) for folder in committed
    )


def _unreadable_submodules(state: State) -> bool:
    return fails(lambda: state.submodules)


DIFFERENCES = (
    Difference("ignored elsewhere", (CLEAN_DIRTY,), _ignored_elsewhere),
    Difference("ignore dialect", EITHER, _other_dialect),
    Difference("converted content", EITHER, _converted),
    Difference("file modes ignored", (CLEAN_DIRTY,), _mode_ignored),
    Difference("links as files", (CLEAN_DIRTY,), _link_as_file),
    Difference("absolute link", (CLEAN_DIRTY,), _absolute_link),
    Difference("stat data believed", (DIRTY_CLEAN,), _stat_trusted),
    Difference("stat data believed by git", (CLEAN_DIRTY,), _stat_overtrusted),
    Difference("assume-unchanged", (CLEAN_DIRTY,), _assumed_unchanged),
    Difference("skip-worktree", EITHER, _skipped),
    Difference("changes inside a submodule", (DIRTY_CLEAN,), _inside_submodule),
    Difference("gitlink without .gitmodules", (CLEAN_DIRTY,), _unnamed_gitlink),
    Difference("another submodule HEAD", EITHER, _other_submodule_head),
    Difference(
        "submodule without a repository",
        (*EITHER, *GIT_REFUSES),
        _submodule_without_repository,
    ),
    Difference("file in a submodule's place", (DIRTY_CLEAN,), _file_as_submodule),
    Difference(".gitmodules without gitlink", EITHER, _named_but_no_gitlink),
    Difference("nested repository", EITHER, _nested_repository),
    Difference("special file", (CLEAN_DIRTY,), _special_file),
    Difference("file name refused", (CLEAN_DIRTY,), _unopenable_file),
    Difference("replaced objects", EITHER, _replaced),
    Difference("work tree elsewhere", (*EITHER, *GIT_REFUSES), _elsewhere),
    Difference("hidden by configuration", (CLEAN_DIRTY,), _hidden),
    Difference("unresolved conflict", (DIRTY_CLEAN,), _conflict),
    Difference("no index", (CLEAN_DIRTY,), _no_index),
    Difference("another owner", GIT_REFUSES, _foreign),
    Difference("bare by configuration", (*GIT_REFUSES, CLEAN_DIRTY), _bare),
    Difference("HEAD that holds no SHA", GIT_REFUSES, _headless),
    Difference("name that is no UTF-8", GIT_REFUSES, _not_utf8),
    Difference("unsupported format", GOGIT_REFUSES, _unsupported),
    Difference("linked work tree", GOGIT_REFUSES, _linked),
    Difference("borrowed objects", (*GOGIT_REFUSES, CLEAN_DIRTY), _borrows),
    Difference("commit without its objects", GOGIT_REFUSES, _unreadable_commit),
    Difference("index not understood", GOGIT_REFUSES, _unreadable_index),
    Difference("folder name refused", GOGIT_REFUSES, _unopenable_folder),
    Difference("submodule refused", GOGIT_REFUSES, _unreadable_submodules),
)
"""Every known reason. A difference that none of them explains is a bug of ours."""
