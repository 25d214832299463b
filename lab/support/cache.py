"""The lab's cache of built programs: a shelf for each kind, one build at a time on each."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stamplab.lab.errors import LabError

_SCRATCH = ".building"


def cache_folder() -> Path:
    """Return ``$STAMPLAB_CACHE``, else ``stamplab`` in the user's cache folder."""
    configured = os.environ.get("STAMPLAB_CACHE")
    if configured:
        return Path(configured)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "stamplab"


@contextmanager
def exclusive_build(shelf: Path) -> Iterator[Path]:
    """Lock a shelf and yield an empty scratch folder on it; remove the folder at the end.

    The scratch folder is on the shelf's file system, so that a finished program can be renamed to
    its place: half a program is never visible. Raises LabError where the shelf cannot be made.
    """
    try:
        shelf.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(
            f"the cache {shelf} cannot be made ({error.strerror}): name another folder by "
            "STAMPLAB_CACHE"
        ) from error
    scratch = shelf / _SCRATCH
    with _lock(shelf, fcntl.LOCK_EX):
        # A killed build may have left its folder.
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch)


def build_once(program: Path, build: Callable[[Path], None]) -> Path:
    """Return ``program``, at ``<shelf>/<name of the build>/<name>``, built if it is missing.

    ``build`` writes the program into the folder that it is given, in an otherwise empty scratch
    folder. Raises LabError where the shelf cannot be made.
    """
    if program.exists():
        return program
    with exclusive_build(program.parent.parent) as scratch:
        if not program.exists():  # else another process has just built it
            folder = scratch / "built"
            folder.mkdir(mode=0o755)
            build(folder)
            folder.rename(program.parent)
    return program


def remove_unfinished_builds(cache_dir: Path) -> bool:
    """Remove the scratch folders of killed builds; tell whether there were any.

    Shelves with a running build are left alone.
    """
    folders = cache_dir.absolute().glob(f"*/{_SCRATCH}")
    return True in {_remove_scratch(folder) for folder in folders}


def _remove_scratch(scratch: Path) -> bool:
    with _lock(scratch.parent, fcntl.LOCK_EX | fcntl.LOCK_NB) as is_locked:
        if not is_locked or not scratch.exists():  # a build is running, or has just ended
            return False
        shutil.rmtree(scratch)
        return True


@contextmanager
def _lock(shelf: Path, operation: int) -> Iterator[bool]:
    """Hold the shelf's lock, which the kernel releases with its holder; yield False if taken."""
    folder = os.open(shelf, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, operation)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(folder)
