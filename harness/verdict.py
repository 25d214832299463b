"""Pass, fail or unknown: a judge that lacks evidence, or crashes, says unknown and never pass."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Verdict(StrEnum):
    """What a judge says. Unknown means that the apparatus, not the upgrade, is in doubt."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    FAIL = "fail"
    UNKNOWN = "unknown"

    @property
    def exit_code(self) -> int:
        """The process exit code: 0 expectation met, 1 not met, 2 unknown."""
        return {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.UNKNOWN: 2}[self]

    @staticmethod
    def of(holds: bool | None) -> Verdict:
        """Read a three-valued truth."""
        if holds is None:
            return Verdict.UNKNOWN
        return Verdict.PASS if holds else Verdict.FAIL


def merge(verdicts: Iterable[Verdict]) -> Verdict:
    """Join verdicts: one unknown makes the whole unknown, else one failure a failure.

    Nothing to judge is unknown, for an empty set of evidence proves nothing.
    """
    distinct = set(verdicts)
    # What is missing may hide either (ADR 0008).
    if not distinct or Verdict.UNKNOWN in distinct:
        return Verdict.UNKNOWN
    return Verdict.FAIL if Verdict.FAIL in distinct else Verdict.PASS
