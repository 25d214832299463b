"""A recipe's files in a work tree, read before any app of the recipe exists."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from stamplab.lab.errors import UsageError
from stamplab.lab.recipe import checkout
from stamplab.lab.recipe.commands import commands_of, drop_parent_folders
from stamplab.lab.recipe.compose import DEFAULT_FILE, Compose, read_texts
from stamplab.lab.recipe.env_file import exported_variables, parse_env
from stamplab.lab.world import Stack

SCRIPT = "abra.sh"


class RecipeContents(msgspec.Struct, frozen=True, kw_only=True):
    """A recipe's stack with the settings of its env file's sample."""

    stack: Stack
    compose: Compose

    @property
    def commands(self) -> frozenset[str]:
        """Paths of the programs that entrypoints and health checks call."""
        paths = (commands_of(service) for service in self.compose.services.values())
        return drop_parent_folders(frozenset().union(*paths))


def read_recipe(
    tree: Path, name: str, judge: Callable[[Stack], None] = lambda _: None
) -> RecipeContents:
    """Read a recipe; ``judge`` may raise RecipeRefused before the compose files are read.

    Raises LabError, RecipeRefused, UsageError.
    """
    settings = parse_env(checkout.read_env_sample(tree))
    files = tuple((settings.get("COMPOSE_FILE") or DEFAULT_FILE).split(":"))
    environment = {**settings, **script_exports(tree), "STACK_NAME": name}
    missing = [file for file in files if not (tree / file).exists()]
    if missing:
        names = " and no ".join(missing)
        raise UsageError(f"{name} is no recipe that can be deployed: there is no {names} in it")
    stack = Stack(
        name=name,
        directory=tree,
        compose_files=tuple(tree / file for file in files),
        environment=environment,
    )
    judge(stack)
    return RecipeContents(stack=stack, compose=checkout.read_compose(tree, files, environment))


def script_exports(tree: Path) -> dict[str, str]:
    """Return the variables that a recipe's ``abra.sh`` exports. Raises LabError, RecipeRefused."""
    script = tree / SCRIPT
    if not script.exists() and not script.is_symlink():
        return {}
    return exported_variables(read_texts(tree, (SCRIPT,))[SCRIPT])
