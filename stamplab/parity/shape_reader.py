"""Shape of a play's history, and its comparison with the declared one."""

from __future__ import annotations

import msgspec

from stamplab.harness.checks.attribution import Attribution
from stamplab.harness.checks.shape import GUARD, HC1, Role, Shape, Stamp, shape_of
from stamplab.lab.abra.label_names import DIRTY_MARK, SMALL_SHA_DIGITS
from stamplab.lab.model.history import Finding, OomKill, observations
from stamplab.lab.model.swarm import Service
from stamplab.runner.play_record import PlayRecord

_STEPS = (GUARD, "wait_healthy", HC1)


class ShapeComparison(msgspec.Struct, frozen=True, kw_only=True):
    """Shape of a play beside the one that its scenario declares; shape.json holds both."""

    declared: Shape | None
    observed: Shape | None = msgspec.field(name="found")
    differences: tuple[str, ...]


def compare_shapes(play: PlayRecord) -> ShapeComparison:
    """Compare the shape of a play with the one that its scenario declares."""
    declared, observed = play.declared_shape, shape_in(play)
    differences: tuple[str, ...] = ()
    if declared is not None:
        unseen = ("the service was never seen",)
        differences = declared.differences(observed) if observed else unseen
    return ShapeComparison(declared=declared, observed=observed, differences=differences)


def shape_in(play: PlayRecord) -> Shape | None:
    """Read the shape of a play's history; None where the service was never seen."""
    upgrade = play.attribution
    if upgrade is None:
        return None
    services = [snapshot.service for snapshot in upgrade.snapshots]
    return shape_of(
        (service.update_state for service in services),
        (_stamp(service, play, upgrade) for service in services),
        new_task=_new_task(upgrade),
        killed=_killed(play, upgrade),
        old_kept=bool(upgrade.kept_tasks),
        end=_end(play),
    )


def _stamp(service: Service, play: PlayRecord, upgrade: Attribution) -> Stamp:
    label = play.app.stamp_label
    stamp = service.spec.labels.get(label)
    if stamp == upgrade.base.labels.get(label):
        return "base"
    return "head" if stamp == play.results.ref[:SMALL_SHA_DIGITS] + DIRTY_MARK else "other"


def _new_task(upgrade: Attribution) -> str:
    failure = upgrade.failure
    if upgrade.head is None:
        return "never created"
    if failure is None:
        return "did not fail"
    if failure.is_oom:
        how = "OOM-killed"
    elif failure.ended is not None:
        how = f"exit code {failure.ended.exit_code}"
    else:
        how = failure.task.state
    return f"{how} {failure.window}"


def _killed(play: PlayRecord, upgrade: Attribution) -> tuple[Role, ...]:
    victims = {kill.container_id for kill in observations(play.history, OomKill)}
    killed: list[Role] = []
    if victims & {*upgrade.old_containers}:
        killed.append("old")
    if victims - {*upgrade.old_containers}:
        killed.append("new")
    return tuple(killed)


def _end(play: PlayRecord) -> str:
    """Return the last step that failed, if the stage failed; else how the stage ended."""
    end = play.upgrade.end
    if end != "fail":
        return end
    findings = observations(play.history, Finding)
    failed = [finding.step for finding in findings if not finding.passed and finding.step in _STEPS]
    return failed[-1] if failed else "fail"
