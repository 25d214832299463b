"""Checks of the folders of labs, cache and evidence, and of the room in them."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from stamplab.lab.live.doctor.check import Check, format_size, lack, note, ok
from stamplab.lab.live.lease import UNIX_SOCKET_PATH_MAX_BYTES, LabFolder

_CACHE_BYTES = 10**9
"""An engine, a Python environment, and the packages that both are unpacked from."""
_RUN_BYTES = 200 * 10**6
"""Many runs: the evidence of one is a few megabytes, and what a daemon writes is in memory."""
_NOTHING_BYTES = 20 * 10**6


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """The file system of a folder, or of the nearest folder above that exists."""

    free_bytes: int
    is_writable: bool
    is_executable: bool
    owner: int | None
    """The number of the folder's owner; None where the folder does not exist."""


def room_of(folder: Path) -> Room:
    """Return the room of a folder."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    room = os.statvfs(there)
    return Room(
        free_bytes=room.f_bavail * room.f_frsize,
        is_writable=there.is_dir() and os.access(there, os.W_OK | os.X_OK),
        is_executable=not room.f_flag & os.ST_NOEXEC,
        owner=folder.stat().st_uid if there == folder else None,
    )


def check_labs_folder(root: Path) -> Check:
    """Check the labs' folder, for leases, sockets and scratch; a daemon's data is in memory."""
    name, room = "disk: labs", room_of(root)
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


def check_cache(folder: Path) -> Check:
    """Check the cache, from which the engine and the workload are run."""
    name, room = "disk: cache", room_of(folder)
    if not room.is_executable:
        return lack(
            name,
            f"{folder} is on a file system mounted noexec",
            "The engine and the workload are run from there: set STAMPLAB_CACHE to another folder.",
        )
    return _judge(name, folder, room, _CACHE_BYTES, "STAMPLAB_CACHE")


def check_runs(folder: Path) -> Check:
    """Check the folder of the evidence."""
    return _judge("disk: runs", folder.absolute(), room_of(folder), _RUN_BYTES, "STAMPLAB_RUNS")


def _judge(name: str, folder: Path, room: Room, wanted_bytes: int, variable: str) -> Check:
    facts = f"{folder}, {format_size(room.free_bytes)} free"
    if not room.is_writable:
        return lack(name, f"{folder} cannot be written", f"Set {variable} to a folder that can be.")
    if room.free_bytes < _NOTHING_BYTES:
        return lack(name, facts, f"The disk is full: make room, or set {variable} elsewhere.")
    if room.free_bytes < wanted_bytes:
        return note(
            name,
            facts,
            f"Under {format_size(wanted_bytes)} the disk may fill before the end, and a run that "
            f"cannot write is no verdict: make room, or set {variable} elsewhere.",
        )
    return ok(name, facts)
