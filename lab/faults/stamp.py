"""Wrong stamps: as of a deployer that deployed another commit than it was asked to."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from stamplab.lab.abra.label_names import DIRTY_MARK, SMALL_SHA_DIGITS
from stamplab.lab.errors import LabError
from stamplab.lab.recipe import checkout


class WrongStamp(StrEnum):
    """A kind of wrong stamp."""

    ANOTHER_COMMIT = "another commit's"
    """The stamp of the head's parent."""
    A_TAG = "a tag's"
    """The stamp of an older release, neither base nor head."""
    STALE = "a stale one"
    """The stamp of the base, as if nothing had been checked out since."""
    UNMARKED = "the head's without +U, on a dirty tree"
    TRUNCATED = "the head's, a digit short"


def stamp_of(kind: WrongStamp, repository: Path, *, head: str, base: str) -> str:
    """Return a wrong stamp; ``head`` is a SHA, ``base`` a tag. Raises LabError."""
    match kind:
        case WrongStamp.ANOTHER_COMMIT:
            return _stamp(checkout.resolve(repository, f"{head}~1"))
        case WrongStamp.A_TAG:
            return _stamp(
                checkout.resolve(repository, f"{_older_tag(repository, base)}^{{commit}}")
            )
        case WrongStamp.STALE:
            return _stamp(checkout.resolve(repository, f"{base}^{{commit}}"))
        case WrongStamp.UNMARKED:
            return head[:SMALL_SHA_DIGITS]
        case WrongStamp.TRUNCATED:
            return head[: SMALL_SHA_DIGITS - 1] + DIRTY_MARK


def _stamp(commit: str) -> str:
    return commit[:SMALL_SHA_DIGITS] + DIRTY_MARK


def _older_tag(repository: Path, base: str) -> str:
    others = [tag for tag in checkout.tags(repository) if tag != base]
    if not others:
        raise LabError(
            f"{repository} has no release besides {base}: no tag's stamp can be planted; "
            "leave out claim C9"
        )
    return others[0]
