"""Finds labs by their leases, and removes exactly what dead labs have left.

A lab is dead when its owner is gone and the lab was not left up on purpose. Remains without a lease
are reported and not removed: nothing proves whose they are.
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
    """The state of a lab."""

    AT_WORK = "at work"
    KEPT = "kept"
    DEAD = "dead"
    UNCLEAR = "unclear"


class LabStatus(msgspec.Struct, frozen=True):
    """A lab, or remains of a lab, on this machine."""

    name: str
    """The lab's id, or the path of remains without a lease."""
    standing: Standing
    what: str
    """A clause about the lab, for a person."""


class LabRemoval(msgspec.Struct, frozen=True, kw_only=True):
    """A dead lab, and whether all of it could be removed."""

    lab: LabStatus = msgspec.field(name="found")
    resisted: str = ""
    """Why a part of the lab is left; empty when nothing is."""


def survey(root: Path | None = None, host: CgroupHost | None = None) -> tuple[LabStatus, ...]:
    """Return all labs and remains of labs on this machine, and change nothing."""
    folders = _folders(root or labs_root())
    known = {LabFolder(folder).lab_id for folder in folders}
    return (
        *(_judge(folder) for folder in folders),
        *_without_lease(host or read_cgroup_host(), known),
    )


def reap(root: Path | None = None, host: CgroupHost | None = None) -> tuple[LabRemoval, ...]:
    """Remove what dead labs left: processes, namespaces, mounts, control groups, folders.

    A lab that cannot be removed keeps its lease; the others are removed all the same.
    """
    done: list[LabRemoval] = []
    cgroups = host or read_cgroup_host()
    for folder in _folders(root or labs_root()):
        lab = _judge(folder)
        if lab.standing is Standing.DEAD:
            done.append(LabRemoval(lab=lab, resisted=_resistance(folder, cgroups)))
    return tuple(done)


def _folders(root: Path) -> list[Path]:
    try:
        return sorted(root.iterdir())
    except OSError:
        return []  # no lab was ever here, or the last one has just gone


def _judge(folder: Path) -> LabStatus:
    if folder.name.startswith(GONE_PREFIX):
        lab_id = folder.name.removeprefix(GONE_PREFIX)
        return LabStatus(lab_id, Standing.DEAD, "its folder, half removed")
    if folder.name.startswith(CLAIM_PREFIX):
        return _judge_claim(folder)
    if not folder.name.startswith(LAB_PREFIX):
        return LabStatus(str(folder), Standing.UNCLEAR, "not a lab's folder")
    try:
        lease = LabFolder(folder).read_lease()
    except LabError as error:
        return LabStatus(str(folder), Standing.UNCLEAR, str(error))
    return _judge_lease(lease)


def _judge_claim(folder: Path) -> LabStatus:
    lab_id, _, token = folder.name.removeprefix(CLAIM_PREFIX).partition(".")
    owner = ProcessId.from_token(token)
    if owner is None or owner.in_other_pid_namespace:
        return LabStatus(str(folder), Standing.UNCLEAR, "half made, by an unknown process")
    if owner.is_alive():
        return LabStatus(lab_id, Standing.AT_WORK, f"process {owner.pid} is making it")
    what = f"half made by process {owner.pid}, which is gone"
    return LabStatus(lab_id, Standing.DEAD, what)


def _judge_lease(lease: Lease) -> LabStatus:
    owner, name = lease.owner, lease.lab_id
    if lease.is_dead:
        return LabStatus(name, Standing.DEAD, f"its owner, process {owner.pid}, is gone")
    if owner.in_other_pid_namespace:
        what = f"it belongs to another pid namespace ({owner.namespace}): run doctor there"
        return LabStatus(name, Standing.UNCLEAR, what)
    if owner.is_alive():
        return LabStatus(name, Standing.AT_WORK, f"process {owner.pid} uses it")
    return LabStatus(name, Standing.KEPT, f"kept on purpose; stamplab end {name} takes it down")


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


def _without_lease(host: CgroupHost, known: set[str]) -> Iterator[LabStatus]:
    """Yield control groups with a lab's name but without a lease in this root."""
    roots = {*host.v1.values(), *({host.unified} if host.unified else ())}
    for path in sorted({path for root in roots for path in root.glob("**/stamplab-*/")}):
        if path.name.removeprefix("stamplab-").removesuffix(".scope") not in known:
            what = "a control group whose lease is not in this folder of labs (see STAMPLAB_DIR)"
            yield LabStatus(str(path), Standing.UNCLEAR, what)
