"""Reads the shape of a play's history."""

from __future__ import annotations

import msgspec

from stamplab.harness.checks.attribution import Attribution
from stamplab.harness.checks.shape import GUARD, HC1, Role, Shape, Stamp, shape_of
from stamplab.lab.abra.stamp import DIRTY_MARK, SMALL_SHA_DIGITS
from stamplab.lab.model.history import Finding, OomKill
from stamplab.lab.model.swarm import Service
from stamplab.runner.play_record import PlayRecord

_STEPS = (GUARD, "wait_healthy", HC1)


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """A play's shape beside the one that its scenario declares; shape.json holds it."""

    declared: Shape | None
    observed: Shape | None = msgspec.field(name="found")
    differences: tuple[str, ...]


def compared(played: PlayRecord) -> Compared:
    """Hold a play to its scenario."""
    declared, observed = played.scenario.shape, shape_in(played)
    differences: tuple[str, ...] = ()
    if declared is not None:
        differences = (
            declared.differences(observed) if observed else ("the service was never seen",)
        )
    return Compared(declared=declared, observed=observed, differences=differences)


def shape_in(played: PlayRecord) -> Shape | None:
    """Read the shape of a play's history; None where the service was never seen."""
    attribution = played.attribution
    if attribution is None:
        return None
    services = [sighting.service for sighting in attribution.sightings]
    return shape_of(
        (service.update_state for service in services),
        (_stamp(service, played, attribution) for service in services),
        new_task=_new_task(attribution),
        killed=_killed(played, attribution),
        old_kept=bool(attribution.kept_tasks),
        end=_end(played),
    )


def _stamp(service: Service, played: PlayRecord, attribution: Attribution) -> Stamp:
    label = played.app.stamp_label
    stamp = service.spec.labels.get(label)
    if stamp == attribution.base.labels.get(label):
        return "base"
    return "head" if stamp == played.results.ref[:SMALL_SHA_DIGITS] + DIRTY_MARK else "other"


def _new_task(attribution: Attribution) -> str:
    death = attribution.death
    if attribution.head is None:
        return "never created"
    if death is None:
        return "did not fail"
    if death.is_oom:
        how = "OOM-killed"
    elif death.ended is not None:
        how = f"exit code {death.ended.exit_code}"
    else:
        how = death.task.state
    return f"{how} {death.window}"


def _killed(played: PlayRecord, attribution: Attribution) -> tuple[Role, ...]:
    victims = {
        record.what.container_id for record in played.history if isinstance(record.what, OomKill)
    }
    killed: list[Role] = []
    if victims & {*attribution.old_containers}:
        killed.append("old")
    if victims - {*attribution.old_containers}:
        killed.append("new")
    return tuple(killed)


def _end(played: PlayRecord) -> str:
    """Return the last step that failed, if the stage did."""
    end, _ = played.upgrade_end()
    if end != "fail":
        return end
    failed = [
        record.what.step
        for record in played.history
        if isinstance(record.what, Finding)
        and not record.what.passed
        and record.what.step in _STEPS
    ]
    return failed[-1] if failed else "fail"
