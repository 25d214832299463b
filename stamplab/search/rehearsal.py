"""An upgrade's git and compose work, done once; its deploys, repeated at no cost.

The repositories are built, checked out, overlaid, stamped and resolved by the very code of a real
run, for base and for head. A schedule then changes in the resolved specs what its overlay would
have changed; `tests/property/test_rehearsal.py` holds that to docker/cli's own answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from stamplab.harness.checks.upgrade_truth import UpgradeObserver
from stamplab.lab.abra.deploy import ChaosDeploy
from stamplab.lab.faults.stamp import WrongStamp, stamp_of
from stamplab.lab.model.history import Deployed, Observation
from stamplab.lab.model.service_spec import to_json
from stamplab.lab.recipe import checkout
from stamplab.lab.recipe.prerequisites import prerequisites_of
from stamplab.lab.recipe.resolver import ResolvedStack
from stamplab.lab.recipe.workload_overlay import FAULT_VARIABLES, Fault
from stamplab.lab.virtual.world import VirtualWorld
from stamplab.lab.world import Deployer, Stack
from stamplab.runner.play import REFUSED_RATIO, UpgradeSetup, prepare_setup, tree_of
from stamplab.search.schedule import Explorable, Schedule


class Deployable(msgspec.Struct, frozen=True, kw_only=True):
    """What one commit's deploy sends, and the stamp that it takes."""

    sha: str
    stamp: str
    resolved: ResolvedStack
    images: tuple[str, ...]


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """The upgrade, ready to be played any number of times."""

    explorable: Explorable
    setup: UpgradeSetup
    labels_only: str
    """The commit that changes labels alone."""
    deployables: Mapping[str, Deployable]
    """By the refs that a run checks out."""
    stamps: Mapping[WrongStamp, str]


def rehearse(
    explorable: Explorable,
    schedule: Schedule,
    scratch: Path,
    resolve: Callable[[Stack], ResolvedStack],
) -> Rehearsal:
    """Do the git and compose work of an upgrade by ``schedule``. Raises LabError."""
    scenario = schedule.scenario(explorable, guard=True)
    setup = prepare_setup(scenario, scratch)
    listening = _Listening(resolve)
    tree = tree_of(scenario, listening, setup, scratch)
    tree.fetch(setup.head)
    deployables = {}
    labels_sha = checkout.resolve(setup.mirror, explorable.labels_only)
    for ref in dict.fromkeys((scenario.base, setup.head, labels_sha)):
        sha = tree.check_out(ref)
        done = tree.deploy()
        deployables[ref] = Deployable(
            sha=sha,
            stamp=done.stamp,
            resolved=listening.heard(),
            images=listening.images,
        )
    stamps = {
        kind: stamp_of(kind, setup.mirror, head=setup.head, base=scenario.base)
        for kind in WrongStamp
    }
    return Rehearsal(
        explorable=explorable,
        setup=setup,
        labels_only=labels_sha,
        deployables=deployables,
        stamps=stamps,
    )


class RehearsedTree(msgspec.Struct, eq=False):
    """A run's tree whose deploys were rehearsed; see `stamplab.harness.ci.tree.Tree`."""

    rehearsal: Rehearsal
    schedule: Schedule
    world: VirtualWorld
    truth: UpgradeObserver
    ref: str = ""
    """What is checked out."""
    wrong_stamp: str | None = None

    def fetch(self, ref: str) -> None:
        """Do nothing: it was fetched in the rehearsal."""
        del ref

    def check_out(self, ref: str) -> str:
        """Take the ref for checked out, as it was in the rehearsal."""
        self.ref = ref
        return self.rehearsal.deployables[ref].sha

    def deploy(self) -> ChaosDeploy:
        """Send what was resolved, as this schedule's overlay would have it."""
        ready = self.rehearsal.deployables[self.ref]
        stack = self.rehearsal.setup.app.stack
        self.world.have_images(ready.images)
        if self.ref != self.rehearsal.explorable.subject.base:
            self.truth.upgrade_begins()
        stamp = self.wrong_stamp or ready.stamp
        sent = tailored(self.rehearsal, self.schedule, self.ref, stamp)
        return ChaosDeploy(stamp=stamp, stack=stack, deployed=self.world.deploy(stack, sent))

    def override_stamp(self, stamp: str) -> None:
        """Take this stamp from now on."""
        self.wrong_stamp = stamp


def tailored(rehearsal: Rehearsal, schedule: Schedule, ref: str, stamp: str) -> ResolvedStack:
    """Return what docker/cli would have made of this schedule's overlay."""
    ready, app = rehearsal.deployables[ref], rehearsal.setup.app
    is_head = ref != rehearsal.explorable.subject.base
    services = []
    for raw in ready.resolved.services:
        spec: dict[str, Any] = msgspec.json.decode(raw)
        container = spec["TaskTemplate"]["ContainerSpec"]
        to_json(schedule.timing.task_values, spec)
        if spec["Name"] == app.service:
            _set_environment(container, schedule.memory.environment())
            policy = schedule.policy
            # docker/cli takes a delay of 0 for none.
            delay = {"update.delay_s": policy.delay_s or None}
            to_json({**schedule.timing.values, **policy.values, **delay}, spec)
            if schedule.head_replicas is not None and is_head:
                spec["Mode"] = {"Replicated": {"Replicas": schedule.head_replicas}}
            if app.stamp_label in spec["Labels"]:
                spec["Labels"][app.stamp_label] = stamp
            if schedule.refused and is_head:
                spec["UpdateConfig"]["MaxFailureRatio"] = REFUSED_RATIO
            if schedule.fault and ref == rehearsal.setup.head:
                _set_fault(spec, schedule.fault, rehearsal.explorable.head_image)
        services.append(msgspec.Raw(msgspec.json.encode(spec)))
    return msgspec.structs.replace(ready.resolved, services=tuple(services))


def _set_environment(container: dict[str, Any], values: Mapping[str, str]) -> None:
    present = dict(variable.split("=", 1) for variable in container["Env"])
    present.update(values)
    container["Env"] = [f"{name}={value}" for name, value in sorted(present.items())]


def _set_fault(spec: dict[str, Any], fault: Fault, own_image: str) -> None:
    container = spec["TaskTemplate"]["ContainerSpec"]
    _set_environment(container, FAULT_VARIABLES[fault])
    if fault is Fault.ABSENT:
        container["Image"] = own_image
        spec["Labels"]["com.docker.stack.image"] = own_image


class _Listening:
    """A `DeployTarget` that keeps what it is asked to deploy, and deploys nothing."""

    def __init__(self, resolve: Callable[[Stack], ResolvedStack]) -> None:
        self._resolve = resolve
        self._last: ResolvedStack | None = None
        self.images: tuple[str, ...] = ()

    def heard(self) -> ResolvedStack:
        """Return what was deployed last."""
        if self._last is None:
            raise RuntimeError("nothing was deployed")
        return self._last

    def now_s(self) -> float:
        """Return 0: no time passes."""
        return 0.0

    def provide(self, stack: Stack) -> None:
        """Keep which images the stack takes for granted."""
        self.images = prerequisites_of(stack).images

    def apply(self, stack: Stack, deployer: Deployer | None = None) -> Deployed:
        """Resolve the stack and say that all went well."""
        del deployer
        self._last = self._resolve(stack)
        return Deployed(stack=stack.name, exit_code=0, output="")

    def record(self, what: Observation) -> None:
        """Drop the record: a rehearsal has no history."""
