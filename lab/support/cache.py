"""The lab's cache: what was built, each kind on a shelf of its own, by one builder at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stamplab.lab.errors import LabError

_SCRATCH = ".building"


def cache_folder() -> Path:
    """The lab's cache: ``$STAMPLAB_CACHE``, else ``stamplab`` in the user's cache folder."""
    given = os.environ.get("STAMPLAB_CACHE")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "stamplab"


@contextmanager
def only_builder(shelf: Path) -> Iterator[Path]:
    """Give a scratch folder to one build at a time; what a killed one left goes first.

    It lies on the shelf itself, so that what was built can be renamed to its place: nobody ever
    sees half a program. Raises LabError where the shelf cannot be made.
    """
    try:
        shelf.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(
            f"the cache {shelf} cannot be made ({error.strerror}): name another folder by "
            "STAMPLAB_CACHE"
        ) from error
    scratch = shelf / _SCRATCH
    with _locked(shelf, fcntl.LOCK_EX):
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch)


def remove_half_built(cache_dir: Path) -> bool:
    """Remove what killed builds left on the shelves; say whether there was something.

    Touches nothing where a build is at work.
    """
    left = cache_dir.absolute().glob(f"*/{_SCRATCH}")
    return True in {_removed(scratch) for scratch in left}


def _removed(scratch: Path) -> bool:
    with _locked(scratch.parent, fcntl.LOCK_EX | fcntl.LOCK_NB) as is_ours:
        if not is_ours or not scratch.exists():  # a build is at work, or has just ended
            return False
        shutil.rmtree(scratch)
        return True


@contextmanager
def _locked(shelf: Path, how: int) -> Iterator[bool]:
    """Hold the shelf's lock, which goes with its holder; False where it cannot be had at once."""
    folder = os.open(shelf, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, how)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(folder)
