"""Finds labs by their leases, and removes exactly what dead ones left.

A lab is dead when its owner is gone (and it was not left up on purpose). What has no lease is only
told of: nobody can prove whose it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import msgspec

from stamplab.lab.cgroup.host import CgroupHost, read_cgroup_host
from stamplab.lab.errors import LabError
from stamplab.lab.live.lease import (
    CLAIM_PREFIX,
    GONE_PREFIX,
    LAB_PREFIX,
    LabFolder,
    Lease,
    end_lease,
    labs_root,
    remove_remains,
)
from stamplab.lab.support.processes import ProcessId


class Standing(StrEnum):
    """How a lab stands."""

    AT_WORK = "at work"
    KEPT = "kept"
    DEAD = "dead"
    UNCLEAR = "unclear"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One thing of a lab's that was found, and how it stands."""

    name: str
    """The lab's id, or the path of what has no lease."""
    standing: Standing
    what: str
    """In a clause, for a person."""


class Reaped(msgspec.Struct, frozen=True, kw_only=True):
    """One dead lab, and whether all of it could be removed."""

    found: Found
    resisted: str = ""
    """Why something of it is still there; empty when nothing is."""


def survey(root: Path | None = None, host: CgroupHost | None = None) -> tuple[Found, ...]:
    """Look at everything of labs' on this machine; changes nothing."""
    folders = _folders(root or labs_root())
    known = {LabFolder(folder).lab_id for folder in folders}
    return (
        *(_judge(folder) for folder in folders),
        *_without_lease(host or read_cgroup_host(), known),
    )


def reap(root: Path | None = None, host: CgroupHost | None = None) -> tuple[Reaped, ...]:
    """Remove what dead labs left: processes, namespaces, mounts, control groups, folders.

    A lab that resists keeps its lease, and the others are reaped all the same.
    """
    done: list[Reaped] = []
    cgroups = host or read_cgroup_host()
    for folder in _folders(root or labs_root()):
        found = _judge(folder)
        if found.standing is Standing.DEAD:
            done.append(Reaped(found=found, resisted=_resistance(folder, cgroups)))
    return tuple(done)


def _folders(root: Path) -> list[Path]:
    try:
        return sorted(root.iterdir())
    except OSError:
        return []  # no lab was ever here, or the last one has just gone


def _judge(folder: Path) -> Found:
    if folder.name.startswith(GONE_PREFIX):
        lab_id = folder.name.removeprefix(GONE_PREFIX)
        return Found(name=lab_id, standing=Standing.DEAD, what="its folder, half removed")
    if folder.name.startswith(CLAIM_PREFIX):
        return _judge_claim(folder)
    if not folder.name.startswith(LAB_PREFIX):
        return Found(name=str(folder), standing=Standing.UNCLEAR, what="no lab's")
    try:
        lease = LabFolder(folder).read_lease()
    except LabError as error:
        return Found(name=str(folder), standing=Standing.UNCLEAR, what=str(error))
    return _judge_lease(lease)


def _judge_claim(folder: Path) -> Found:
    lab_id, _, token = folder.name.removeprefix(CLAIM_PREFIX).partition(".")
    owner = ProcessId.from_token(token)
    if owner is None or owner.is_foreign:
        return Found(name=str(folder), standing=Standing.UNCLEAR, what="begun, by whom is unclear")
    if owner.is_alive():
        what = f"process {owner.pid} begins it"
        return Found(name=lab_id, standing=Standing.AT_WORK, what=what)
    return Found(name=lab_id, standing=Standing.DEAD, what=f"begun by process {owner.pid}, gone")


def _judge_lease(lease: Lease) -> Found:
    owner, name = lease.owner, lease.lab_id
    if lease.is_dead:
        what = f"its owner, process {owner.pid}, is gone"
        return Found(name=name, standing=Standing.DEAD, what=what)
    if owner.is_foreign:
        what = f"it belongs to another pid namespace ({owner.namespace}): look from there"
        return Found(name=name, standing=Standing.UNCLEAR, what=what)
    if owner.is_alive():
        what = f"process {owner.pid} works with it"
        return Found(name=name, standing=Standing.AT_WORK, what=what)
    what = f"left up on purpose; stamplab end {name} takes it down"
    return Found(name=name, standing=Standing.KEPT, what=what)


def _resistance(folder: Path, host: CgroupHost) -> str:
    try:
        if folder.name.startswith(LAB_PREFIX):
            lab = LabFolder(folder)
            lease = lab.read_lease()
            end_lease(lab, lease, host.memory_group(lease.cgroup))
        else:
            remove_remains(folder)
    except LabError as error:
        return str(error)
    return ""


def _without_lease(host: CgroupHost, known: set[str]) -> Iterator[Found]:
    """Control groups that go by a lab's name, and whose lease is not here."""
    roots = {*host.v1.values(), *({host.unified} if host.unified else ())}
    for path in sorted({path for root in roots for path in root.glob("**/stamplab-*/")}):
        if path.name.removeprefix("stamplab-").removesuffix(".scope") not in known:
            what = "a control group whose lease is not in this folder of labs (see STAMPLAB_DIR)"
            yield Found(name=str(path), standing=Standing.UNCLEAR, what=what)
