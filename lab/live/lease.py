"""A lab's lease: the list of what the lab puts on this machine, written before any of that exists.

Whatever happens to the lab's own process, the lease names all that may be left: the folder, the
processes, the control group. Nothing else is ever removed. Leases are atomic, so ``kill -9`` at any
moment does no harm: a draft folder is made, the lease is written into the draft, and the draft is
renamed to the lab's folder; a folder is renamed before it is removed.
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
from stamplab.lab.errors import LabError, UsageError, os_errors_as
from stamplab.lab.support.processes import ProcessId, processes_with_variable

MARK = "STAMPLAB_LAB"
"""Variable in the environment of all processes of a lab; its value is the lab's id."""

LAB_PREFIX = "lab-"
# A folder is renamed into and out of place, so no lease is ever half there (ADR 0010).
CLAIM_PREFIX = ".claim-"
GONE_PREFIX = ".gone-"

UNIX_SOCKET_PATH_MAX_BYTES = 107
"""sun_path holds 108 bytes with its final NUL (unix(7))."""
_DYING_S = 20.0


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The owner of a lab, and the parts of the lab."""

    lab_id: str
    owner: ProcessId
    cgroup: str
    """Path of the lab's control group in every hierarchy."""
    init: ProcessId | None = None
    """The first process of the lab's namespaces: its end ends them, their mounts and processes."""
    kept: bool = False
    """Whether the lab was left up on purpose; the owner's death then does not end the lease."""

    @property
    def is_dead(self) -> bool:
        """Whether nobody needs the lab any more.

        The owner is gone, and the lab was not left up on purpose, or its first process is gone as
        well. An owner in another pid namespace is never taken for gone.
        """
        if self.owner.in_other_pid_namespace or self.owner.is_alive():
            return False
        return not self.kept or self.init is None or not self.init.is_alive()


class LabFolder:
    """One lab's folder, with the lease; its path is short enough for a socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lab_id = path.name.removeprefix(LAB_PREFIX)
        self.name = f"stamplab-{self.lab_id}"
        """The lab's name outside of its folder, e.g. of its control group."""
        self.socket = path / "docker.sock"
        """The daemon's socket."""
        self.daemon_log = path / "dockerd.log"
        """The output of the daemon and of the namespaces' first process."""
        self.scratch = path / "scratch"
        """The run's repositories and ABRA_DIR."""
        self.private_run = path / "run"
        """Mount point of the namespaces' own /run, before it is moved to /run."""
        self.lease_file = path / "lease.json"
        """The lease's JSON file."""

    def write_lease(self, lease: Lease) -> None:
        """Replace the lease atomically."""
        draft = self.lease_file.with_suffix(".new")
        with os_errors_as(f"the lease {self.lease_file} cannot be written"):
            draft.write_bytes(msgspec.json.format(msgspec.json.encode(lease)))
            draft.replace(self.lease_file)

    def read_lease(self) -> Lease:
        """Return the lease. Raises LabError where no lease can be read."""
        try:
            return msgspec.json.decode(self.lease_file.read_bytes(), type=Lease)
        except (OSError, msgspec.MsgspecError) as error:
            raise LabError(f"the lease {self.lease_file} cannot be read: {error}") from error

    def remove(self) -> None:
        """Remove the folder and all in it, and the labs' root after the last lab."""
        going = self.path.with_name(f"{GONE_PREFIX}{self.lab_id}")
        try:
            self.path.replace(going)
        except FileNotFoundError:
            pass  # somebody else removes it at this moment
        except OSError as error:
            raise LabError(f"{self.path} cannot be removed: {error.strerror}") from error
        remove_remains(going)


def remove_remains(folder: Path) -> None:
    """Remove a folder without a lease, and the labs' root after the last folder. Raises LabError.

    Another process may be removing the same folder.
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
    """Return the folder of all labs: ``$STAMPLAB_DIR``, else ``/var/tmp/stamplab``.

    Ordinary users, who can play stampings alone, have a folder each, with their number at its end.
    """
    whose = "" if os.geteuid() == 0 else f"-{os.geteuid()}"
    default = f"/var/tmp/stamplab{whose}"  # noqa: S108 - kept over boots
    return Path(os.environ.get("STAMPLAB_DIR", default))


def claim_folder(
    root: Path, *, kept: bool, group_path: Callable[[str], str] = "/{}".format
) -> tuple[LabFolder, Lease]:
    """Make a new lab's folder with its lease; ``group_path`` maps the name to its control group.

    Raises UsageError for a relative root, LabError when a socket in the folder would have too long
    a path, when the folder cannot be made, or when the root belongs to another user.
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
        with os_errors_as(f"the lab's folder {folder.path} cannot be made"):
            _make_draft(draft)
            _require_own(root)
            draft.write_lease(lease)
            draft.path.replace(folder.path)
    except LabError:
        remove_remains(draft.path)
        raise
    return folder, lease


@contextmanager
def leased_scratch() -> Iterator[LabFolder]:
    """Lease a lab's folder without a daemon for the time of the block. Raises LabError.

    Processes that the block starts must carry `MARK`.
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
    """Make the folder, even while another lab, which was the last one, removes the labs' root."""
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
    """Return the name of a draft folder, which names its owner because it has no lease yet."""
    return f"{CLAIM_PREFIX}{lab_id}.{owner.token}"


def end_lease(folder: LabFolder, lease: Lease, group: MemoryGroup) -> None:
    """Remove all that the lease names: processes, namespaces, mounts, control groups, folder.

    Raises LabError, and leaves the lease on disk, when a part of the lab cannot be removed.
    """
    end_processes(lease)
    group.remove()
    folder.remove()


def end_processes(lease: Lease) -> None:
    """Kill the lab's first process, then all other processes of the lab. Raises LabError."""
    deadline_s = time.monotonic() + _DYING_S
    while left := _processes_of(lease):
        gone = [process.kill(timeout_s=_DYING_S) for process in left]
        if not all(gone) or time.monotonic() > deadline_s:
            pid = left[gone.index(False)].pid if False in gone else left[0].pid
            raise LabError(f"process {pid} of lab {lease.lab_id} does not die; its lease stays")


def _processes_of(lease: Lease) -> list[ProcessId]:
    """Return the lab's processes; the first one's end ends most of the others."""
    init = [lease.init] if lease.init is not None and lease.init.is_alive() else []
    return [*init, *processes_with_variable(MARK, lease.lab_id)]
