"""What a lab could leave on the host, and whether it did."""

from __future__ import annotations

from pathlib import Path

import psutil

from lab.live.lease import labs_root


def labs() -> set[str]:
    """Folders of labs that are there now."""
    root = labs_root()
    return {path.name for path in root.iterdir()} if root.is_dir() else set()


def control_groups() -> set[str]:
    """Control groups of labs, in any hierarchy."""
    return {str(path) for path in Path("/sys/fs/cgroup").glob("**/stamplab-*") if path.is_dir()}


def mounts() -> list[str]:
    """The host's mount table."""
    return Path("/proc/self/mounts").read_text().splitlines()


def daemons() -> set[int]:
    """Running dockerds, ours or anybody's."""
    return {
        process.pid
        for process in psutil.process_iter(["name"])
        if process.info["name"] in {"dockerd", "containerd", "containerd-shim", "stampload"}
    }


def everything() -> tuple[set[str], set[str], list[str], set[int]]:
    """All of the above, to be compared before and after."""
    return labs(), control_groups(), mounts(), daemons()
