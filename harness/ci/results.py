"""A CI run's result.

Each stage's end, and the level reached, as the field writes it to results.json.
"""

from __future__ import annotations

from typing import Literal

import msgspec

StageEnd = Literal["pass", "fail", "unknown", "skipped"]

LADDER = ("install", "upgrade", "backup_restore", "functional")
"""The rungs.

The level is the highest one of an unbroken ladder, and a failed rung blocks those above.
"""


class StageResult(msgspec.Struct, frozen=True, kw_only=True):
    """How one stage ended, and why if not well."""

    stage: str
    end: StageEnd
    reason: str = ""


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """What results.json holds."""

    run_id: str
    recipe: str
    ref: str
    stages: tuple[StageResult, ...]
    abra: str
    """Whose abra it was."""

    @property
    def level(self) -> int:
        """The highest rung of an unbroken ladder."""
        ends = {result.stage: result.end for result in self.stages}
        level = 0
        for rung in LADDER:
            if ends.get(rung) != "pass":
                break
            level += 1
        return level

    @property
    def capped_by(self) -> str:
        """What kept the level from being higher."""
        for result in self.stages:
            if result.end != "pass":
                return f"{result.stage}: {result.reason or result.end}"
        return "the stages that were asked for"

    def as_json(self) -> bytes:
        """The file's text, with the field's own keys (``level``, and one key a stage)."""
        document = {
            "run_id": self.run_id,
            "recipe": self.recipe,
            "ref": self.ref,
            "level": self.level,
            "capped_by": self.capped_by,
            **{result.stage: result.end for result in self.stages},
            "reasons": {result.stage: result.reason for result in self.stages if result.reason},
            "abra": self.abra,
        }
        return msgspec.json.format(msgspec.json.encode(document)) + b"\n"
