"""The guard for Python programs; ``from stamplab import guarding, NotConverged`` gets it.

It imports little: whatever a guard needs is imported when one is begun.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stamplab.harness.guard.report import StackVerdict
    from stamplab.lab.remote.watcher import SwarmWatcher
    from stamplab.lab.support.background_work import BackgroundWork


class NotConverged(AssertionError):
    """What was deployed is not there, or does not stay; the text says why."""


class Guarding:
    """A deploy that is being followed, in a thread."""

    def __init__(self, watcher: SwarmWatcher, following: BackgroundWork[StackVerdict]) -> None:
        self._watcher = watcher
        self._following = following
        self._is_deployed = False

    def deployed(self) -> None:
        """Say that the deploy has returned; the end of the ``with`` block says so too."""
        from stamplab.lab.model.history import Deployed

        if not self._is_deployed:
            self._is_deployed = True
            self._watcher.deployed(Deployed(stack="", exit_code=0, output=""))

    def verdict(self) -> StackVerdict:
        """Wait for the verdict; it is there at the time-out at the latest."""
        self.deployed()
        return self._following.result()

    def check(self) -> StackVerdict:
        """Wait for the verdict, and raise NotConverged with the reason if it is no success."""
        verdict = self.verdict()
        if not verdict.is_success:
            raise NotConverged(f"{verdict.outcome.value}: {verdict.reason}")
        return verdict


@contextmanager
def guarding(
    *targets: str,
    labels: Mapping[str, str] | None = None,
    image: str | None = None,
    commit: str | None = None,
    timeout_s: float = 600.0,
    hold_s: float = 0.0,
    context: str | None = None,
    environment: Mapping[str, str] | None = None,
    prunes: bool = False,
) -> Iterator[Guarding]:
    """Guard a deploy inside the ``with`` block: of services and stacks, by their names.

    The baseline is taken on entry, and the targets are followed from then on, in a thread.

    - ``labels``, ``image``, ``commit``: what must be there in the end, as the options of
      ``stamplab guard``.
    - ``timeout_s``: seconds from the entry until the guard gives up.
    - ``hold_s``: how long it must run unchanged, where that is longer than the swarm watches.
    - ``context``, ``environment``: the engine is the one that ``docker`` itself would talk to, with
      this docker context, or in this environment instead of the process's own.
    - ``prunes``: whether the deploy removes services on purpose.

    An exception inside the block passes through: a deploy that raised is not judged.

    Raises LabError where the swarm cannot be reached, UsageError for arguments that make no sense.

        with guarding("shop") as guard:
            deploy()
        guard.check()
    """
    from stamplab.harness.guard.deploy_watch import DeployWatch, follow
    from stamplab.harness.guard.expectations import DeployExpectations, WatchPlan
    from stamplab.lab.errors import UsageError
    from stamplab.lab.model.history import Deployed
    from stamplab.lab.remote.watcher import watching
    from stamplab.lab.support.background_work import BackgroundWork

    if not targets:
        raise UsageError("name the services or stacks that are deployed")
    pairs = (f"{name}={value}" for name, value in (labels or {}).items())
    expected = DeployExpectations.parse(pairs, image, commit)
    with ExitStack() as until_it_follows:
        watcher = until_it_follows.enter_context(
            watching(context, os.environ if environment is None else environment, targets)
        )
        plan = WatchPlan(
            targets=targets,
            deadline_s=watcher.now_s() + timeout_s,
            expected=expected,
            hold_s=hold_s,
            prunes=prunes,
        )
        watch = DeployWatch(plan, watcher.node)
        watch.begin(watcher.baseline())
        connection = until_it_follows.pop_all()
    following = BackgroundWork(lambda: follow(watcher, watch), "guard", at_end=connection.close)
    guard = Guarding(watcher, following)
    try:
        yield guard
    except BaseException:
        watcher.deployed(Deployed(stack="", exit_code=1, output="an exception"))
        raise
    guard.deployed()
