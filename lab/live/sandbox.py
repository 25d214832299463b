"""The namespaces of one lab (mount, net, pid), whose first process's end removes all in them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import BinaryIO

from stamplab.lab.errors import LabError, NeedsRoot, NotPossibleHere

NAMESPACES = (
    *("--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"),
    *("--propagation", "private"),
)
"""Options of ``unshare``."""


def require_root() -> None:
    """Raise NeedsRoot unless the user is root."""
    if os.geteuid() != 0:
        raise NeedsRoot(
            "the live world needs root: it makes namespaces and control groups for a private "
            "docker daemon"
        )


def start(
    tools: Path,
    lab_folder: Path,
    command: Sequence[str],
    environment: Mapping[str, str],
    log: BinaryIO,
    *,
    entry: Sequence[str] = (),
    outlives_caller: bool,
) -> subprocess.Popen[bytes]:
    """Start ``command`` in new namespaces; the returned process's end is the end of all in them.

    ``entry`` is a command line that runs the command line after it, outside of the namespaces.
    Unless ``outlives_caller``, the kernel kills the namespaces when this process dies in whatever
    way. Call this function from the main thread: the kernel watches the calling thread (prctl(2),
    PR_SET_PDEATHSIG).
    """
    init = files("stamplab.lab.live").joinpath("init.sh")
    tied = [] if outlives_caller else [str(tools / "setpriv"), "--pdeathsig", "KILL", "--"]
    if tied and not (tools / "setpriv").exists():
        raise NotPossibleHere("setpriv (util-linux) is missing: the lab could outlive its command")
    argv = [
        *tied,
        *entry,
        str(tools / "unshare"),
        *NAMESPACES,
        *("--", str(tools / "sh"), str(init), str(lab_folder), *command),
    ]
    try:
        return subprocess.Popen(
            argv,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise LabError(f"the lab's namespaces cannot be made: {error}") from error
