"""Names that go-git will not open, whatever the file system says.

Source: go-git worktree_fs.go:253 (validPath), internal/pathutil. ``core.protectNTFS`` is on
everywhere unless the repository says otherwise, ``core.protectHFS`` off.
"""

from __future__ import annotations

import re

import msgspec

_DEVICES = rb"con|prn|aux|nul|com[1-9]|lpt[1-9]|conin\$|conout\$"
_WINDOWS_DEVICE = re.compile(rb"(?:%s)(?:[ .:].*)?" % _DEVICES, re.IGNORECASE | re.DOTALL)
_GIT_FOLDER = re.compile(rb"\.git|git~1", re.IGNORECASE)
_GIT_FOLDER_ON_NTFS = re.compile(rb"(?:\.git|git~1)[. ]*(?::.*)?", re.IGNORECASE | re.DOTALL)
_HFS_IGNORES = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")


class NameRules(msgspec.Struct, frozen=True):
    """Which file systems' disguises of ``.git`` a repository is protected from."""

    ntfs: bool = True
    hfs: bool = False

    def allows(self, path: bytes) -> bool:
        """Whether go-git opens, reads and lists a path of the work tree."""
        parts = [part for part in re.split(rb"[\\/]", path) if part]
        if not parts or _has_control_character(path):
            return False
        return all(
            part not in (b".", b"..")
            and not (self.ntfs and self._is_odd_on_ntfs(part))
            and not (self._is_git_folder(part) and (index == 0 or index < len(parts) - 1))
            for index, part in enumerate(parts)
        )

    def _is_git_folder(self, part: bytes) -> bool:
        return bool(_GIT_FOLDER.fullmatch(part)) or (self.hfs and _is_git_on_hfs(part))

    @staticmethod
    def _is_odd_on_ntfs(part: bytes) -> bool:
        disguised = _GIT_FOLDER_ON_NTFS.fullmatch(part) and not _GIT_FOLDER.fullmatch(part)
        return bool(disguised or _WINDOWS_DEVICE.fullmatch(part))


def allows_in_tree(path: bytes) -> bool:
    """Whether go-git accepts a folder of a commit or of ``.gitmodules``.

    Source: go-git internal/pathutil/tree.go:36.
    """
    parts = [part for part in re.split(rb"[\\/]", path) if part]
    return bool(parts) and not (
        _has_control_character(path)
        or any(
            part in (b".", b"..") or _GIT_FOLDER_ON_NTFS.fullmatch(part) or _is_git_on_hfs(part)
            for part in parts
        )
    )


def _is_git_on_hfs(part: bytes) -> bool:
    return _HFS_IGNORES.sub("", part.decode(errors="replace")).lower() == ".git"


def _has_control_character(path: bytes) -> bool:
    return any(byte < 0x20 or byte == 0x7F for byte in path)
