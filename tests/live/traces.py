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


def engine_files() -> list[str]:
    """What a dockerd leaves in the host's file system if one lets it."""
    usual = ("/etc/docker", "/opt/containerd", "/var/lib/docker", "/var/lib/containerd")
    runtime = ("/run/docker", "/run/docker.sock", "/run/containerd", "/run/docker.pid")
    return [path for path in (*usual, *runtime) if Path(path).exists()]


def everything() -> dict[str, object]:
    """All of the above, to be compared before and after."""
    return {
        "labs": labs(),
        "control groups": control_groups(),
        "mounts": mounts(),
        "daemons": daemons(),
        "files": engine_files(),
    }
