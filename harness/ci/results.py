"""A CI run's result.

Each stage's end, and the level reached, as the field writes it to results.json.
"""

from __future__ import annotations

from typing import Self

import msgspec

from stamplab.lab.model import schema1
from stamplab.lab.model.history import StageEnd
from stamplab.lab.model.schema import encode_document, schema_of

LADDER = ("install", "upgrade", "backup_restore", "functional")
"""The rungs.

The level is the highest one of an unbroken ladder, and a failed rung blocks those above.
"""


class StageResult(msgspec.Struct, frozen=True, kw_only=True):
    """How one stage ended; if not well, why, and which step of the harness failed it."""

    stage: str
    end: StageEnd
    reason: str = ""
    failed_step: str = ""


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
        """Return the file's bytes, with the field's own keys (``level``, and one key a stage)."""
        content = {
            "run_id": self.run_id,
            "recipe": self.recipe,
            "ref": self.ref,
            "level": self.level,
            "capped_by": self.capped_by,
            **{result.stage: result.end for result in self.stages},
            "reasons": {one.stage: one.reason for one in self.stages if one.reason},
            "failed_steps": {one.stage: one.failed_step for one in self.stages if one.failed_step},
            "abra": self.abra,
        }
        return encode_document(content)

    @classmethod
    def from_json(cls, raw: bytes, where: object) -> Self:
        """Read the file back, whichever schema it has.

        Raises NewerSchema (`stamplab.lab.model.schema`), or msgspec.MsgspecError.
        """
        schema = schema_of(raw, where)
        known = msgspec.json.decode(raw, type=_Known)
        others = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        stages = tuple(
            StageResult(
                stage=name,
                end=msgspec.json.decode(end, type=StageEnd),
                reason=(reason := known.reasons.get(name, "")),
                failed_step=(
                    schema1.failed_step_in(reason)
                    if schema == 1
                    else known.failed_steps.get(name, "")
                ),
            )
            for name, end in others.items()
            if name not in _KEYS
        )
        return cls(
            run_id=known.run_id, recipe=known.recipe, ref=known.ref, stages=stages, abra=known.abra
        )


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is no stage."""

    run_id: str
    recipe: str
    ref: str
    reasons: dict[str, str]
    failed_steps: dict[str, str] = {}
    abra: str


_KEYS = {*_Known.__struct_fields__, "schema", "level", "capped_by"}
