"""The convergence guard: was this upgrade really deployed?

Pure: observations go in, at most one ruling comes out. It never asks, waits or changes anything, so
the same guard judges a live swarm, a virtual one, and a history read from disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stamplab.harness.guard import rules
from stamplab.harness.guard.outcome import Outcome, Ruling
from stamplab.harness.guard.view import Baseline, Expectation, View, update_status_started
from stamplab.lab.model.history import Record

__all__ = ["Baseline", "Expectation", "Guard", "Outcome", "Ruling", "update_status_started"]


class Guard:
    """Watches one update of one service, from a baseline taken before the deploy."""

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
        """Take in one record and rule, if it decides the matter. The first ruling is the last."""
        return self.feed_all((record,))

    def feed_all(self, records: Iterable[Record]) -> Ruling | None:
        """Take in what one look has shown, and rule on the whole of it.

        Between a look's service and its tasks lies no moment that was ever seen.
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
        is_over = view.service is not None and rules.terminal_state(view, view.service)
        is_held = is_over and bool(view.running)
        moments_s = [rules.hold_ends_s(view, self._expectation)] if is_held else []
        waits_for_words = view.was_reverted or view.own_state == "paused"
        moments_s += [rules.last_words_s(view)] if waits_for_words else []
        coming_s = [moment_s for moment_s in moments_s if moment_s > view.now_s]
        return min([*coming_s, self._expectation.deadline_s])

    @property
    def waiting_for(self) -> str:
        """What is still missing, for whoever looks on."""
        return rules.what_is_missing(self._view)

    def _decide(self) -> Ruling | None:
        for rule in self._rules:
            if self.ruling is not None:
                break
            self.ruling = rule(self._view, self._expectation)
        return self.ruling
