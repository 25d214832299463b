"""What our labs could leave on the host, and whether they did.

Labs of others at work do not count.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from stamplab.lab.errors import LabError
from stamplab.lab.live.lease import CLAIM_PREFIX, MARK, LabFolder, labs_root
from stamplab.lab.support.processes import ProcessId

_CGROUPS = Path("/sys/fs/cgroup")
_LAB = re.compile(r"(?:lab-|claim-|gone-)([0-9a-f]{8})")
_PASSING_S = 5.0
"""How long what others make or take down may be seen without being known as theirs."""
_DAEMON = re.compile(r"(/\S*/lab-([0-9a-f]{8}))/daemon\.json")


def everything() -> dict[str, list[str]]:
    """All traces that are there now; `left_since` compares."""
    others = labs_of_others()
    labs, daemons = _labs(), set(_daemons())
    folders = (Path(folder) for folder, _, _ in os.walk(_CGROUPS))  # some end while we look
    groups = {path for path in folders if path.name.startswith("stamplab-")}
    others |= labs_of_others()  # one may have come or gone while we looked
    return {
        "labs": sorted(labs - others),
        "control groups": sorted(str(path) for path in groups if _lab_of(path) not in others),
        "processes": [f"{pid} of {lab}" for pid, lab in _processes() if lab not in others],
        "mounts": Path("/proc/self/mounts").read_text().splitlines(),
        "daemons": sorted(daemons - others),
        "files": engine_files(),
    }


def left_since(before: dict[str, list[str]]) -> dict[str, list[str]]:
    """What is there now and was not before, by kind; what others took away meanwhile is theirs."""
    deadline_s = time.monotonic() + _PASSING_S
    while True:
        now = everything()
        left = {kind: [item for item in now[kind] if item not in before[kind]] for kind in now}
        left = {kind: items for kind, items in left.items() if items}
        if not left or time.monotonic() > deadline_s:
            return left
        time.sleep(0.1)


def _labs() -> set[str]:
    return {_lab_of(path) for path in _folders()}


def _folders() -> list[Path]:
    root = labs_root()
    return list(root.iterdir()) if root.is_dir() else []


def _lab_of(path: Path) -> str:
    """The lab whose folder or control group that is; what is no lab's goes by its whole name."""
    named = _LAB.search(path.name)
    return named.group(1) if named else path.name


def _processes() -> Iterator[tuple[int, str]]:
    for pid in psutil.pids():
        with suppress(psutil.Error):  # it has just ended
            lab = psutil.Process(pid).environ().get(MARK)
            if lab is not None:
                yield pid, lab


def labs_of_others() -> set[str]:
    """Labs, wherever their folders are, whose owner lives and is neither we nor a child of ours."""
    ours = {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))}
    others = set()
    for path in {*_folders(), *_daemons().values()}:
        owner = _owner(path)
        if owner is not None and owner.is_alive() and owner.pid not in ours:
            others.add(_lab_of(path))
    return others


def _owner(path: Path) -> ProcessId | None:
    if path.name.startswith(CLAIM_PREFIX):
        return ProcessId.from_token(path.name.removeprefix(CLAIM_PREFIX).partition(".")[2])
    try:
        return LabFolder(path).read_lease().owner
    except LabError:
        return None  # it is being taken down at this very moment, or its lease was lost


def _daemons() -> dict[str, Path]:
    """Labs whose dockerd runs, with their folders."""
    folders = {}
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] == "dockerd":
            named = _DAEMON.search(" ".join(process.info["cmdline"] or []))
            if named:
                folders[named.group(2)] = Path(named.group(1))
    return folders


def engine_files() -> list[str]:
    """What a dockerd leaves in the host's file system if one lets it."""
    usual = ("/etc/docker", "/opt/containerd", "/var/lib/docker", "/var/lib/containerd")
    runtime = ("/run/docker", "/run/docker.sock", "/run/containerd", "/run/docker.pid")
    return [path for path in (*usual, *runtime) if Path(path).exists()]
