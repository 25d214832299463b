"""A stand-in for ``abra app deploy -C``: same inputs, same stamp, same labels, by our own code.

Its fidelity is not proved yet, so everything that it leaves behind says whose work it is (`WHOSE`).
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from lab.abra.folder import AbraFolder
from lab.abra.stamp import chaos_version, label, stack_name
from lab.errors import LabError
from lab.history import CommandRan, Deployed, Note
from lab.recipe.compose import DEFAULT_FILE, overlay_text, parse, read_texts
from lab.recipe.reading import exports_of
from lab.world import Stack, World

WHOSE = "abra stand-in of stamplab"
STAMPED_SERVICE = "app"


class ChaosDeploy(msgspec.Struct, frozen=True, kw_only=True):
    """What a chaos deploy did: the stamp that it took, and the swarm's answer."""

    stamp: str
    stack: str
    deployed: Deployed


def chaos_deploy(world: World, folder: AbraFolder, domain: str) -> ChaosDeploy:
    """Deploy the checkout as it is and stamp it, like ``abra app deploy -C -o -n -c --debug``.

    Chaos mode never checks anything out (abra@06a57de pkg/recipe/git.go:41-43). Raises LabError
    when there is no such app or no usable checkout.
    """
    recipe = recipe_of(folder, domain)
    checkout = folder.recipe(recipe)
    stack = stack_name(domain)
    began_s = world.now_s()
    planted = folder.planted_stamp()
    stamp = planted or chaos_version(checkout)
    whose = f"{WHOSE}, the stamp is planted" if planted else WHOSE
    debug = f"DEBU app/deploy.go:372 version: taking chaos version: {stamp}"
    world.record(Note(text=f"{debug} ({whose})"))
    plain = stack_of(folder, domain)
    labels = _write_labels(folder, plain, recipe, stamp)
    deployed = world.apply(
        msgspec.structs.replace(
            plain, compose_files=(*plain.compose_files, labels), own_files=(labels,)
        )
    )
    world.record(
        CommandRan(
            argv=("abra", "app", "deploy", "-C", "-o", "-n", "-c", "--debug", domain),
            exit_code=deployed.exit_code,
            took_s=round(world.now_s() - began_s, 6),
            output=f"{debug}\n{deployed.output}",
            by=whose,
        )
    )
    return ChaosDeploy(stamp=stamp, stack=stack, deployed=deployed)


def recipe_of(folder: AbraFolder, domain: str) -> str:
    """The recipe that an app's settings name. Raises LabError where they name none."""
    recipe = folder.read_env(domain).get("TYPE", "").partition(":")[0]
    if not recipe:
        raise LabError(f"the app {domain} in {folder.path} names no recipe (TYPE)")
    return recipe


def stack_of(folder: AbraFolder, domain: str) -> Stack:
    """The stack of an app as its checkout is now, without labels of abra's own.

    The environment is the app's settings and what the recipe's ``abra.sh`` exports, which wins
    (unverified). Raises LabError, RecipeRefused.
    """
    checkout = folder.recipe(recipe_of(folder, domain))
    settings = folder.read_env(domain)
    stack = stack_name(domain)
    files = settings.get("COMPOSE_FILE", DEFAULT_FILE).split(":")
    return Stack(
        name=stack,
        directory=checkout,
        compose_files=tuple(checkout / file for file in files),
        environment={**settings, **exports_of(checkout), "STACK_NAME": stack},
    )


def _write_labels(folder: AbraFolder, stack: Stack, recipe: str, stamp: str) -> Path:
    """Write abra's labels as one more overlay, outside the checkout, which it would make dirty."""
    labels = {
        label(stack.name, "recipe"): recipe,
        label(stack.name, "chaos"): "true",
        label(stack.name, "chaos-version"): stamp,
    }
    services = {STAMPED_SERVICE: {"deploy": {"labels": labels}}}
    first = stack.compose_files[0].relative_to(stack.directory)
    version = parse(read_texts(stack.directory, (str(first),)), stack.environment).version
    file = folder.overlays / f"{stack.name}.yml"
    file.write_text(overlay_text(version, {"services": services}))
    return file
