"""Reads what was written by schema 1, in which some facts stood in sentences alone.

This is the only place where a sentence of this program's own is taken apart: each of the forms
below is one that schema 1 wrote, to the letter, and none of them changes any more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from stamplab.lab.model.docker_json import failed_task_in
from stamplab.lab.model.history import (
    Finding,
    Note,
    Observation,
    OperatorActed,
    OtherUpdate,
    Record,
    ServiceSeen,
    StageBegan,
    StageEnded,
)
from stamplab.lab.model.swarm import Service, UpdateStatus

_STAGE_BEGAN = re.compile(r"==> stage (?P<stage>\w+)")
_STAGE_ENDED = re.compile(
    r"<== stage (?P<stage>\w+): (?P<end>pass|fail|unknown|skipped)(: (?P<reason>.*))?", re.DOTALL
)
_RULING = re.compile(r"upgrade-(not-)?converged: [^:]+: (?P<reason>.*)", re.DOTALL)

_Forms = Sequence[tuple[re.Pattern[str], str]]


def _forms(*pairs: tuple[str, str]) -> _Forms:
    return tuple((re.compile(pattern, re.DOTALL), value) for pattern, value in pairs)


_OPERATIONS = _forms(
    (r"a second operator changed labels only", "restamp"),
    (r"a second operator deployed the same spec again", "redeploy"),
    (r"a second operator deployed version .*", "next-version"),
    (r"a second operator rolled the service back", "roll-back"),
    (r"a second operator scaled the service to \d+", "scale"),
    (r"a second operator removed the service", "remove"),
    (r"a second operator removed the service and created it anew", "recreate"),
)
_OUTCOMES = _forms(
    (r"converged: .*", "converged"),
    (r"head spec applied then swarm-rolled-back.*", "rolled back"),
    (r"the update is paused: .*", "paused"),
    (r"another update came in between: .*", "superseded by another update"),
    (r"there is no service \S+ \(any more\)", "removed"),
    (r"the service's label .*", "stamp mismatch"),
    (r"the deploy command failed with .*", "deploy command failed"),
    # The sentence did not tell this end from "stalled", and nothing was decided by the difference.
    (r"not converged by the deadline: .*", "timed out"),
)
_FAILED_STEPS = _forms(
    (r"(re-checkout failed: )?chaos commit .* \(HC1\)", "hc1"),
    (r"not healthy within .*", "wait_healthy"),
    (r"the redeploy was refused: .*", "chaos_redeploy"),
    (r"the deploy was refused: .*", "deploy_app"),
    (r"the upgrade moved neither .*", "perform_upgrade"),
    (r"there is no service \S+", "deployed_identity"),
    *((pattern.pattern, "assert_upgrade_converged") for pattern, _ in _OUTCOMES),
)
_FAILED_TASK = re.compile(
    r"head spec applied then swarm-rolled-back[^:]*: new task (?P<rolled_back>\w+) failed .*"
    r"|the update is paused: task (?P<paused>\w+) failed.*",
    re.DOTALL,
)
_REMOVAL = re.compile(
    r"(not converged by the deadline: )?there is no service .*"
    r"|.*; before its end was seen, the service was removed",
    re.DOTALL,
)


def upgrade(record: Record) -> Record:
    """Give a record of schema 1 the fields that its sentences stand for."""
    what = _upgraded(record.what)
    return record if what is record.what else msgspec.structs.replace(record, what=what)


def failed_step_in(reason: str) -> str:
    """Find the step of the harness that failed a stage for this reason; empty where none did."""
    return _meaning(reason, _FAILED_STEPS) or ""


def _upgraded(what: Observation) -> Observation:
    match what:
        case Note(text=text):
            return _stage_in(text) or what
        case Finding(step="assert_upgrade_converged"):
            return _ruling_in(what)
        case OperatorActed():
            return msgspec.structs.replace(what, operation=_meaning(what.what, _OPERATIONS) or "")
        case ServiceSeen(service=Service(update_status=UpdateStatus() as status) as service):
            named = msgspec.structs.replace(status, failed_task=failed_task_in(status.message))
            service = msgspec.structs.replace(service, update_status=named)
            return msgspec.structs.replace(what, service=service)
        case _:
            return what


def _meaning(sentence: str, forms: _Forms) -> str | None:
    return next((value for pattern, value in forms if pattern.fullmatch(sentence)), None)


def _stage_in(text: str) -> StageBegan | StageEnded | None:
    if began := _STAGE_BEGAN.fullmatch(text):
        return StageBegan(stage=began["stage"])
    if ended := _STAGE_ENDED.fullmatch(text):
        reason = ended["reason"] or ""
        parts = {"stage": ended["stage"], "end": ended["end"], "reason": reason}
        step = failed_step_in(reason)
        return msgspec.convert({"type": "stage_ended", **parts, "failed_step": step}, StageEnded)
    return None


def _ruling_in(finding: Finding) -> Finding:
    ruling = _RULING.fullmatch(finding.text)
    reason = ruling["reason"] if ruling else finding.text
    task = _FAILED_TASK.fullmatch(reason)
    return msgspec.structs.replace(
        finding,
        outcome=_meaning(reason, _OUTCOMES),
        failed_task=(task["rolled_back"] or task["paused"]) if task else None,
        other_update=_other_update_in(reason),
    )


def _other_update_in(reason: str) -> OtherUpdate | None:
    """Find the other update that a ruling names, itself or as what cut a rollback short."""
    if _REMOVAL.fullmatch(reason):
        return "removal"
    came = reason.partition("another update came in")[2]
    if not came:
        return None
    return "rollback by hand" if "somebody rolled back by hand" in came else "another"
