"""The service before a deploy, and what the deploy is expected to bring. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from stamplab.harness.guard.outcome import Outcome
from stamplab.lab.errors import UsageError
from stamplab.lab.model.swarm import STACK_LABEL, Service, ServiceSpec

if TYPE_CHECKING:
    from stamplab.lab.world import World

_NO_DOMAIN = re.compile(r"[^.:/]*")
_GAP_S = 2.0
"""A gap that is no longer hides nothing that the time between two snapshots does not hide, too."""


def update_status_started(service: Service | None) -> str | None:
    """Return when the service's last update started: it tells a stale status from a new one."""
    status = service.update_status if service else None
    return status.started_at if status else None


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """The service as it was before the deploy: by it alone a stale status is told from a new one.

    ``service`` is None where the deploy creates the service.
    """

    name: str
    service: Service | None

    @staticmethod
    def capture(world: World, stack: str, name: str) -> Baseline:
        """Inspect the service now. Call it before the deploy.

        What was recorded until now is taken off the world, so that whatever `World.next` gives from
        here on began with this baseline.
        """
        while world.next(world.now_s()) is not None:
            pass
        baseline = Baseline(name=name, service=world.inspect(name))
        world.look(stack)
        return baseline

    @staticmethod
    def before_last_update(name: str, service: Service | None) -> Baseline:
        """Return the service as it was before its last update, as far as it still says so.

        A rollback by the swarm leaves no PreviousSpec, but a status (updater.go:607): the spec that
        it put back was the one from before. Neither of both is a service that was never updated.
        """
        if service is None:
            return Baseline(name=name, service=None)
        spec = service.previous_spec or (service.spec if service.update_status else None)
        if spec is None:
            return Baseline(name=name, service=None)
        before = Service(id=service.id, name=service.name, version=service.version, spec=spec)
        return Baseline(name=name, service=before)

    @property
    def spec(self) -> ServiceSpec | None:
        """The spec before the deploy; None where the deploy creates the service."""
        return self.service.spec if self.service else None

    @property
    def status_started(self) -> str | None:
        """When the last update before the deploy started; see `update_status_started`."""
        return update_status_started(self.service)

    def hidden_by_gap(
        self, before: Service | None, after: Service | None, unwatched_s: float
    ) -> str | None:
        """Say in a clause what a gap may hide; None where the service after it tells everything.

        ``before`` and ``after`` are the service as it was seen last before the gap, and first after
        it. A gap hides less than it seems to, for a service carries its own past (SwarmKit v2.0.0,
        manager/controlapi/service.go:865-913):

        - Every write raises the version: the same version is the same service throughout.
        - Every UpdateService sets PreviousSpec to the spec that it replaces, and clears the status;
          a rollback by hand swaps the two specs, and says so. A rollback of the swarm's own erases
          PreviousSpec and keeps the update's start (updater.go:607). A service that was created
          anew has another id. So the *last* call can always be told, by `View`.
        - Hidden is only what lies *before* the last call and has left the spec from before the
          deploy behind: the deploy was undone, by the swarm or by hand, and somebody deployed the
          same once more. What stands there now is another's success.
        - Even that is told by the status where the start of this deploy's own update was seen
          before the gap: a later update has another start, or none yet.

        There remains (ADR 0042) the gap in which this deploy's update began, and which ended with
        an update over the baseline's spec. It must have been long enough for an update to be
        accepted, start a task, fail and be undone, and for somebody to deploy again.
        """
        if unwatched_s <= _GAP_S or before is None or after is None:
            return None
        if after.id != before.id or after.version == before.version:
            return None
        if update_status_started(before) not in (None, self.status_started):
            return None
        has_old_status = after.update_status is not None
        if has_old_status and update_status_started(after) == self.status_started:
            return None
        if after.previous_spec != self.spec:
            return None
        return (
            f"for {unwatched_s:.1f} s nothing was seen of {after.name}, and the update that stands "
            "there now may be another's, made after this deploy's own was undone"
        )


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """What a deploy is expected to bring to one service, and how long it may take."""

    deadline_s: float
    """World time at which the guard gives up."""
    labels: dict[str, str] = {}
    """Service labels that the applied spec must carry: the stamp that the deploy says it wrote."""
    hold_s: float = 0.0
    """How long its tasks must run at least before it counts as converged.

    The swarm's own hold is the least; an application that fails later than that needs more.
    """


class DeployExpectations(msgspec.Struct, frozen=True, kw_only=True):
    """What a deploy is expected to bring beside running tasks; empty where nothing is expected."""

    labels: dict[str, str] = {}
    image: str = ""
    commit: str = ""
    """A commit of 8 to 40 hex digits, which the coop-cloud chaos-version label must name."""

    @staticmethod
    def parse(labels: Iterable[str], image: str | None, commit: str | None) -> DeployExpectations:
        """Read the words of a command line. Raises UsageError."""
        pairs = [item.partition("=") for item in labels]
        if wrong := [name for name, equals, _ in pairs if not (name and equals)]:
            raise UsageError(f"what is expected of a label is LABEL=VALUE, not {wrong[0]!r}")
        return DeployExpectations(
            labels={name: value for name, _, value in pairs},
            image=image or "",
            commit="" if commit is None else _parse_commit(commit),
        )

    def labels_of(self, baseline: Baseline, now: Service | None) -> dict[str, str]:
        """Return the labels that one service of a stack must carry.

        A deploy stamps some services of a stack, seldom all: those that carry the label before the
        deploy or now.
        """
        specs = [service.spec for service in (baseline.service, now) if service is not None]
        return {
            name: value
            for name, value in self.labels.items()
            if any(name in spec.labels for spec in specs)
        }

    def find_mismatch(
        self, services: Sequence[Service], *, of_stack: bool
    ) -> tuple[Outcome, str] | None:
        """Return what the services that have converged lack, and the reason; None if nothing.

        In a stack one service with the image, or the commit, is enough, if none has another commit.
        """
        carried = {name for service in services for name in service.spec.labels}
        if absent := sorted(self.labels.keys() - carried):
            return Outcome.STAMP_MISMATCH, f"no service carries the label {absent[0]}"
        if self.image and (reason := _wrong_image(self.image, services, of_stack=of_stack)):
            return Outcome.STAMP_MISMATCH, reason
        if self.commit and (reason := _wrong_commit(self.commit, services)):
            return Outcome.COMMIT_MISMATCH, reason
        return None


class WatchPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is watched for one deploy, what is expected of it, and for how long."""

    targets: tuple[str, ...]
    """Names of services and stacks."""
    deadline_s: float
    """When the guard gives up, by the clock of the source of snapshots."""
    expected: DeployExpectations = DeployExpectations()
    hold_s: float = 0.0
    """How long what was deployed must run unchanged at least; the swarm's own rules may ask for
    more."""
    deploys: bool = True
    """Whether a deploy is still to come. Without one the last update is judged, or the present."""
    prunes: bool = False
    """Whether the deploy is told to remove services that its files do not have any more."""

    def __post_init__(self) -> None:
        """Raise UsageError where nothing could ever converge."""
        if self.hold_s >= self.deadline_s:
            raise UsageError(
                f"what has to run unchanged for {self.hold_s:g} s cannot have done so within "
                f"{self.deadline_s:g} s: give it a longer time-out"
            )


def is_image(expected: str, actual: str) -> bool:
    """Whether an image is the expected one.

    The docker client completes names (``docker.io/library/…:latest``) and appends the digest that
    the tag stands for (docker/docker client/service_create.go, imageWithDigestString): a digest
    counts where one is expected.
    """
    wanted, actual_parts = _split_reference(expected), _split_reference(actual)
    if wanted[2] and actual_parts[2]:
        return (wanted[0], wanted[2]) == (actual_parts[0], actual_parts[2])
    return wanted[:2] == actual_parts[:2] and not wanted[2]


def _split_reference(reference: str) -> tuple[str, str, str]:
    """Return the name, tag and digest of an image reference, the name in full."""
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


def _parse_commit(commit: str) -> str:
    from stamplab.lab.abra.label_names import SMALL_SHA_DIGITS

    if not re.fullmatch(rf"[0-9a-f]{{{SMALL_SHA_DIGITS},40}}", commit.lower()):
        raise UsageError(
            f"--commit takes {SMALL_SHA_DIGITS} to 40 hex digits, not {commit!r}: "
            "the label names a commit by its first 8"
        )
    return commit.lower()


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
    # Imported here: whoever names no commit needs neither.
    from stamplab.harness.ci import hc1
    from stamplab.lab.abra.label_names import DIRTY_MARK

    stamps = dict(_stamps(services))
    if not stamps:
        return "no service carries the coop-cloud chaos-version label, so no commit is named (HC1)"
    for name, stamp in sorted(stamps.items()):
        wrong = hc1.check(stamp, commit, is_dirty=stamp.endswith(DIRTY_MARK))
        if wrong is not None:
            return f"{name}: {wrong}"
    return ""


def _stamps(services: Sequence[Service]) -> Iterable[tuple[str, str]]:
    from stamplab.lab.abra.label_names import label

    for service in services:
        labels: Mapping[str, str] = service.spec.labels
        stamp = labels.get(label(labels.get(STACK_LABEL, ""), "chaos-version"))
        if stamp is not None:
            yield service.name, stamp
