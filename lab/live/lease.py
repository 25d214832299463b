"""A lab's lease: what it put on this machine, on disk before any of it is there.

Whatever happens to the lab's own process, the lease names all that may be left: the folder, the
processes, the control group. Nothing else is ever removed. Every step is safe to be cut off by
``kill -9``: a folder appears with its lease in it, and goes by a name that says it is going.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from stamplab.lab.cgroup.group import MemoryGroup
from stamplab.lab.errors import LabError, UsageError
from stamplab.lab.support.processes import ProcessId, marked

MARK = "STAMPLAB_LAB"
"""The variable that all processes of a lab are started with; its value is the lab's id."""

LAB_PREFIX = "lab-"
CLAIM_PREFIX = ".claim-"
GONE_PREFIX = ".gone-"

UNIX_SOCKET_PATH_MAX_BYTES = 107
"""sun_path holds 108 bytes with its final NUL (unix(7))."""
_DYING_S = 20.0


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

    @property
    def is_dead(self) -> bool:
        """Whether nobody needs the lab any more.

        Its owner is gone, and it was not left up on purpose, or what was left up is gone as well.
        What cannot be seen from here is never taken for dead.
        """
        if self.owner.is_foreign or self.owner.is_alive():
            return False
        return not self.kept or self.init is None or not self.init.is_alive()


class LabFolder:
    """One lab's folder: short enough for sockets, and the place of its lease."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lab_id = path.name.removeprefix(LAB_PREFIX)

    @property
    def name(self) -> str:
        """The lab's name wherever it has one on this machine: labs share no parent."""
        return f"stamplab-{self.lab_id}"

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
        going = self.path.with_name(f"{GONE_PREFIX}{self.lab_id}")
        try:
            self.path.replace(going)
        except FileNotFoundError:
            pass  # somebody else removes it at this moment
        except OSError as error:
            raise LabError(f"{self.path} cannot be removed: {error.strerror}") from error
        remove_remains(going)


def remove_remains(folder: Path) -> None:
    """Remove a folder that was given up, whoever else does so too; and the root if it was the last.

    Raises LabError.
    """
    deadline_s = time.monotonic() + _DYING_S
    while folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError as error:
            # Somebody else removes it too, or a git of the killed owner writes its last files.
            passing = error.errno in (errno.ENOENT, errno.ENOTEMPTY)
            if not passing or time.monotonic() > deadline_s:
                raise LabError(f"{folder} cannot be removed: {error.strerror}") from error
    with suppress(OSError):  # other labs are in it
        folder.parent.rmdir()


def labs_root() -> Path:
    """Where labs have their folders: ``$STAMPLAB_DIR``, else ``/var/tmp/stamplab``.

    An ordinary user, who can play stampings alone, has a folder with his number at its end.
    """
    whose = "" if os.geteuid() == 0 else f"-{os.geteuid()}"
    default = f"/var/tmp/stamplab{whose}"  # noqa: S108 - kept over boots
    return Path(os.environ.get("STAMPLAB_DIR", default))


def claim_folder(
    root: Path, *, kept: bool, group_path: Callable[[str], str] = "/{}".format
) -> tuple[LabFolder, Lease]:
    """Make a new lab's folder with its lease in it; ``group_path`` says where its group will be.

    Raises UsageError for a relative root, LabError when a socket in it would have too long a path,
    when it cannot be made, or when it is in another user's hands.
    """
    folder = LabFolder(root / f"{LAB_PREFIX}{secrets.token_hex(4)}")
    length = len(os.fsencode(folder.socket))
    if length > UNIX_SOCKET_PATH_MAX_BYTES:
        raise LabError(
            f"the socket's path {folder.socket} has {length} bytes, and the kernel takes "
            f"{UNIX_SOCKET_PATH_MAX_BYTES}: set STAMPLAB_DIR to a shorter folder"
        )
    if not root.is_absolute():
        raise UsageError(f"STAMPLAB_DIR must be an absolute path, not {root}")
    owner = ProcessId.of(os.getpid())
    if owner is None:
        raise LabError("/proc is not readable: the lab cannot tell its own process from others")
    lease = Lease(lab_id=folder.lab_id, owner=owner, cgroup=group_path(folder.name), kept=kept)
    draft = LabFolder(root / claim_name(folder.lab_id, owner))
    try:
        _make_draft(draft)
        _require_own(root)
        draft.write_lease(lease)
        draft.path.replace(folder.path)
    except OSError as error:
        remove_remains(draft.path)
        raise LabError(
            f"the lab's folder {folder.path} cannot be made: {error.strerror}"
        ) from error
    except LabError:
        remove_remains(draft.path)
        raise
    return folder, lease


@contextmanager
def leased_scratch() -> Iterator[LabFolder]:
    """A lab's folder without a daemon, for what is short-lived; gone in the end, like a lab.

    Processes that are started meanwhile carry `MARK`. Raises LabError.
    """
    folder, lease = claim_folder(labs_root(), kept=False)
    try:
        yield folder
    finally:
        end_processes(lease)
        folder.remove()


def _require_own(root: Path) -> None:
    if root.stat().st_uid != os.geteuid():
        raise LabError(f"{root} belongs to another user: set STAMPLAB_DIR to a folder of your own")


def _make_draft(draft: LabFolder) -> None:
    """Make the folder, also when another lab that ends takes the labs' root away under our eyes."""
    while True:
        draft.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.path.mkdir(mode=0o700)
        except FileNotFoundError:
            continue
        break
    draft.scratch.mkdir()
    draft.private_run.mkdir()


def claim_name(lab_id: str, owner: ProcessId) -> str:
    """The name of a folder that is being made: without a lease in it yet, it says whose it is."""
    return f"{CLAIM_PREFIX}{lab_id}.{owner.token}"


def end_lease(folder: LabFolder, lease: Lease, group: MemoryGroup) -> None:
    """Remove all that the lease names: processes, namespaces, mounts, control groups, folder.

    Raises LabError, and leaves the lease on disk, when something resists.
    """
    end_processes(lease)
    group.remove()
    folder.remove()


def end_processes(lease: Lease) -> None:
    """Kill the lab's first process, and all else that the lab started. Raises LabError."""
    deadline_s = time.monotonic() + _DYING_S
    while left := _processes_of(lease):
        gone = [process.kill(timeout_s=_DYING_S) for process in left]
        if not all(gone) or time.monotonic() > deadline_s:
            pid = left[gone.index(False)].pid if False in gone else left[0].pid
            raise LabError(f"process {pid} of lab {lease.lab_id} does not die; its lease stays")


def _processes_of(lease: Lease) -> list[ProcessId]:
    """The first process of the namespaces, which takes most of the others with it, is the first."""
    init = [lease.init] if lease.init is not None and lease.init.is_alive() else []
    return [*init, *marked(MARK, lease.lab_id)]
