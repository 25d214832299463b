"""The app's env file: the recipe's sample of it, and what the run itself sets."""

from __future__ import annotations

from harness.app import Bench
from lab.history import Note
from lab.recipe.checkout import read_sample
from lab.recipe.compose import DEFAULT_FILE
from lab.recipe.settings import parse_env, parse_settings, with_values
from lab.recipe.standin import OVERLAY_NAME

_FILES = "COMPOSE_FILE"


def settle(bench: Bench) -> None:
    """Make the app's env of the checked-out recipe's sample; later only add what is new in it.

    Who upgrades an app leaves its settings as they are, but for those that the release notes ask
    for.
    """
    sample = read_sample(bench.checkout)
    if bench.folder.env_file(bench.app.domain).exists():
        _add_new(bench, sample)
        return
    files = [parse_env(sample).get(_FILES) or DEFAULT_FILE, *_overlays_of(bench)]
    settings = {
        "TYPE": bench.app.recipe,
        "DOMAIN": bench.app.domain,
        _FILES: ":".join(files),
    }
    bench.folder.write_env_text(bench.app.domain, with_values(sample, settings))


def own_files(bench: Bench) -> tuple[str, ...]:
    """The recipe's own compose files among those that the app's env names."""
    named = bench.folder.read_env(bench.app.domain).get(_FILES, DEFAULT_FILE).split(":")
    return tuple(file for file in named if file not in _overlays_of(bench))


def _overlays_of(bench: Bench) -> list[str]:
    return [*(overlay.name for overlay in bench.overlays), OVERLAY_NAME]


def _add_new(bench: Bench, sample: str) -> None:
    domain = bench.app.domain
    known = bench.folder.read_env(domain)
    new = {one.name: one.value for one in parse_settings(sample) if one.name not in known}
    if not new:
        return
    bench.folder.change_env(domain, new)
    bench.world.record(Note(text=f"settings that are new in the sample: {', '.join(new)}"))
