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
    """End of one stage; if it is no pass, why, and which step of the harness failed it."""

    stage: str
    end: StageEnd
    reason: str = ""
    failed_step: str = ""


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """Content of results.json."""

    run_id: str
    recipe: str
    ref: str
    stages: tuple[StageResult, ...]
    abra: str
    """Whose abra deployed."""
    domain: str = ""
    """The app's; empty where schema 1 did not say it."""

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
        """Name the first stage that did not pass, and why: it kept the level from being higher."""
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
            "domain": self.domain,
            "level": self.level,
            "capped_by": self.capped_by,
            **{result.stage: result.end for result in self.stages},
            "reasons": {ended.stage: ended.reason for ended in self.stages if ended.reason},
            "failed_steps": {
                ended.stage: ended.failed_step for ended in self.stages if ended.failed_step
            },
            "abra": self.abra,
        }
        return encode_document(content)

    @classmethod
    def from_json(cls, raw: bytes, where: object) -> Self:
        """Read the file back, whichever schema it has.

        Raises NewerSchema (`stamplab.lab.model.schema`), or msgspec.MsgspecError.
        """
        schema = schema_of(raw, where)
        fixed = msgspec.json.decode(raw, type=_FixedKeys)
        others = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        stages = tuple(
            StageResult(
                stage=name,
                end=msgspec.json.decode(end, type=StageEnd),
                reason=(reason := fixed.reasons.get(name, "")),
                failed_step=(
                    schema1.failed_step_in(reason)
                    if schema == 1
                    else fixed.failed_steps.get(name, "")
                ),
            )
            for name, end in others.items()
            if name not in _KEYS
        )
        return cls(
            run_id=fixed.run_id,
            recipe=fixed.recipe,
            ref=fixed.ref,
            stages=stages,
            abra=fixed.abra,
            domain=fixed.domain,
        )


class _FixedKeys(msgspec.Struct, frozen=True, kw_only=True):
    """Every key but those of stages."""

    run_id: str
    recipe: str
    ref: str
    reasons: dict[str, str]
    failed_steps: dict[str, str] = {}
    abra: str
    domain: str = ""


_KEYS = {*_FixedKeys.__struct_fields__, "schema", "level", "capped_by"}
