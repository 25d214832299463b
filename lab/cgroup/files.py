"""Reading and writing the kernel's control files, and removing groups; errors name the file."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

from stamplab.lab.errors import LabError, os_errors_as

_LEAVING_S = 5.0
"""How long a killed process may still be in its group after it has left /proc."""
_POLL_S = 0.05


def read(path: Path) -> str:
    """Return a control file's text, stripped. Raises LabError."""
    with os_errors_as(f"{path} cannot be read"):
        return path.read_text().strip()


def write(path: Path, value: str) -> None:
    """Write a control file. Raises LabError with the kernel's reason."""
    with os_errors_as(f"{value!r} cannot be written to {path}"):
        path.write_text(value)


def read_counters(path: Path) -> dict[str, int]:
    """Read a file of ``name value`` lines, such as ``memory.events``. Raises LabError."""
    pairs = (line.split() for line in read(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}


def read_stalled_s(path: Path) -> float | None:
    """Read PSI's ``full … total=<µs>`` in seconds; None where the kernel keeps no PSI.

    Source: Documentation/accounting/psi.rst. A kernel with PSI switched off answers EOPNOTSUPP.
    """
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        kind, *values = line.split()
        if kind == "full":
            return int(values[-1].removeprefix("total=")) / 1_000_000
    return None


def usage_by_child(group: Path, file: str) -> dict[str, int]:
    """Read one counter of each group below, by the name of that group. Raises LabError."""
    with os_errors_as(f"{group} cannot be read"), os.scandir(group) as entries:
        below = [entry.name for entry in entries if entry.is_dir()]  # beside control files
    usages: dict[str, int] = {}
    for name in below:
        try:
            usages[name] = int((group / name / file).read_text())
        except OSError:
            continue  # a container that has just ended
    return usages


def make_group(path: Path) -> None:
    """Create one group. Raises LabError, also when it exists: it is then another program's."""
    with os_errors_as(f"the control group {path} cannot be made"):
        path.mkdir()


def remove_tree(root: Path) -> None:
    """Remove a group and all below it, innermost first; a missing group is no error.

    Raises LabError when a group is still in use after `_LEAVING_S`.
    """
    deadline_s = time.monotonic() + _LEAVING_S
    for group in _innermost_first(root):
        while not _is_removed(group, is_last_try=time.monotonic() > deadline_s):
            time.sleep(_POLL_S)


def _is_removed(group: Path, *, is_last_try: bool) -> bool:
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno == errno.EBUSY and not is_last_try:
            return False
        raise LabError(
            f"the control group {group} cannot be removed ({error.strerror}): "
            "a process of the lab is probably still in it"
        ) from error
    return True


def _innermost_first(root: Path) -> Iterator[Path]:
    for folder, _, _ in os.walk(root, topdown=False):
        yield Path(folder)
