"""A recipe as it stands in a work tree, before any app of it exists."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from stamplab.lab.errors import UsageError
from stamplab.lab.recipe import checkout
from stamplab.lab.recipe.commands import commands_of, without_folders
from stamplab.lab.recipe.compose import DEFAULT_FILE, Compose, read_texts
from stamplab.lab.recipe.env_file import exported, parse_env
from stamplab.lab.world import Stack

SCRIPT = "abra.sh"


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a recipe deploys with the settings of its sample."""

    stack: Stack
    compose: Compose

    @property
    def commands(self) -> frozenset[str]:
        """Programs that its containers are started, and their health is asked, by."""
        found = (commands_of(service) for service in self.compose.services.values())
        return without_folders(frozenset().union(*found))


def read_recipe(tree: Path, name: str, judge: Callable[[Stack], None] = lambda _: None) -> Reading:
    """Read the recipe of that name; ``judge`` may refuse it before its compose files are read.

    Raises LabError, RecipeRefused, UsageError.
    """
    settings = parse_env(checkout.read_sample(tree))
    files = tuple((settings.get("COMPOSE_FILE") or DEFAULT_FILE).split(":"))
    environment = {**settings, **exports_of(tree), "STACK_NAME": name}
    missing = [file for file in files if not (tree / file).exists()]
    if missing:
        lacks = " and no ".join(missing)
        raise UsageError(f"{name} is no recipe that can be deployed: there is no {lacks} in it")
    stack = Stack(
        name=name,
        directory=tree,
        compose_files=tuple(tree / file for file in files),
        environment=environment,
    )
    judge(stack)
    return Reading(stack=stack, compose=checkout.read_compose(tree, files, environment))


def exports_of(tree: Path) -> dict[str, str]:
    """What a recipe's ``abra.sh`` exports, mostly the versions of its configs."""
    script = tree / SCRIPT
    if not script.exists() and not script.is_symlink():
        return {}
    return exported(read_texts(tree, (SCRIPT,))[SCRIPT])
