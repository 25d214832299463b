"""Which commit stands for each submodule that ``.gitmodules`` names.

go-git never looks into a submodule's files, only at its HEAD, and it finds a submodule by
``.gitmodules`` alone: a link to another repository that this file does not name is a folder like
any other. Source: go-git worktree_status.go:197, submodule.go:62 (status), :94 (repository),
config/modules.go:96.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

from stamplab.lab.abra.gogit.index import Index
from stamplab.lab.abra.gogit.names import NameRules, allows_in_tree
from stamplab.lab.abra.gogit.place import Place, head_of
from stamplab.lab.abra.gogit.settings import Settings, read_settings, require_supported
from stamplab.lab.errors import LabError

_ABSENT = bytes(20)
_DOTS = re.compile(r"(^|[/\\])\.\.([/\\]|$)")
_SCHEME = re.compile(r"[^:]+://")
_HOST = re.compile(r"(?:[^@]+@)?[^:/\s]+:(?:[0-9]{1,5}:)?[^\\].*")


class Submodules(msgspec.Struct, frozen=True):
    """The commit of each path, and the paths whose folder go-git makes by looking."""

    commits: dict[bytes, bytes]
    created: frozenset[bytes]


def read_submodules(place: Place, settings: Settings, index: Index, rules: NameRules) -> Submodules:
    """Read ``.gitmodules`` and the submodules' HEADs. Raises LabError where go-git fails."""
    file = place.root / ".gitmodules"
    if file.is_symlink():
        raise LabError(f"{file} is a link, which go-git refuses")
    if file.is_dir():
        raise LabError(f"{file} is a folder, which go-git cannot read")
    named = _valid(read_settings(file))
    initialised = _valid(settings)
    commits: dict[bytes, bytes] = {}
    created = set()
    for name, (path, _) in named.items():
        entry = index.find(path)
        commits[path] = entry.sha if entry else _ABSENT
        if name not in initialised:
            continue
        module = place.dot / "modules" / name
        _require_reachable(place, path, rules)
        if (module / "HEAD").exists():
            require_supported(module, read_settings(module / "config"))
            if head := head_of(module):
                commits[path] = bytes.fromhex(head)
        else:
            _require_creatable(place, settings, path, initialised[name][1])
            created.add(path)
    return Submodules(commits=commits, created=frozenset(created))


def _valid(settings: Settings) -> dict[str, tuple[bytes, str]]:
    """Path and URL of each submodule whose name and path are not suspicious."""
    found = {}
    for name, values in settings.subsections("submodule").items():
        path, url = values.get("path", ""), values.get("url", "")
        if _is_valid_name(name) and not (path and url and _DOTS.search(path)):
            found[name] = (os.fsencode(path), url)
    return found


def _is_valid_name(name: str) -> bool:
    return not (
        name in ("", ".")
        or _DOTS.search(name)
        or name[0] in "/\\"
        or name[-1] in "/\\"
        or name[1:2] == ":"
    )


def _require_reachable(place: Place, path: bytes, rules: NameRules) -> None:
    """go-git wants a submodule's path to be no link, nor to lead through one."""
    folder = place.root / os.fsdecode(path)
    steps = [folder, *folder.parents][: len(Path(os.fsdecode(path)).parts)]
    if (
        not allows_in_tree(path)
        or not rules.allows(path)
        or any(step.is_symlink() for step in steps)
    ):
        raise LabError(f"go-git does not open the submodule {os.fsdecode(path)!r} of {place.root}")


def _require_creatable(place: Place, settings: Settings, path: bytes, url: str) -> None:
    """A submodule without a repository in ``.git/modules`` is made by go-git, by looking at it.

    It puts a ``.git`` file into the folder, and resolves a relative URL by a remote.
    """
    folder = place.root / os.fsdecode(path)
    blocked = (folder / ".git").is_dir() or any(
        step.exists() and not step.is_dir()
        for step in (folder, *folder.parents)
        if step.is_relative_to(place.root)
    )
    if blocked:
        raise LabError(
            f"go-git cannot read the submodule {os.fsdecode(path)!r} of {place.root}: its "
            "repository is not in .git/modules (`git submodule absorbgitdirs` puts it there)"
        )
    if _is_relative(url) and not _has_remote(place, settings):
        raise LabError(
            f"go-git cannot read the submodule {os.fsdecode(path)!r} of {place.root}: its URL "
            f"{url!r} is relative, and there is no remote that it could be relative to"
        )


def _is_relative(url: str) -> bool:
    is_host = _HOST.fullmatch(url) and "/" not in url.partition(":")[0]
    return not (url.startswith("/") or _SCHEME.match(url) or is_host)


def _has_remote(place: Place, settings: Settings) -> bool:
    remotes = settings.subsections("remote")
    try:
        head = (place.dot / "HEAD").read_text(errors="surrogateescape").strip()
    except OSError:
        head = ""
    branch = head.removeprefix("ref: refs/heads/") if head.startswith("ref: refs/heads/") else ""
    chosen = settings.subsections("branch").get(branch, {}).get("remote", "")
    if not chosen:
        chosen = next(iter(remotes)) if len(remotes) == 1 else "origin"
    return "url" in remotes.get(chosen, {}) or "pushurl" in remotes.get(chosen, {})
