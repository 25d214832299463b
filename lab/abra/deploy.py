"""``abra app deploy -C`` on a world: by the stand-in's own functions, or by a real abra.

The stand-in takes the same inputs and gives the same stamp and labels; what is known of its
fidelity is in docs/abra.md. Everything that was deployed says whose work it is.
"""

from __future__ import annotations

import msgspec

from stamplab.lab.abra.app import AbraApp, read_app
from stamplab.lab.abra.driver import (
    CHAOS_FLAGS,
    CHAOS_VERSION,
    STAND_IN,
    Program,
    command,
    environment,
    stamp_in,
)
from stamplab.lab.abra.folder import AbraFolder
from stamplab.lab.abra.stamp import chaos_version
from stamplab.lab.abra.version_checkout import Context, ensure
from stamplab.lab.errors import LabError
from stamplab.lab.model.history import CommandRan, Deployed, Note
from stamplab.lab.world import Deployer, World

WHOSE = STAND_IN


class ChaosDeploy(msgspec.Struct, frozen=True, kw_only=True):
    """What a chaos deploy did: the stamp that it took, and the swarm's answer."""

    stamp: str
    stack: str
    deployed: Deployed


def chaos_deploy(
    world: World, folder: AbraFolder, domain: str, program: Program | None = None
) -> ChaosDeploy:
    """Deploy the checkout as it is and stamp it, like ``abra app deploy -C -o -n -c --debug``.

    Chaos mode never checks anything out (abra@06a57de pkg/recipe/git.go:41-43). ``program`` is a
    real abra; without one the stand-in's own functions do it. Raises LabError when there is no
    such app or no usable checkout.
    """
    app = read_app(folder, domain)
    ensure(app.checkout, app.pinned, Context(chaos=True, offline=True), lambda _: None)
    if program is not None:
        return _by_program(world, folder, app, program)
    began_s = world.now_s()
    planted = folder.planted_stamp()
    # The stamp is what go-git reads (ADR 0057).
    stamp = planted or chaos_version(app.checkout)
    whose = f"{WHOSE}, the stamp is planted" if planted else WHOSE
    debug = f"DEBU {CHAOS_VERSION}{stamp}"
    world.record(Note(text=f"{debug} ({whose})"))
    labels = app.labels(stamp, chaos=True)
    deployed = world.apply(app.stack_with(labels, folder.labels_file(app.stack)))
    world.record(
        CommandRan(
            argv=("abra", "app", "deploy", *CHAOS_FLAGS, domain),
            exit_code=deployed.exit_code,
            took_s=round(world.now_s() - began_s, 6),
            output=f"{debug}\n{deployed.output}",
            by=whose,
        )
    )
    return ChaosDeploy(stamp=stamp, stack=app.stack, deployed=deployed)


def _by_program(world: World, folder: AbraFolder, app: AbraApp, program: Program) -> ChaosDeploy:
    """Let a real abra deploy; the world judges beforehand what it is about to deploy."""

    def argv(engine: str) -> tuple[str, ...]:
        return (*command(program, engine), "app", "deploy", *CHAOS_FLAGS, app.domain)

    deployer = Deployer(
        argv=argv, environment=lambda engine: environment(folder, engine), by=program.whose
    )
    deployed = world.apply(app.unlabelled(), deployer)
    stamp = stamp_in(deployed.output)
    if stamp is None:
        raise LabError(
            f"{program.whose} named no stamp; it said: {deployed.output.strip() or 'nothing'}"
        )
    return ChaosDeploy(stamp=stamp, stack=app.stack, deployed=deployed)
