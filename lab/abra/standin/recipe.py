"""The stand-in's command on recipes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click

from stamplab.lab.abra.standin.session import Session, with_session
from stamplab.lab.abra.version_checkout import CheckoutFlags, ensure
from stamplab.lab.errors import LabError
from stamplab.lab.recipe import git

RECIPES = "STAMPLAB_RECIPES"
"""Environment variable: the folder that recipes are cloned from instead of a forge."""


@click.group("recipe")
def recipe_group() -> None:
    """Manage recipes."""


@recipe_group.command()
@with_session
@click.option("-f", "--force", is_flag=True, help="Force re-fetch.")
@click.argument("name")
def fetch(session: Session, force: bool, name: str) -> None:
    """Clone a recipe."""
    target = session.folder.recipe(name)
    if target.exists() and not force:
        click.echo(f"WARN {name} is already fetched", err=True)
        return
    if target.exists():
        ensure(target, None, CheckoutFlags(), session.debug)
        return
    sources = os.environ.get(RECIPES)
    if not sources:
        raise LabError(f"{RECIPES} is not set: the stand-in uses no network, so no forge")
    paths = [path for file in (name, f"{name}.git") if (path := Path(sources) / file).exists()]
    if not paths:
        raise LabError(f"there is no recipe {name} in {sources}")
    # Cloned aside and renamed: there is never half a recipe.
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=target.parent) as scratch:
        git.clone(paths[0], Path(scratch) / name)
        (Path(scratch) / name).rename(target)
