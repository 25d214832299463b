"""The incident's signature: reproduced means all of its parts, never "something failed"."""

from __future__ import annotations

import msgspec

from stamplab.harness.checks import attribution
from stamplab.harness.checks.attribution import Attribution
from stamplab.harness.verdict import Verdict, merge


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the signature, whether it holds, and what shows it."""

    name: str
    verdict: Verdict
    evidence: str


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """All parts; the incident is reproduced when every one of them holds."""

    parts: tuple[Part, ...]

    @property
    def verdict(self) -> Verdict:
        """Pass: reproduced. Fail: not reproduced. Unknown: the history does not show enough."""
        verdicts = [part.verdict for part in self.parts]
        return Verdict.FAIL if Verdict.FAIL in verdicts else merge(verdicts)

    @property
    def missing(self) -> tuple[Part, ...]:
        """The parts that do not hold, or are not shown."""
        return tuple(part for part in self.parts if part.verdict is not Verdict.PASS)

    def __str__(self) -> str:
        """In a sentence."""
        if self.verdict is Verdict.PASS:
            return "reproduced: " + "; ".join(part.evidence for part in self.parts)
        lacks = "; ".join(f"{part.name} ({part.evidence})" for part in self.missing)
        return f"not reproduced, missing: {lacks}"


def read_signature(found: Attribution | None, stamp_label: str) -> Signature:
    """Judge one explained upgrade against the incident's signature."""
    if found is None:
        return Signature(
            parts=(
                Part(
                    name="rolled back",
                    verdict=Verdict.UNKNOWN,
                    evidence="the service was never seen",
                ),
            )
        )
    return Signature(
        parts=(
            _rolled_back(found),
            _new_task_failed(found),
            _oom_killed(found),
            _stamp_reverted(found, stamp_label),
            _old_kept_serving(found),
        )
    )


def _rolled_back(found: Attribution) -> Part:
    state = found.last.service.update_state
    if found.rollback is None:
        return Part(
            name="rolled back", verdict=Verdict.FAIL, evidence=f"the update ended as {state}"
        )
    ended = state == "rollback_completed"
    return Part(
        name="rolled back",
        verdict=Verdict.of(ended),
        evidence=f"the swarm rolled back, state {state}",
    )


def _new_task_failed(found: Attribution) -> Part:
    name = "the failed task is the new one"
    if found.death is None or found.head is None:
        verdict = Verdict.FAIL if found.rollback is None else Verdict.UNKNOWN
        return Part(name=name, verdict=verdict, evidence="no failed task is named")
    task = found.death.task
    is_new = task.spec_digest == found.head.task_digest
    of = "the head spec" if is_new else "another spec"
    return Part(name=name, verdict=Verdict.of(is_new), evidence=f"task {task.id} of {of} failed")


def _oom_killed(found: Attribution) -> Part:
    name = "it was OOM-killed"
    if found.death is None:
        verdict = Verdict.FAIL if found.rollback is None else Verdict.UNKNOWN
        return Part(name=name, verdict=verdict, evidence="no OOM kill of a new task is recorded")
    if found.death.is_oom and found.oom_kills == 0:
        return Part(
            name=name,
            verdict=Verdict.FAIL,
            evidence="the kernel's log has an OOM kill, its counter in memory.events has none",
        )
    if found.death.is_oom:
        figures = attribution.memory_at_oom(found)
        counted = "" if found.oom_kills is None else f", memory.events oom_kill +{found.oom_kills}"
        return Part(
            name=name,
            verdict=Verdict.PASS,
            evidence=f"OOM-killed by the kernel's record ({figures}{counted})",
        )
    code = found.death.ended.exit_code if found.death.ended else "unknown"
    oom = "an OOM kill" if found.death.oom else "no OOM kill"
    return Part(
        name=name,
        verdict=Verdict.FAIL,
        evidence=f"the kernel records {oom} in its container, its exit code is {code}",
    )


def _stamp_reverted(found: Attribution, stamp_label: str) -> Part:
    name = "the stamp is the previous one"
    before = found.base.labels.get(stamp_label)
    head = found.head.labels.get(stamp_label) if found.head else None
    now = found.last.service.spec.labels.get(stamp_label)
    reverted = now == before and head not in (None, before)
    return Part(
        name=name, verdict=Verdict.of(reverted), evidence=f"stamp {before} → {head} → {now}"
    )


def _old_kept_serving(found: Attribution) -> Part:
    name = "the old task kept serving"
    clients = found.clients
    if not found.served_before:
        unseen = "no client was answered before the update"
        return Part(name=name, verdict=Verdict.UNKNOWN, evidence=unseen)
    if clients.asked == 0:
        return Part(name=name, verdict=Verdict.UNKNOWN, evidence="no client probe was recorded")
    kept = bool(found.kept_tasks) and not found.lost_tasks
    kept = kept and clients.failed == 0 and clients.versions == found.served_before
    task = f"old task {found.kept_tasks[0]} alive" if found.kept_tasks else "no old task is alive"
    return Part(name=name, verdict=Verdict.of(kept), evidence=f"{task}, {clients}")
