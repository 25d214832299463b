"""One schedule of an upgrade: everything about it that a search may vary, as a value.

It is written to a file as it is, so a schedule that was found is played again by `stamplab replay`,
in virtual time or on a real engine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from stamplab.harness.ci.generic import HC1Read
from stamplab.lab.errors import UsageError
from stamplab.lab.faults.operator import Act, LoseSight, Operation
from stamplab.lab.model.schema import decode_document, encode_document
from stamplab.lab.recipe.workload_overlay import Fault
from stamplab.lab.virtual.conditions import Conditions
from stamplab.scenarios.discourse.plays import Subject
from stamplab.scenarios.scenario import Scenario, UpgradeConditions

_ID_DIGITS = 10
_NO_CONTROL = "none: laws judge it, and guards that are broken on purpose show that laws can fail"
_ANYWAY_S = 60.0
_OF_A_TASK_S = 10.0
"""What a task takes besides: its image, its creation, its reports, a restart's delay."""
_ENGINES_OWN_S = 10.0
"""A stop's grace and, above it, a monitor, where nothing is said of them."""


class TimedOperation(msgspec.Struct, frozen=True, kw_only=True):
    """A second operator does something, so many seconds after OLD was found healthy."""

    after_s: float
    what: Operation


class Change(StrEnum):
    """What is new in the head that is deployed."""

    IMAGE = "image"
    """Its image: the subject's own head."""
    LABELS = "labels"
    """Labels of the service alone: an earlier commit of the subject's, which touches no task."""


class Explorable(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario whose schedules can be searched."""

    name: str
    subject: Subject
    head_image: str
    """The recipe's own, of the heavy service at head."""
    labels_only: str
    """The revision of a commit that changes labels alone."""
    known: Path
    """Schedules that broke a law before, one folder a law."""

    def known_for(self, law: str) -> tuple[Path, ...]:
        """Those of one law, in order of their names."""
        return tuple(sorted((self.known / law).glob("*.json")))


class Schedule(UpgradeConditions, frozen=True, kw_only=True):
    """What is drawn. Everything else is the subject's: its recipe, its base, its heavy service."""

    operations: tuple[TimedOperation, ...] = msgspec.field(name="meddling", default=())
    """What a second operator does meanwhile."""
    change: Change = Change.IMAGE
    fault: Fault | None = None
    """What is wrong with the head's image, if anything."""
    blind_after_s: float | None = None
    """When sight is lost of the swarm, counted as the operations are."""
    hc1_pause_s: float = 0.0
    """The pre-fix harness alone: how long it waits before it reads the commit."""
    conditions: Conditions = Conditions()
    """The virtual world alone: chance, the node's own times, who looks when."""

    def __post_init__(self) -> None:
        """Raise UsageError for what no overlay could write out without knowing the recipe."""
        if self.timing.retries is None:
            raise UsageError("a schedule says how many health checks may fail in a row (retries)")

    @property
    def id(self) -> str:
        """A name made of all that is said in it: equal schedules have the same, 1 s being 1.0 s.

        What says nothing is left out, so that a schedule keeps its name when more can be said.
        """
        as_read = msgspec.json.decode(msgspec.json.encode(self), type=Schedule)
        text = msgspec.json.encode(_without_none(msgspec.to_builtins(as_read)), order="sorted")
        return hashlib.sha256(text).hexdigest()[:_ID_DIGITS]

    @property
    def patience_s(self) -> float:
        """How long the harness waits: no run is to be failed for want of time.

        Twice what the slowest honest roll-out takes, one task after the other. Not longer: what
        crashes for ever would crash until then, and most of a search's time go to it.
        """
        memory, timing = self.memory, self.timing
        a_task_s = (
            _OF_A_TASK_S
            + memory.boot_s
            + memory.hold_s
            + memory.ready_s
            + 2 * timing.health_interval_s
            + (_ENGINES_OWN_S if timing.monitor_s is None else timing.monitor_s)
            + (_ENGINES_OWN_S if timing.stop_grace_s is None else timing.stop_grace_s)
            + (self.policy.delay_s or 0.0)
        )
        return _ANYWAY_S + 2 * a_task_s * max(1, self.policy.replicas or 1)

    def scenario(self, explorable: Explorable, *, guard: bool) -> Scenario:
        """Return the schedule as a scenario, which either world can play."""
        own_id, subject = self.id, explorable.subject
        shared = {name: getattr(self, name) for name in UpgradeConditions.__struct_fields__}
        return Scenario(
            **shared,
            name=f"schedule-{own_id}",
            title=f"schedule {own_id}, guard {'on' if guard else 'off'}",
            recipe=subject.recipe,
            base=subject.base,
            service=subject.service,
            guard=guard,
            control=_NO_CONTROL,
            hc1_reads=() if guard else (HC1Read(pause_s=self.hc1_pause_s),),
            timeout_s=self.patience_s,
            head=explorable.labels_only if self.change is Change.LABELS else None,
            faults={explorable.head_image: self.fault} if self.fault else {},
            acts=tuple(self._acts()),
        )

    def _acts(self) -> Iterator[Act]:
        for operation in self.operations:
            yield Act(after_s=operation.after_s, what=operation.what)
        if self.blind_after_s is not None:
            yield Act(after_s=self.blind_after_s, what=LoseSight())


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_none(part) for name, part in value.items() if part is not None}
    return [_without_none(part) for part in value] if isinstance(value, list | tuple) else value


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule as it is kept: what it breaks, and who was on trial."""

    scenario: str
    law: str
    guard: bool
    broken: str
    """In what way the law was broken."""
    in_words: str
    schedule: Schedule


def keep(kept: Kept, folder: Path) -> Path:
    """Write a schedule down under its id. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{kept.schedule.id}.json"
    path.write_bytes(encode_document(kept))
    return path


def read_kept(path: Path) -> Kept:
    """Read a schedule back. Raises UsageError where there is none or it is none, NewerSchema."""
    try:
        return decode_document(path.read_bytes(), Kept, path)
    except OSError as error:
        raise UsageError(f"there is no schedule at {path}: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, UsageError) as error:
        raise UsageError(f"{path} is no schedule: {error}") from error
