"""How an update can end, in the guard's eyes, and the exit code that says so to a script."""

from __future__ import annotations

from enum import Enum, StrEnum

import msgspec

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


class OtherUpdateSign(Enum):
    """What shows that an update other than this deploy's came in between, as a clause."""

    CAME_LATE = "a new spec came after the deploy had returned and brought none"
    CREATED_ANEW = "the service was removed and created anew"
    ROLLED_BACK_BY_HAND = (
        "somebody rolled back by hand: a swarm's own rollback keeps no PreviousSpec"
    )
    STARTED_MEANWHILE = "another update was started meanwhile"
    THIRD_SPEC = "the spec is neither the deploy's nor the one before it"
    DEPLOYED_BACK = "the spec from before the deploy was deployed again"
    OTHER_PREVIOUS_SPEC = "PreviousSpec is not the spec from before the deploy"
    STATUS_CLEARED = "the update status was cleared: the service was updated again"
    DEPLOYED_OVER_ANOTHER = "the spec from before the deploy was deployed again over another"


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
