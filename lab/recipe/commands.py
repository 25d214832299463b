"""The programs that a recipe's entrypoints and health checks call.

An overlay cannot replace a recipe's health check, nor (with older clients) its entrypoint, because
docker/cli's loader *appends* lists when it merges files. So the recipe's commands stay, and the
workload's image has a program of each of their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from stamplab.lab.recipe.compose import ComposeService

_TEST_KINDS = ("CMD", "CMD-SHELL", "NONE")
_SEPARATORS = re.compile(r"[;&|()`{}\n]+")
_BETWEEN_WORDS = re.compile(r"[\s<>\"'$=]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.+-]{0,63}")
_PATH = re.compile(r"(?:\.{0,2}/)?[A-Za-z0-9_.+-]+(?:/[A-Za-z0-9_.+-]+)*")
_PATH_CHARACTERS_MAX = 90
"""The oldest tar header holds 100 characters; no program's path is as long."""
_COMMAND_FOLDER = "/bin"
_FOLDERS_OUTSIDE_IMAGES = ("/proc", "/sys", "/dev", "/etc", "/tmp")  # noqa: S108 - no file is made there


# Lists of a recipe cannot be replaced by an overlay (ADR 0017).
def commands_of(service: ComposeService) -> frozenset[str]:
    """Return the absolute paths of the programs that a service may call.

    Every word of a shell's text may be a command, for example behind ``timeout 5`` or ``exec``: a
    program too many does no harm. A path counts only at a command's place: others are files.
    """
    words = [*service.programs, *_called_words(service.healthcheck.test)]
    paths = {_absolute(word, service.working_dir) for word in words}
    return frozenset(path for path in paths if path is not None)


def drop_parent_folders(paths: Iterable[str]) -> frozenset[str]:
    """Drop every path that is a folder of another path."""
    programs = frozenset(paths)
    return programs - {str(folder) for path in programs for folder in PurePosixPath(path).parents}


def _called_words(test: Iterable[str]) -> Iterator[str]:
    words = [word for word in test if word not in _TEST_KINDS]
    if not words:
        return
    yield words[0]
    for text in words:
        is_shell_text = any(map(str.isspace, text))
        for command in _SEPARATORS.split(text):
            parts = [word for word in _BETWEEN_WORDS.split(command) if word]
            yield from parts[: 1 if is_shell_text else 0]
            yield from (word for word in parts if _NAME.fullmatch(word))


def _absolute(word: str, working_dir: str) -> str | None:
    if "/" in word:
        path = PurePosixPath("/", working_dir, word)
    else:
        path = PurePosixPath(_COMMAND_FOLDER, word if _NAME.fullmatch(word) else "..")
    if ".." in path.parts or not _PATH.fullmatch(str(path)) or len(path.parts) < 2:
        return None
    is_outside = any(path.is_relative_to(root) for root in _FOLDERS_OUTSIDE_IMAGES)
    return None if is_outside or len(str(path)) > _PATH_CHARACTERS_MAX else str(path)
