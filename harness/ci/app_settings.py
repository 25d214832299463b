"""The app's env file: the recipe's sample, and the settings of the run itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stamplab.harness.ci.app import App
from stamplab.lab.abra.folder import AbraFolder
from stamplab.lab.model.history import Note
from stamplab.lab.recipe.checkout import read_env_sample
from stamplab.lab.recipe.compose import DEFAULT_FILE
from stamplab.lab.recipe.env_file import parse_env, parse_settings, with_values

_FILES = "COMPOSE_FILE"


def write_env(folder: AbraFolder, app: App, checkout: Path, overlays: Sequence[str]) -> Note | None:
    """Make the app's env from the checked-out recipe's sample; later only add its new settings.

    Who upgrades an app leaves its settings as they are, but for those that the release notes ask
    for. Returns a note of the settings that were added to an env that there was.
    """
    sample = read_env_sample(checkout)
    if folder.env_file(app.domain).exists():
        return _add_new_settings(folder, app.domain, sample)
    files = [parse_env(sample).get(_FILES) or DEFAULT_FILE, *overlays]
    settings = {"TYPE": app.recipe, "DOMAIN": app.domain, _FILES: ":".join(files)}
    folder.write_env_text(app.domain, with_values(sample, settings))
    return None


def recipe_files(folder: AbraFolder, app: App, overlays: Sequence[str]) -> tuple[str, ...]:
    """List the recipe's own compose files among those that the app's env names."""
    named = folder.read_env(app.domain).get(_FILES, DEFAULT_FILE).split(":")
    return tuple(file for file in named if file not in overlays)


def _add_new_settings(folder: AbraFolder, domain: str, sample: str) -> Note | None:
    known = folder.read_env(domain)
    settings = parse_settings(sample)
    new = {setting.name: setting.value for setting in settings if setting.name not in known}
    if not new:
        return None
    folder.change_env(domain, new)
    return Note(text=f"settings that are new in the sample: {', '.join(new)}")
