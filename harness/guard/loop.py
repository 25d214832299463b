"""Follows a deploy to its verdict. Time passes in the sight alone, so this runs on any of them."""

from __future__ import annotations

from collections.abc import Callable

from stamplab.harness.guard.deploy_watch import Watch
from stamplab.harness.guard.stack_verdict import Verdict
from stamplab.lab.remote.snapshot import Sight


def follow(
    sight: Sight, watch: Watch, look_on: Callable[[Watch], None] = lambda _: None
) -> Verdict:
    """Feed the watch until all is decided, at the latest at its deadline.

    The baseline must have been taken. Nothing is concluded from time alone, but after a fresh look:
    an engine may have dropped what it had to announce. ``look_on`` is called first,
    and after each step.
    """
    look_on(watch)
    while not watch.is_decided:
        # Events end this wait early, else a poll does (ADR 0056).
        seen = sight.next(watch.wake_s)
        if seen is None:
            # A fresh poll precedes what time alone brings about (ADR 0040).
            watch.feed(sight.confirm())
            watch.tick(sight.now_s())
        else:
            watch.feed(seen)
        look_on(watch)
    return watch.verdict()
