"""The incident's signature: reproduced means all of its signs, never "something failed"."""

from __future__ import annotations

import msgspec

from harness import attribution
from harness.attribution import Attribution
from harness.verdict import Verdict, merge


class IncidentSign(msgspec.Struct, frozen=True, kw_only=True):
    """One sign of the incident, whether it holds, and what was seen of it."""

    name: str
    verdict: Verdict
    evidence: str

    def __str__(self) -> str:
        """Say what was seen, and of a sign that does not hold, in place of what."""
        match self.verdict:
            case Verdict.PASS:
                return self.evidence
            case Verdict.FAIL:
                return f"missing sign «{self.name}» (seen: {self.evidence})"
            case Verdict.UNKNOWN:
                return f"sign «{self.name}» is not shown ({self.evidence})"


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """All signs; the incident is reproduced when every one of them holds."""

    signs: tuple[IncidentSign, ...] = msgspec.field(name="parts")

    @property
    def verdict(self) -> Verdict:
        """Pass: reproduced. Fail: not reproduced. Unknown: the history does not show enough."""
        verdicts = [sign.verdict for sign in self.signs]
        return Verdict.FAIL if Verdict.FAIL in verdicts else merge(verdicts)

    @property
    def missing(self) -> tuple[IncidentSign, ...]:
        """The signs that do not hold, or are not shown."""
        return tuple(sign for sign in self.signs if sign.verdict is not Verdict.PASS)

    def __str__(self) -> str:
        """Say whether it was the incident, and of each missing sign what was seen instead."""
        if self.verdict is Verdict.PASS:
            return "reproduced: " + "; ".join(map(str, self.signs))
        return "not reproduced: " + "; ".join(map(str, self.missing))


def read_signature(found: Attribution | None, stamp_label: str) -> Signature:
    """Judge one explained upgrade against the incident's signature."""
    if found is None:
        seen: dict[str, _Seen] = {"rolled back": (None, "the service was never seen")}
    else:
        seen = {
            "rolled back": _rolled_back(found),
            "the failed task is the new one": _new_task_failed(found),
            "it was OOM-killed": _oom_killed(found),
            "the stamp is the previous one": _stamp_reverted(found, stamp_label),
            "the old task kept serving": _old_kept_serving(found),
        }
    return Signature(
        signs=tuple(
            IncidentSign(name=name, verdict=Verdict.of(holds), evidence=evidence)
            for name, (holds, evidence) in seen.items()
        )
    )


_Seen = tuple[bool | None, str]
"""Whether a sign holds (None: that is not shown), and what was seen of it."""


def _rolled_back(found: Attribution) -> _Seen:
    state = found.last.service.update_state
    if found.rollback is None:
        return False, f"the update ended as {state}"
    return state == "rollback_completed", f"the swarm rolled back, state {state}"


def _new_task_failed(found: Attribution) -> _Seen:
    if found.death is None or found.head is None:
        return None if found.rollback else False, "no failed task is named"
    task = found.death.task
    is_new = task.spec_digest == found.head.task_digest
    return is_new, f"task {task.id} of {'the head spec' if is_new else 'another spec'} failed"


def _oom_killed(found: Attribution) -> _Seen:
    death = found.death
    if death is None:
        return None if found.rollback else False, "no OOM kill of a new task is recorded"
    if not death.is_oom:
        code = death.ended.exit_code if death.ended else "unknown"
        oom = "an OOM kill" if death.oom else "no OOM kill"
        return False, f"the kernel records {oom} in its container, its exit code is {code}"
    if found.oom_kills == 0:
        return False, "the kernel's log has an OOM kill, its counter in memory.events has none"
    figures = attribution.memory_at_oom(found)
    counted = "" if found.oom_kills is None else f", memory.events oom_kill +{found.oom_kills}"
    return True, f"OOM-killed by the kernel's record ({figures}{counted})"


def _stamp_reverted(found: Attribution, stamp_label: str) -> _Seen:
    before = found.base.labels.get(stamp_label)
    head = found.head.labels.get(stamp_label) if found.head else None
    now = found.last.service.spec.labels.get(stamp_label)
    return now == before and head not in (None, before), f"stamp {before} → {head} → {now}"


def _old_kept_serving(found: Attribution) -> _Seen:
    clients = found.clients
    if not found.served_before:
        return None, "no client was answered before the update"
    if clients.asked == 0:
        return None, "no client probe was recorded"
    is_kept = bool(found.kept_tasks) and not found.lost_tasks
    is_served = clients.failed == 0 and clients.versions == found.served_before
    task = f"old task {found.kept_tasks[0]} alive" if found.kept_tasks else "no old task is alive"
    return is_kept and is_served, f"{task}, {clients}"
