"""What else happens while an upgrade is under way: memory comes and goes, somebody else deploys.

Acts are values. A world that was given a row of them does each at its time, and puts it into the
history; the harness on trial knows of none.
"""

from __future__ import annotations

from typing import Any

import msgspec

from stamplab.lab.model.history import OperatorActed

_VERSION = "STAMPLOAD_VERSION"


class SetLimit(msgspec.Struct, frozen=True, kw_only=True, tag="limit"):
    """The limit of the memory that all tasks share; None lifts it."""

    limit_bytes: int | None
    reason: str


class Restamp(msgspec.Struct, frozen=True, kw_only=True, tag="restamp"):
    """A second operator changes labels of the service and nothing else."""

    labels: dict[str, str]


class Redeploy(msgspec.Struct, frozen=True, tag="redeploy"):
    """A second operator deploys the present spec once more, to the letter."""


class NextVersion(msgspec.Struct, frozen=True, kw_only=True, tag="next-version"):
    """A second operator deploys another version: its labels, and what its tasks answer with."""

    version: str
    labels: dict[str, str]


class RollBack(msgspec.Struct, frozen=True, tag="roll-back"):
    """A second operator rolls the service back by hand."""


class Scale(msgspec.Struct, frozen=True, kw_only=True, tag="scale"):
    """A second operator changes the number of replicas."""

    replicas: int


class Remove(msgspec.Struct, frozen=True, tag="remove"):
    """A second operator removes the service."""


class Recreate(msgspec.Struct, frozen=True, tag="recreate"):
    """A second operator removes the service and creates it anew, by its present spec."""


Operation = Restamp | Redeploy | NextVersion | RollBack | Scale | Remove | Recreate


class LoseSight(msgspec.Struct, frozen=True, tag="lose-sight"):
    """Whoever looks on stops looking: from here on something may happen unseen."""


Deed = SetLimit | Operation | LoseSight


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happens, and when: seconds after the acts were given to the world."""

    after_s: float
    what: Deed


def edited(spec: bytes, operation: Operation) -> bytes:
    """Return the service spec (Docker API JSON) that an operation makes of the present one."""
    if isinstance(operation, Redeploy | RollBack | Remove | Recreate):
        return spec
    changed: dict[str, Any] = msgspec.json.decode(spec)
    match operation:
        case Restamp(labels=labels):
            changed["Labels"] = {**(changed.get("Labels") or {}), **labels}
        case NextVersion(version=version, labels=labels):
            changed["Labels"] = {**(changed.get("Labels") or {}), **labels}
            container = changed["TaskTemplate"]["ContainerSpec"]
            others = [e for e in container.get("Env") or [] if not e.startswith(f"{_VERSION}=")]
            container["Env"] = [*others, f"{_VERSION}={version}"]
        case Scale(replicas=replicas):
            changed["Mode"] = {"Replicated": {"Replicas": replicas}}
    return msgspec.json.encode(changed)


def in_words(what: Deed) -> str:
    """Say in a clause what was done."""
    match what:
        case SetLimit(reason=reason):
            return reason
        case Restamp():
            return "a second operator changed labels only"
        case Redeploy():
            return "a second operator deployed the same spec again"
        case NextVersion(version=version):
            return f"a second operator deployed version {version}"
        case RollBack():
            return "a second operator rolled the service back"
        case Scale(replicas=replicas):
            return f"a second operator scaled the service to {replicas}"
        case Remove():
            return "a second operator removed the service"
        case Recreate():
            return "a second operator removed the service and created it anew"
        case LoseSight():
            return "sight is lost of the swarm"


def operator_record(operation: Operation, refused: str) -> OperatorActed:
    """Return what the history says of an operation, with the swarm's words of a refusal."""
    tag = type(operation).__struct_config__.tag
    return OperatorActed(what=in_words(operation), operation=str(tag), refused=refused)
