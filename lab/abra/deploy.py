"""``abra app deploy -C`` on a world: by the stand-in's own functions, or by a real abra.

The stand-in takes the same inputs and gives the same stamp and labels; docs/abra.md says how
faithful it is. The history names the program behind every deploy.
"""

from __future__ import annotations

import msgspec

from stamplab.lab.abra.app import AbraApp, read_app
from stamplab.lab.abra.driver import (
    CHAOS_FLAGS,
    CHAOS_VERSION,
    AbraProgram,
    abra_environment,
    confined_command,
    stamp_in,
    stand_in_name,
)
from stamplab.lab.abra.folder import AbraFolder
from stamplab.lab.abra.stamp import chaos_version
from stamplab.lab.abra.version_checkout import CheckoutFlags, ensure
from stamplab.lab.errors import LabError
from stamplab.lab.model.history import CommandRan, Deployed, Note
from stamplab.lab.world import Deployer, DeployTarget


class ChaosDeploy(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a chaos deploy: the stamp and the swarm's answer."""

    stamp: str
    stack: str
    deployed: Deployed


def chaos_deploy(
    world: DeployTarget, folder: AbraFolder, domain: str, program: AbraProgram | None = None
) -> ChaosDeploy:
    """Deploy the checkout as it is and stamp it, like ``abra app deploy -C -o -n -c --debug``.

    Chaos mode never checks anything out (abra@06a57de pkg/recipe/git.go:41-43). ``program`` is a
    real abra; without one the stand-in's functions deploy. Raises LabError without such an app or
    a usable checkout.
    """
    app = read_app(folder, domain)
    ensure(
        app.checkout, app.pinned_version, CheckoutFlags(chaos=True, offline=True), lambda _: None
    )
    if program is not None:
        return _by_program(world, folder, app, program)
    began_s = world.now_s()
    override = folder.stamp_override()
    # The stamp is what go-git reads (ADR 0057).
    stamp = override or chaos_version(app.checkout)
    deployer = f"{stand_in_name()}, the stamp is planted" if override else stand_in_name()
    debug = f"DEBU {CHAOS_VERSION}{stamp}"
    world.record(Note(text=f"{debug} ({deployer})"))
    labels = app.labels(stamp, chaos=True)
    deployed = world.apply(app.labelled_stack(labels, folder.labels_file(app.stack)))
    world.record(
        CommandRan(
            argv=("abra", "app", "deploy", *CHAOS_FLAGS, domain),
            exit_code=deployed.exit_code,
            took_s=round(world.now_s() - began_s, 6),
            output=f"{debug}\n{deployed.output}",
            by=deployer,
        )
    )
    return ChaosDeploy(stamp=stamp, stack=app.stack, deployed=deployed)


def _by_program(
    world: DeployTarget, folder: AbraFolder, app: AbraApp, program: AbraProgram
) -> ChaosDeploy:
    """Let a real abra deploy; the world judges the stack before."""

    def argv(engine: str) -> tuple[str, ...]:
        return (*confined_command(program, engine), "app", "deploy", *CHAOS_FLAGS, app.domain)

    deployer = Deployer(
        argv=argv, environment=lambda engine: abra_environment(folder, engine), by=program.whose
    )
    deployed = world.apply(app.recipe_stack(), deployer)
    stamp = stamp_in(deployed.output)
    if stamp is None:
        raise LabError(
            f"{program.whose} named no stamp; it said: {deployed.output.strip() or 'nothing'}"
        )
    return ChaosDeploy(stamp=stamp, stack=app.stack, deployed=deployed)
