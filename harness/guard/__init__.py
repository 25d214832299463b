"""The convergence guard, which judges whether an upgrade was really deployed.

It is pure: observations go in, at most one ruling comes out. It never asks, waits or changes
anything, so the same guard judges a live swarm, a virtual one, and a history read from disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stamplab.harness.guard import rules
from stamplab.harness.guard.expectations import Baseline, Expectation, update_status_started
from stamplab.harness.guard.outcome import Outcome, Ruling
from stamplab.harness.guard.view import View
from stamplab.lab.model.history import Record

__all__ = ["Baseline", "Expectation", "Guard", "Outcome", "Ruling", "update_status_started"]


class Guard:
    """The guard of one update of one service, from a baseline taken before the deploy."""

    def __init__(
        self,
        baseline: Baseline,
        expectation: Expectation,
        asked: Sequence[rules.Rule] = rules.RULES,
    ) -> None:
        self._view = View(baseline)
        self._expectation = expectation
        self._rules = asked
        self.ruling: Ruling | None = None

    def feed(self, record: Record) -> Ruling | None:
        """Take in one record; return the ruling, if there is one. The first ruling is the last."""
        return self.feed_snapshot((record,))

    def feed_snapshot(self, records: Iterable[Record]) -> Ruling | None:
        """Take in all records of one snapshot, and rule only then.

        A snapshot's service and its tasks are one moment; after the service alone they are not.
        """
        for record in records:
            self._view.feed(record.seen_s, record.what)
        return self._decide()

    def tick(self, now_s: float) -> Ruling | None:
        """Take in that time has passed: deadlines are observations too."""
        self._view.now_s = max(self._view.now_s, now_s)
        return self._decide()

    @property
    def wake_s(self) -> float:
        """The next moment at which time alone could decide the matter."""
        view = self._view
        is_settled = view.service is not None and rules.is_settled(view, view.service)
        is_held = is_settled and bool(view.running)
        moments_s = [rules.hold_ends_s(view, self._expectation)] if is_held else []
        waits_for_task = view.rolled_back_before_other_update or view.own_state == "paused"
        moments_s += [rules.failed_task_deadline_s(view)] if waits_for_task else []
        coming_s = [moment_s for moment_s in moments_s if moment_s > view.now_s]
        return min([*coming_s, self._expectation.deadline_s])

    @property
    def waiting_for(self) -> str:
        """What is still missing, in a clause."""
        return rules.describe_missing(self._view)

    def _decide(self) -> Ruling | None:
        for rule in self._rules:
            if self.ruling is not None:
                break
            self.ruling = rule(self._view, self._expectation)
        return self.ruling
