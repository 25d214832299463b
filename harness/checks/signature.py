"""The incident's signature: reproduced means all of its signs, never "something failed"."""

from __future__ import annotations

import msgspec

from stamplab.harness.checks.attribution import Attribution, memory_at_oom
from stamplab.harness.verdict import Verdict, merge


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


def read_signature(attribution: Attribution | None, stamp_label: str) -> Signature:
    """Judge one explained upgrade against the incident's signature."""
    if attribution is None:
        signs: dict[str, _Seen] = {"rolled back": (None, "the service was never seen")}
    else:
        signs = {
            "rolled back": _rolled_back(attribution),
            "the failed task is the new one": _new_task_failed(attribution),
            "it was OOM-killed": _oom_killed(attribution),
            "the stamp is the previous one": _stamp_reverted(attribution, stamp_label),
            "the old task kept serving": _old_kept_serving(attribution),
        }
    return Signature(
        signs=tuple(
            IncidentSign(name=name, verdict=Verdict.of(holds), evidence=evidence)
            for name, (holds, evidence) in signs.items()
        )
    )


_Seen = tuple[bool | None, str]
"""Whether a sign holds (None: that is not shown), and what was seen of it."""


def _rolled_back(attribution: Attribution) -> _Seen:
    state = attribution.last.service.update_state
    if attribution.rollback is None:
        return False, f"the update ended as {state}"
    return state == "rollback_completed", f"the swarm rolled back, state {state}"


def _new_task_failed(attribution: Attribution) -> _Seen:
    if attribution.failure is None or attribution.head is None:
        return None if attribution.rollback else False, "no failed task is named"
    task = attribution.failure.task
    is_new = task.spec_digest == attribution.head.task_digest
    return is_new, f"task {task.id} of {'the head spec' if is_new else 'another spec'} failed"


def _oom_killed(attribution: Attribution) -> _Seen:
    failure = attribution.failure
    if failure is None:
        return None if attribution.rollback else False, "no OOM kill of a new task is recorded"
    if not failure.is_oom:
        code = failure.ended.exit_code if failure.ended else "unknown"
        oom = "an OOM kill" if failure.oom_kill else "no OOM kill"
        return False, f"the kernel records {oom} in its container, its exit code is {code}"
    if attribution.oom_kills == 0:
        return False, "the kernel's log has an OOM kill, its counter in memory.events has none"
    figures = memory_at_oom(attribution)
    kills = attribution.oom_kills
    counted = "" if kills is None else f", memory.events oom_kill +{kills}"
    return True, f"OOM-killed by the kernel's record ({figures}{counted})"


def _stamp_reverted(attribution: Attribution, stamp_label: str) -> _Seen:
    before = attribution.base.labels.get(stamp_label)
    head = attribution.head.labels.get(stamp_label) if attribution.head else None
    now = attribution.last.service.spec.labels.get(stamp_label)
    return now == before and head not in (None, before), f"stamp {before} → {head} → {now}"


def _old_kept_serving(attribution: Attribution) -> _Seen:
    probes = attribution.probes
    if not attribution.served_before:
        return None, "no client was answered before the update"
    if probes.sent == 0:
        return None, "no client probe was recorded"
    is_kept = bool(attribution.kept_tasks) and not attribution.lost_tasks
    is_served = probes.failed == 0 and probes.versions == attribution.served_before
    kept = attribution.kept_tasks
    task = f"old task {kept[0]} alive" if kept else "no old task is alive"
    return is_kept and is_served, f"{task}, {probes}"
