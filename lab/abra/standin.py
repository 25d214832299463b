"""A stand-in for ``abra app deploy -C``: same inputs, same stamp, same labels, by our own code.

Its fidelity is not proved yet, so everything that it leaves behind says whose work it is (`WHOSE`).
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import yaml

from lab.abra.folder import AbraFolder
from lab.abra.stamp import chaos_version, label, stack_name
from lab.errors import LabError
from lab.history import CommandRan, Deployed, Note
from lab.world import Stack, World

WHOSE = "abra stand-in of stamplab"
_STAMPED_SERVICE = "app"


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
    settings = folder.read_env(domain)
    recipe = settings.get("TYPE", "").partition(":")[0]
    if not recipe:
        raise LabError(f"the app {domain} in {folder.path} names no recipe (TYPE)")
    checkout = folder.recipe(recipe)
    stack = stack_name(domain)
    began_s = world.now_s()
    planted = folder.planted_stamp()
    stamp = planted or chaos_version(checkout)
    whose = f"{WHOSE}, the stamp is planted" if planted else WHOSE
    debug = f"DEBU app/deploy.go:372 version: taking chaos version: {stamp}"
    world.record(Note(text=f"{debug} ({whose})"))
    files = settings.get("COMPOSE_FILE", "compose.yml").split(":")
    labels = _write_labels(folder, stack, recipe, stamp)
    deployed = world.apply(
        Stack(
            name=stack,
            directory=checkout,
            compose_files=(*(checkout / file for file in files), labels),
            own_files=(labels,),
            environment={**settings, "STACK_NAME": stack},
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


def _write_labels(folder: AbraFolder, stack: str, recipe: str, stamp: str) -> Path:
    """Write abra's labels as one more overlay, outside the checkout, which it would make dirty."""
    labels = {
        label(stack, "recipe"): recipe,
        label(stack, "chaos"): "true",
        label(stack, "chaos-version"): stamp,
    }
    service = {_STAMPED_SERVICE: {"deploy": {"labels": labels}}}
    file = folder.overlays / f"{stack}.yml"
    file.write_text(yaml.safe_dump({"version": "3.8", "services": service}))
    return file
