"""Shape of a play's history, and its comparison with the declared one."""

from __future__ import annotations

import msgspec

from stamplab.harness.checks.attribution import Attribution
from stamplab.harness.checks.shape import Role, Shape, Stamp
from stamplab.lab.abra.stamp import DIRTY_MARK, SMALL_SHA_DIGITS
from stamplab.lab.model.history import Finding, OomKill
from stamplab.runner.play_record import PlayRecord

_STEPS = ("assert_upgrade_converged", "wait_healthy", "hc1")


class ShapeComparison(msgspec.Struct, frozen=True, kw_only=True):
    """Shape of a play beside the one that its scenario declares; shape.json holds both."""

    declared: Shape | None
    observed: Shape | None = msgspec.field(name="found")
    differences: tuple[str, ...]


def compare_shapes(play: PlayRecord) -> ShapeComparison:
    """Compare the shape of a play with the one that its scenario declares."""
    declared, observed = play.declared_shape, shape_of(play)
    differences: tuple[str, ...] = ()
    if declared is not None:
        unseen = ("the service was never seen",)
        differences = declared.differences(observed) if observed else unseen
    return ShapeComparison(declared=declared, observed=observed, differences=differences)


def shape_of(play: PlayRecord) -> Shape | None:
    """Read the shape of a play's history; None where the service was never seen."""
    upgrade = play.attribution
    if upgrade is None:
        return None
    return Shape(
        states=_states(upgrade),
        stamps=_stamps(play, upgrade),
        new_task=_new_task(upgrade),
        killed=_killed(play, upgrade),
        old_kept=bool(upgrade.kept_tasks),
        end=_end(play),
    )


def _states(upgrade: Attribution) -> tuple[str, ...]:
    states: list[str] = []
    for snapshot in upgrade.snapshots:
        state = snapshot.service.update_state
        if state is None or states[-1:] == [state]:
            continue
        if states[-1:] == ["rollback_started"]:
            states.pop()
        states.append(state)
    return tuple(states)


def _stamps(play: PlayRecord, upgrade: Attribution) -> tuple[Stamp, ...]:
    label = play.app.stamp_label
    base = upgrade.base.labels.get(label)
    head = play.results.ref[:SMALL_SHA_DIGITS] + DIRTY_MARK
    owners: list[Stamp] = []
    for snapshot in upgrade.snapshots:
        stamp = snapshot.service.spec.labels.get(label)
        owner: Stamp = "base" if stamp == base else "head" if stamp == head else "other"
        if owners[-1:] != [owner]:
            owners.append(owner)
    return tuple(owners)


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
    victims = {
        record.what.container_id for record in play.history if isinstance(record.what, OomKill)
    }
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
    failed = [
        record.what.step
        for record in play.history
        if isinstance(record.what, Finding)
        and not record.what.passed
        and record.what.step in _STEPS
    ]
    return failed[-1] if failed else "fail"
