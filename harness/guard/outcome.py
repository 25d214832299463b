"""How an update can end, in the guard's eyes, and the exit code that says so to a script."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from stamplab.harness.verdict import Verdict
from stamplab.lab.model.history import OtherUpdate


class Outcome(StrEnum):
    """The end of one update of one service."""

    CONVERGED = "converged"
    ROLLED_BACK = "rolled back"
    PAUSED = "paused"
    STALLED = "stalled"
    TIMED_OUT = "timed out"
    STAMP_MISMATCH = "stamp mismatch"
    COMMIT_MISMATCH = "commit mismatch (HC1)"
    SUPERSEDED = "superseded by another update"
    DEPLOY_FAILED = "deploy command failed"
    MIXED = "mixed stack"
    REMOVED = "removed"
    UNKNOWN = "unknown"

    @property
    def exit_code(self) -> int:
        """The guard's own exit code for this outcome."""
        return _EXIT_CODES[self]

    @property
    def verdict(self) -> Verdict:
        """Pass for converged alone."""
        if self is Outcome.UNKNOWN:
            return Verdict.UNKNOWN
        return Verdict.PASS if self is Outcome.CONVERGED else Verdict.FAIL


_EXIT_CODES = {
    Outcome.CONVERGED: 0,
    Outcome.UNKNOWN: 2,
    Outcome.ROLLED_BACK: 10,
    Outcome.PAUSED: 11,
    Outcome.STALLED: 12,
    Outcome.TIMED_OUT: 13,
    Outcome.STAMP_MISMATCH: 14,
    Outcome.COMMIT_MISMATCH: 15,
    Outcome.SUPERSEDED: 16,
    Outcome.DEPLOY_FAILED: 17,
    Outcome.MIXED: 18,
    Outcome.REMOVED: 19,
}


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """The guard's word on one update: how it ended, why in one sentence, and which task failed."""

    outcome: Outcome
    reason: str
    service: str
    failed_task: str | None = None
    update_state: str | None = None
    other_update: OtherUpdate | None = None
    """Another operator's update that the reason names."""
    decided_s: float = 0.0

    @property
    def verdict(self) -> Verdict:
        """Pass, fail or unknown."""
        return self.outcome.verdict
