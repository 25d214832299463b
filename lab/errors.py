"""Errors of the apparatus, each one sentence for the user (what, probably why, what to do).

An error of the lab is never a verdict about a deployment: the verdict is then *unknown*.
"""

from collections.abc import Iterator
from contextlib import contextmanager

SIGNAL_EXIT_BASE = 128
"""A program that a signal has ended has this plus the signal's number as its exit code."""


class LabError(Exception):
    """The apparatus failed: nothing is known about the upgrade. Exit code 2 (unknown)."""

    exit_code = 2


class NotPossibleHere(LabError):
    """The machine lacks a prerequisite (root, an engine, a memory controller). Exit code 77."""

    exit_code = 77


class NeedsRoot(NotPossibleHere):
    """Only root can do this; the same command may succeed as root."""


class DaemonEnded(LabError):
    """The lab's dockerd has ended by itself."""


class TakeDownFailed(LabError):
    """Something of a lab resists its removal; its lease stays, for ``doctor --reap``."""


class UsageError(LabError):
    """The command makes no sense on any machine. Exit code 64."""

    exit_code = 64


class RecipeRefused(LabError):
    """A recipe asks for more than an ordinary container gets, without being trusted.

    Exit code 64: every machine refuses the same command, and ``--trust`` would change that. Not 1,
    which is a verdict on an upgrade; not 2, for nothing is broken; not 77, which a CI takes for
    "skipped": a hostile recipe must not be skipped.
    """

    exit_code = 64


@contextmanager
def os_errors_as(failure: str, kind: type[LabError] = LabError) -> Iterator[None]:
    """Turn the system's errors into one of ours: the ``failure``, and the system's reason."""
    try:
        yield
    except OSError as error:
        raise kind(f"{failure}: {error.strerror or error}") from error
