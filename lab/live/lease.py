"""A lab's lease: what it put on this machine, on disk before any of it is there.

Whatever happens to the lab's own process, the lease names all that may be left: the folder, the
namespaces' first process, the control group. Nothing else is ever removed.
"""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

import msgspec

from lab.cgroup.group import MemoryGroup
from lab.errors import LabError, UsageError
from lab.processes import ProcessId

_UNIX_SOCKET_PATH_MAX_BYTES = 107
"""sun_path holds 108 bytes with its final NUL (unix(7))."""


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a lab and what it consists of."""

    lab_id: str
    owner: ProcessId
    cgroup: str
    """Path of the lab's group in every hierarchy."""
    init: ProcessId | None = None
    """The process whose end takes the lab's namespaces, mounts and processes with it."""
    kept: bool = False
    """Whether the lab was left up on purpose: then its owner's death does not end the lease."""


class LabFolder:
    """One lab's folder: short enough for sockets, and the place of its lease."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lab_id = path.name.removeprefix("lab-")

    @property
    def socket(self) -> Path:
        """The daemon's socket."""
        return self.path / "docker.sock"

    @property
    def daemon_log(self) -> Path:
        """What the daemon and the namespaces' init print."""
        return self.path / "dockerd.log"

    @property
    def scratch(self) -> Path:
        """Where the run puts its repositories and ABRA_DIR."""
        return self.path / "scratch"

    @property
    def private_run(self) -> Path:
        """Where the namespaces' own /run is made before it is put in its place."""
        return self.path / "run"

    @property
    def lease_file(self) -> Path:
        """The lease, as JSON."""
        return self.path / "lease.json"

    @property
    def cgroup(self) -> str:
        """The group's path; its name is the lab's own, so labs share no parent."""
        return f"/stamplab-{self.lab_id}"

    def write_lease(self, lease: Lease) -> None:
        """Replace the lease atomically."""
        draft = self.lease_file.with_suffix(".new")
        try:
            draft.write_bytes(msgspec.json.format(msgspec.json.encode(lease)))
            draft.replace(self.lease_file)
        except OSError as error:
            raise LabError(
                f"the lease {self.lease_file} cannot be written: {error.strerror}"
            ) from error

    def read_lease(self) -> Lease:
        """Read the lease back. Raises LabError where there is none that can be read."""
        try:
            return msgspec.json.decode(self.lease_file.read_bytes(), type=Lease)
        except (OSError, msgspec.MsgspecError) as error:
            raise LabError(f"the lease {self.lease_file} cannot be read: {error}") from error

    def remove(self) -> None:
        """Remove the folder and all in it, and the labs' root when this was the last one."""
        try:
            shutil.rmtree(self.path)
        except OSError as error:
            raise LabError(f"{self.path} cannot be removed: {error.strerror}") from error
        with suppress(OSError):  # other labs are in it
            self.path.parent.rmdir()


def labs_root() -> Path:
    """Where labs have their folders: ``$STAMPLAB_DIR``, else ``/var/tmp/stamplab``."""
    return Path(os.environ.get("STAMPLAB_DIR", "/var/tmp/stamplab"))  # noqa: S108 - kept over boots


def claim_folder(root: Path, *, kept: bool) -> tuple[LabFolder, Lease]:
    """Make a new lab's folder with its lease in it.

    Raises UsageError for a relative root, LabError when a socket in it would have too long a path,
    when it cannot be made, or when it is in another user's hands.
    """
    folder = LabFolder(root / f"lab-{secrets.token_hex(4)}")
    length = len(os.fsencode(folder.socket))
    if length > _UNIX_SOCKET_PATH_MAX_BYTES:
        raise LabError(
            f"the socket's path {folder.socket} has {length} bytes, and the kernel takes "
            f"{_UNIX_SOCKET_PATH_MAX_BYTES}: set STAMPLAB_DIR to a shorter folder"
        )
    if not root.is_absolute():
        raise UsageError(f"STAMPLAB_DIR must be an absolute path, not {root}")
    owner = ProcessId.of(os.getpid())
    if owner is None:
        raise LabError("/proc is not readable: the lab cannot tell its own process from others")
    lease = Lease(lab_id=folder.lab_id, owner=owner, cgroup=folder.cgroup, kept=kept)
    try:
        folder.path.mkdir(mode=0o700, parents=True)
        folder.scratch.mkdir()
        folder.private_run.mkdir()
    except OSError as error:
        raise LabError(
            f"the lab's folder {folder.path} cannot be made: {error.strerror}"
        ) from error
    if root.stat().st_uid != os.geteuid():
        folder.remove()
        raise LabError(f"{root} belongs to another user: set STAMPLAB_DIR to a folder of your own")
    try:
        folder.write_lease(lease)
    except LabError:
        folder.remove()  # without a lease nobody ever would
        raise
    return folder, lease


def end_lease(folder: LabFolder, lease: Lease, group: MemoryGroup) -> None:
    """Remove all that the lease names: processes, namespaces, mounts, control groups, folder.

    Raises LabError, and leaves the lease on disk, when something resists.
    """
    if lease.init is not None and not lease.init.kill(timeout_s=20):
        raise LabError(
            f"process {lease.init.pid} of lab {lease.lab_id} does not die; its lease stays in "
            f"{folder.path}"
        )
    group.remove()
    folder.remove()
