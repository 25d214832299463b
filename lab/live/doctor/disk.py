"""Where labs, the cache and the evidence go, and whether there is room for them."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from stamplab.lab.live.doctor.check import Check, lack, note, ok, size
from stamplab.lab.live.lease import UNIX_SOCKET_PATH_MAX_BYTES, LabFolder

_CACHE_BYTES = 10**9
"""An engine, a Python environment, and the packages that they are unpacked from."""
_RUN_BYTES = 200 * 10**6
"""Many runs: the evidence of one is a few megabytes, and what a daemon writes is in memory."""
_NOTHING_BYTES = 20 * 10**6


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """The file system that a folder is on, or would be once it is made."""

    free_bytes: int
    is_writable: bool
    is_executable: bool
    owner: int | None
    """The user that the folder belongs to; None where it is still to be made."""


def look(folder: Path) -> Room:
    """Look at a folder, or at the nearest one above it that is there."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    room = os.statvfs(there)
    return Room(
        free_bytes=room.f_bavail * room.f_frsize,
        is_writable=there.is_dir() and os.access(there, os.W_OK | os.X_OK),
        is_executable=not room.f_flag & os.ST_NOEXEC,
        owner=folder.stat().st_uid if there == folder else None,
    )


def labs(root: Path) -> Check:
    """The folder of the labs: leases, sockets and scratch; what a daemon writes is in memory."""
    name, room = "disk: labs", look(root)
    socket = len(os.fsencode(LabFolder(root / "lab-00000000").socket))
    if not root.is_absolute():
        return lack(name, f"STAMPLAB_DIR={root}", "STAMPLAB_DIR must be an absolute path.")
    if socket > UNIX_SOCKET_PATH_MAX_BYTES:
        return lack(
            name,
            f"{root}: a socket in it has a path of {socket} bytes",
            f"The kernel takes {UNIX_SOCKET_PATH_MAX_BYTES}: set STAMPLAB_DIR to a shorter folder.",
        )
    if room.owner is not None and room.owner != os.geteuid():
        return lack(
            name,
            f"{root} belongs to user {room.owner}",
            "Labs are made only in a folder of one's own: set STAMPLAB_DIR to another.",
        )
    return _judge(name, root, room, _RUN_BYTES, "STAMPLAB_DIR")


def cache(folder: Path) -> Check:
    """The cache: the unpacked engine and the workload are run from there."""
    name, room = "disk: cache", look(folder)
    if not room.is_executable:
        return lack(
            name,
            f"{folder} is on a file system mounted noexec",
            "The engine and the workload are run from there: set STAMPLAB_CACHE to another folder.",
        )
    return _judge(name, folder, room, _CACHE_BYTES, "STAMPLAB_CACHE")


def runs(folder: Path) -> Check:
    """Where the evidence is kept."""
    return _judge("disk: runs", folder.absolute(), look(folder), _RUN_BYTES, "STAMPLAB_RUNS")


def _judge(name: str, folder: Path, room: Room, wanted_bytes: int, variable: str) -> Check:
    found = f"{folder}, {size(room.free_bytes)} free"
    if not room.is_writable:
        return lack(name, f"{folder} cannot be written", f"Set {variable} to a folder that can be.")
    if room.free_bytes < _NOTHING_BYTES:
        return lack(name, found, f"The disk is full: make room, or set {variable} elsewhere.")
    if room.free_bytes < wanted_bytes:
        return note(
            name,
            found,
            f"Under {size(wanted_bytes)} the disk may fill before the end, and a run that cannot "
            f"write is no verdict: make room, or set {variable} elsewhere.",
        )
    return ok(name, found)
