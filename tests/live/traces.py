"""What our labs could leave on the host, and whether they did.

Labs of others at work do not count.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import psutil

from lab.errors import LabError
from lab.live.lease import LabFolder, labs_root

_CGROUPS = Path("/sys/fs/cgroup")
_DAEMON = re.compile(r"(/\S*/lab-([0-9a-f]{8}))/daemon\.json")


def everything() -> dict[str, list[str]]:
    """All traces that are there now; `left_since` compares."""
    others = labs_of_others()
    labs, daemons = _labs(), set(_daemons())
    groups = {path for path in _CGROUPS.glob("**/stamplab-*") if path.is_dir()}
    others |= labs_of_others()  # one may have come or gone while we looked
    return {
        "labs": sorted(labs - others),
        "control groups": sorted(str(path) for path in groups if path.name[-8:] not in others),
        "mounts": Path("/proc/self/mounts").read_text().splitlines(),
        "daemons": sorted(daemons - others),
        "files": engine_files(),
    }


def left_since(before: dict[str, list[str]]) -> dict[str, list[str]]:
    """What is there now and was not before, by kind; what others took away meanwhile is theirs."""
    now = everything()
    left = {kind: [item for item in now[kind] if item not in before[kind]] for kind in now}
    return {kind: items for kind, items in left.items() if items}


def _labs() -> set[str]:
    root = labs_root()
    return {path.name.removeprefix("lab-") for path in root.iterdir()} if root.is_dir() else set()


def labs_of_others() -> set[str]:
    """Labs, wherever their folders are, whose owner lives and is neither we nor a child of ours."""
    ours = {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))}
    root = labs_root()
    folders = {*(root.iterdir() if root.is_dir() else ()), *_daemons().values()}
    others = set()
    for folder in map(LabFolder, folders):
        try:
            owner = folder.read_lease().owner
        except LabError:
            others.add(folder.lab_id)  # it is being made or taken down at this very moment
            continue
        if owner.is_alive() and owner.pid not in ours:
            others.add(folder.lab_id)
    return others


def _daemons() -> dict[str, Path]:
    """Labs whose dockerd runs, with their folders."""
    found = {}
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] == "dockerd":
            named = _DAEMON.search(" ".join(process.info["cmdline"] or []))
            if named:
                found[named.group(2)] = Path(named.group(1))
    return found


def engine_files() -> list[str]:
    """What a dockerd leaves in the host's file system if one lets it."""
    usual = ("/etc/docker", "/opt/containerd", "/var/lib/docker", "/var/lib/containerd")
    runtime = ("/run/docker", "/run/docker.sock", "/run/containerd", "/run/docker.pid")
    return [path for path in (*usual, *runtime) if Path(path).exists()]
