"""The stack of a recipe's folder, before an app chooses among its compose files."""

from __future__ import annotations

from pathlib import Path

from stamplab.lab.errors import UsageError
from stamplab.lab.recipe.checkout import ENV_SAMPLE
from stamplab.lab.recipe.containment import escape_target
from stamplab.lab.recipe.env_file import parse_env
from stamplab.lab.recipe.trust import Demand
from stamplab.lab.world import Stack

_PATTERNS = ("compose*.yml", "compose*.yaml", "docker-compose*.yml", "docker-compose*.yaml")
_LIST_BEFORE = "$COMPOSE_FILE"
"""A sample's ``COMPOSE_FILE="$COMPOSE_FILE:x.yml"`` adds to the value of an earlier line."""


def stack_of_folder(path: Path) -> Stack:
    """Return the stack of a compose file, or of all compose files of a recipe's folder.

    An app may choose any overlay, so all are included, with those that the env file's sample
    names; the sample's settings are the environment. Raises UsageError without a compose file.
    """
    path = path.absolute()
    folder = path.parent if path.is_file() else path
    settings = _sample_settings(folder)
    if path.is_file():
        files = [path]
    else:
        present = (file for pattern in _PATTERNS for file in folder.glob(pattern))
        names = settings.get("COMPOSE_FILE", "").split(":")
        named = (folder / name for name in names if name not in ("", _LIST_BEFORE))
        files = sorted({*present, *named}, key=_compose_file_order)
    if not files:
        raise UsageError(f"{path} is no recipe: there is no compose file in it")
    return Stack(
        name=folder.name, directory=folder, compose_files=tuple(files), environment=settings
    )


def env_sample_demand(folder: Path) -> Demand | None:
    """Return a demand where the env file's sample is a link out of the folder; never open it."""
    objection = escape_target(folder, folder / ENV_SAMPLE)
    if objection is None:
        return None
    return Demand(file=ENV_SAMPLE, place="the whole file", value="", reason=objection, grant=None)


def _sample_settings(folder: Path) -> dict[str, str]:
    sample = folder / ENV_SAMPLE
    if env_sample_demand(folder) is not None or not sample.is_file():
        return {}
    try:
        return parse_env(sample.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{sample} cannot be read: {error}") from error


def _compose_file_order(file: Path) -> tuple[int, str]:
    """Sort the recipe's main compose file first: relative references begin at its folder."""
    return (0 if file.stem in ("compose", "docker-compose") else 1, str(file))
