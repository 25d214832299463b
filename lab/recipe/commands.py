"""Which programs a recipe's images must have for the stand-in to be started and asked.

An overlay cannot replace a recipe's health check, nor (with older clients) its entrypoint, because
docker/cli's loader *appends* lists when it merges files. So the recipe's commands must work as they
stand, and the stand-in's image has a program by each of their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from stamplab.lab.recipe.compose import ComposeService

_FIRST_OF_TEST = ("CMD", "CMD-SHELL", "NONE")
_SEPARATORS = re.compile(r"[;&|()`{}\n]+")
_BETWEEN_WORDS = re.compile(r"[\s<>\"'$=]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.+-]{0,63}")
_PATH = re.compile(r"(?:\.{0,2}/)?[A-Za-z0-9_.+-]+(?:/[A-Za-z0-9_.+-]+)*")
_PATH_CHARACTERS_MAX = 90
"""What a tar's oldest header holds, and more than any program's path has."""
_FOUND_ON_PATH = "/bin"
_NOT_OF_IMAGES = ("/proc", "/sys", "/dev", "/etc", "/tmp")  # noqa: S108 - no file is made there


# Lists of a recipe cannot be replaced by an overlay (ADR 0017).
def commands_of(service: ComposeService) -> frozenset[str]:
    """Absolute paths of all programs that a service's entrypoint and health check may call.

    Of a shell's text every word may be a command, be it behind ``timeout 5`` or ``exec``: a program
    too many does no harm. A path counts only where a command stands, for others are files.
    """
    called = [*service.programs, *_called_by(service.healthcheck.test)]
    paths = {_absolute(word, service.working_dir) for word in called}
    return frozenset(path for path in paths if path is not None)


def without_folders(paths: Iterable[str]) -> frozenset[str]:
    """The same without those that would have to be a folder for others of them."""
    found = frozenset(paths)
    folders = {str(parent) for path in found for parent in PurePosixPath(path).parents}
    return found - folders


def _called_by(test: Iterable[str]) -> Iterator[str]:
    words = [word for word in test if word not in _FIRST_OF_TEST]
    if not words:
        return
    yield words[0]
    for text in words:
        is_shells = any(map(str.isspace, text))
        for command in _SEPARATORS.split(text):
            called = [word for word in _BETWEEN_WORDS.split(command) if word]
            yield from called[: 1 if is_shells else 0]
            yield from (word for word in called if _NAME.fullmatch(word))


def _absolute(word: str, working_dir: str) -> str | None:
    if "/" in word:
        path = PurePosixPath("/", working_dir, word)
    else:
        path = PurePosixPath(_FOUND_ON_PATH, word if _NAME.fullmatch(word) else "..")
    if ".." in path.parts or not _PATH.fullmatch(str(path)) or len(path.parts) < 2:
        return None
    is_elsewhere = any(path.is_relative_to(root) for root in _NOT_OF_IMAGES)
    return None if is_elsewhere or len(str(path)) > _PATH_CHARACTERS_MAX else str(path)
