"""The tests; `PYTHON_PATH` is what our own Python needs in a process of its own.

A packaged Python has its libraries on that path, and nowhere else.
"""

import os
import sys
import tarfile
from pathlib import Path

import pytest

PYTHON_PATH = os.pathsep.join((str(Path(__file__).parents[1]), *filter(None, sys.path)))


def cannot_run(reason: str) -> BaseException:
    """What to raise where a test cannot run: it is left out, with the reason printed.

    Under CI, which brings all that is needed, it fails.
    """
    if os.environ.get("CI") == "true":
        return pytest.fail.Exception(reason)
    return pytest.skip.Exception(reason)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar file of our own, with Python's filter for data where this Python has it."""
    with tarfile.open(archive) as files:
        if hasattr(tarfile, "data_filter"):  # from Python 3.11.4 on
            files.extraction_filter = tarfile.data_filter
        files.extractall(folder)  # noqa: S202 - our own file
