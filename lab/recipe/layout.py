"""What a recipe's folder holds, where no app says yet which of it is deployed."""

from __future__ import annotations

from pathlib import Path

from stamplab.lab.errors import UsageError
from stamplab.lab.recipe.checkout import SAMPLE
from stamplab.lab.recipe.containment import way_out
from stamplab.lab.recipe.env_file import parse_env
from stamplab.lab.recipe.trust import Demand
from stamplab.lab.world import Stack

_PATTERNS = ("compose*.yml", "compose*.yaml", "docker-compose*.yml", "docker-compose*.yaml")
_REST_OF_THE_LIST = "$COMPOSE_FILE"
"""How a sample of a longer COMPOSE_FILE names those of the line before."""


def stack_at(path: Path) -> Stack:
    """The stack of a compose file, or of all compose files of a recipe's folder.

    Any of a folder's overlays may be chosen, so all are in it, with those that the sample of its
    env file names; that sample's settings are its environment. Raises UsageError where there is
    no compose file.
    """
    path = path.absolute()
    folder = path.parent if path.is_file() else path
    settings = _sample(folder)
    if path.is_file():
        files = [path]
    else:
        found = (file for pattern in _PATTERNS for file in folder.glob(pattern))
        named = settings.get("COMPOSE_FILE", "").split(":")
        named = [name for name in named if name not in ("", _REST_OF_THE_LIST)]
        files = sorted({*found, *(folder / name for name in named)}, key=_in_order)
    if not files:
        raise UsageError(f"{path} is no recipe: there is no compose file in it")
    return Stack(
        name=folder.name, directory=folder, compose_files=tuple(files), environment=settings
    )


def stray_sample(folder: Path) -> Demand | None:
    """A sample of the env file that is a link out of the folder; it was not opened."""
    objection = way_out(folder, folder / SAMPLE)
    if objection is None:
        return None
    return Demand(file=SAMPLE, place="the whole file", value="", reason=objection, grant=None)


def _sample(folder: Path) -> dict[str, str]:
    sample = folder / SAMPLE
    if stray_sample(folder) is not None or not sample.is_file():
        return {}
    try:
        return parse_env(sample.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{sample} cannot be read: {error}") from error


def _in_order(file: Path) -> tuple[int, str]:
    """The recipe's own compose file first: references begin where it is."""
    return (0 if file.stem in ("compose", "docker-compose") else 1, str(file))
