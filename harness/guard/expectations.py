"""What a deploy should have brought beside running tasks: labels, image, commit. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from stamplab.harness.ci import hc1
from stamplab.harness.guard import Baseline, Outcome
from stamplab.lab.abra.label_names import DIRTY_MARK, SMALL_SHA_DIGITS, label
from stamplab.lab.errors import UsageError
from stamplab.lab.model.swarm import STACK_LABEL, Service

_COMMIT = re.compile(rf"[0-9a-f]{{{SMALL_SHA_DIGITS},40}}")
_NO_DOMAIN = re.compile(r"[^.:/]*")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What services must be like in the end; what is empty is not asked for."""

    labels: dict[str, str] = {}
    image: str = ""
    commit: str = ""
    """A commit of 8 to 40 hex digits, which the coop-cloud chaos-version label must name."""

    @staticmethod
    def of(labels: Iterable[str], image: str | None, commit: str | None) -> Wanted:
        """Read it as a command line has it. Raises UsageError."""
        pairs = [item.partition("=") for item in labels]
        if wrong := [name for name, equals, _ in pairs if not (name and equals)]:
            raise UsageError(f"what is expected of a label is LABEL=VALUE, not {wrong[0]!r}")
        if commit is not None and not _COMMIT.fullmatch(commit.lower()):
            raise UsageError(
                f"--commit takes {SMALL_SHA_DIGITS} to 40 hex digits, not {commit!r}: "
                "the label names a commit by its first 8"
            )
        return Wanted(
            labels={name: value for name, _, value in pairs},
            image=image or "",
            commit=(commit or "").lower(),
        )


def labels_of(wanted: Wanted, baseline: Baseline, now: Service | None) -> dict[str, str]:
    """Which of the labels are this service's to carry, as one of a stack's.

    A deploy stamps some services of a stack, seldom all: those that carry the label, now or before.
    """
    specs = [service.spec for service in (baseline.service, now) if service is not None]
    return {
        name: value
        for name, value in wanted.labels.items()
        if any(name in spec.labels for spec in specs)
    }


def mismatch(
    wanted: Wanted, services: Sequence[Service], *, of_stack: bool
) -> tuple[Outcome, str] | None:
    """What the services that have converged lack; None where all is as expected.

    In a stack one service that has what is wanted is enough, if none has another of it.
    """
    carried = {name for service in services for name in service.spec.labels}
    if absent := sorted(wanted.labels.keys() - carried):
        return Outcome.STAMP_MISMATCH, f"no service carries the label {absent[0]}"
    if wanted.image and (words := _wrong_image(wanted.image, services, of_stack=of_stack)):
        return Outcome.STAMP_MISMATCH, words
    if wanted.commit and (words := _wrong_commit(wanted.commit, services)):
        return Outcome.COMMIT_MISMATCH, words
    return None


def is_image(expected: str, actual: str) -> bool:
    """Whether an image is the expected one.

    The docker client completes names (``docker.io/library/…:latest``) and appends the digest that
    the tag stands for (docker/docker client/service_create.go, imageWithDigestString): a digest
    counts where one is expected.
    """
    wanted, found = _parts(expected), _parts(actual)
    if wanted[2] and found[2]:
        return (wanted[0], wanted[2]) == (found[0], found[2])
    return wanted[:2] == found[:2] and not wanted[2]


def _parts(reference: str) -> tuple[str, str, str]:
    """Name, tag and digest of an image reference, the name in full."""
    rest, _, digest = reference.partition("@")
    head, slash, tail = rest.rpartition("/")
    name, _, tag = tail.partition(":")
    name = head + slash + name
    first = name.partition("/")[0] if "/" in name else ""
    if not first or (_NO_DOMAIN.fullmatch(first) and first != "localhost"):
        name = f"docker.io/{name}"
    if name.startswith("docker.io/") and name.count("/") == 1:
        name = name.replace("docker.io/", "docker.io/library/", 1)
    return name, tag or ("" if digest else "latest"), digest


def _wrong_image(expected: str, services: Sequence[Service], *, of_stack: bool) -> str:
    images = {service.name: service.spec.image for service in services}
    right = [name for name, image in images.items() if is_image(expected, image)]
    if len(right) == len(images) or (of_stack and right):
        return ""
    wrong = ", ".join(
        f"{name} has {image}" for name, image in sorted(images.items()) if name not in right
    )
    return f"the image {expected} was expected, and {wrong}"


def _wrong_commit(commit: str, services: Sequence[Service]) -> str:
    stamps = dict(_stamps(services))
    if not stamps:
        return "no service carries the coop-cloud chaos-version label, so no commit is named (HC1)"
    for name, stamp in sorted(stamps.items()):
        wrong = hc1.check(stamp, commit, is_dirty=stamp.endswith(DIRTY_MARK))
        if wrong is not None:
            return f"{name}: {wrong}"
    return ""


def _stamps(services: Sequence[Service]) -> Iterable[tuple[str, str]]:
    for service in services:
        labels: Mapping[str, str] = service.spec.labels
        stamp = labels.get(label(labels.get(STACK_LABEL, ""), "chaos-version"))
        if stamp is not None:
            yield service.name, stamp
