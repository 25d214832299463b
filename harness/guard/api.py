"""The guard for Python programs; `stamplab.harness.guard.guarding.guarding` is the way in."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from stamplab.harness.guard.connect import attached
from stamplab.harness.guard.deploy_watch import Plan, Watch
from stamplab.harness.guard.expectations import Wanted
from stamplab.harness.guard.loop import follow
from stamplab.harness.guard.stack_verdict import Verdict
from stamplab.lab.errors import UsageError
from stamplab.lab.model.history import Deployed
from stamplab.lab.remote.watcher import ForeignSwarm
from stamplab.lab.support.background_work import Background


class NotConverged(AssertionError):
    """What was deployed is not there, or does not stay; the text says why."""


class Guarding:
    """A deploy that is being followed."""

    def __init__(self, swarm: ForeignSwarm, following: Background[Verdict]) -> None:
        self._swarm = swarm
        self._following = following
        self._is_deployed = False

    def deployed(self) -> None:
        """The deploy has returned; the end of the ``with`` block says so too."""
        if not self._is_deployed:
            self._is_deployed = True
            self._swarm.deployed(Deployed(stack="", exit_code=0, output=""))

    def verdict(self) -> Verdict:
        """Wait for the verdict; it is there at the time-out at the latest."""
        self.deployed()
        return self._following.result()

    def check(self) -> Verdict:
        """Wait for the verdict, and raise NotConverged with the reason if it is no success."""
        verdict = self.verdict()
        if not verdict.is_success:
            raise NotConverged(f"{verdict.outcome.value}: {verdict.reason}")
        return verdict


@contextmanager
def guarded(
    targets: tuple[str, ...],
    *,
    labels: Mapping[str, str] | None,
    image: str | None,
    commit: str | None,
    timeout_s: float,
    hold_s: float,
    context: str | None,
    environment: Mapping[str, str] | None,
    prunes: bool,
) -> Iterator[Guarding]:
    """See `stamplab.harness.guard.guarding.guarding`."""
    if not targets:
        raise UsageError("name the services or stacks that are deployed")
    wanted = Wanted.of((f"{name}={value}" for name, value in (labels or {}).items()), image, commit)
    with ExitStack() as until_it_follows:
        swarm = until_it_follows.enter_context(
            attached(context, os.environ if environment is None else environment, targets)
        )
        plan = Plan(
            targets=targets,
            deadline_s=swarm.now_s() + timeout_s,
            wanted=wanted,
            hold_s=hold_s,
            prunes=prunes,
        )
        watch = Watch(plan, swarm.node)
        watch.begin(swarm.baseline())
        attachment = until_it_follows.pop_all()
    following = Background(lambda: follow(swarm, watch), "guard", at_end=attachment.close)
    guard = Guarding(swarm, following)
    try:
        yield guard
    except BaseException:
        swarm.deployed(Deployed(stack="", exit_code=1, output="an exception"))
        raise
    guard.deployed()
