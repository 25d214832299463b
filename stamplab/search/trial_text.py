"""A trial told to a person: a sentence, and a timeline in seconds of swarm time."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from stamplab.lab.faults.memory_pressure import Ample, Pressure, Pulse, Ramp, Squeeze
from stamplab.lab.faults.operator import in_words
from stamplab.lab.model.history import (
    ContainerEnded,
    EngineEvent,
    Finding,
    History,
    LimitSet,
    OomKill,
    OperatorActed,
    ServiceSeen,
)
from stamplab.lab.model.swarm import Service
from stamplab.search.schedule import Schedule
from stamplab.search.trial import Trial

_MIB = 1024 * 1024


class Moment(msgspec.Struct, frozen=True):
    """One line of a timeline: seconds since head was applied, and what happened."""

    at_s: float
    what: str


def describe(schedule: Schedule) -> str:
    """Return a schedule in a sentence, without what is as usual."""
    memory, timing, policy = schedule.memory, schedule.timing, schedule.policy
    boot_s = memory.boot_s + memory.hold_s + memory.ready_s
    parts = [
        f"boot {boot_s:.1f} s up to {memory.peak_bytes // _MIB} MiB, then "
        f"{memory.steady_bytes // _MIB} MiB",
        f"{policy.order}, {policy.failure_action}, monitor {timing.monitor_s:.1f} s",
        *([f"delay {policy.delay_s:.1f} s"] if policy.delay_s else []),
        *([f"{policy.replicas} replicas"] if policy.replicas not in (None, 1) else []),
        *([f"max_failure_ratio {policy.max_failure_ratio}"] if policy.max_failure_ratio else []),
        f"asked for its health every {timing.health_interval_s:.1f} s",
        _pressure(schedule.pressure),
        *([f"the head's image: {schedule.fault}"] if schedule.fault else []),
        *([f"a wrong stamp is planted: {schedule.wrong_stamp}"] if schedule.wrong_stamp else []),
        *(
            f"after {operation.after_s:.1f} s {in_words(operation.what)}"
            for operation in schedule.operations
        ),
    ]
    return "; ".join(parts)


def _pressure(pressure: Pressure) -> str:
    match pressure:
        case Ample():
            return "ample memory"
        case Squeeze(short_by=short_by):
            return f"memory short by {short_by:.0%} of OLD's"
        case Pulse(after_s=after_s, for_s=for_s, short_by=short_by):
            return (
                f"memory short by {short_by:.0%} of OLD's from {after_s:.1f} s on, "
                f"for {for_s:.1f} s"
            )
        case Ramp(after_s=after_s, over_s=over_s, short_by=short_by):
            return (
                f"memory sinking from {after_s:.1f} s on, over {over_s:.1f} s, until it is short "
                f"by {short_by:.0%} of OLD's"
            )


def timeline(trial: Trial) -> tuple[Moment, ...]:
    """Return what happened from the upgrade on."""
    from_s = trial.upgrade_s
    zero_s = trial.truth.applied_s if trial.truth.applied_s is not None else from_s
    state: str | None = None
    moments = []
    for record in trial.history:
        match record.what:
            case ServiceSeen(name=name, service=Service() as service):
                if name != trial.app.service or service.update_state == state:
                    continue
                state = service.update_state
                text = f"the service's update state is {state}"
            case what:
                text = "".join(_event_text(what))
        if text and record.happened_s >= from_s:
            at_s = round(record.happened_s - zero_s, 3) or 0.0  # not -0.0
            moments.append(Moment(at_s, text))
    return tuple(moments)


def _event_text(what: object) -> Iterator[str]:
    match what:
        case EngineEvent(kind="container", action="start", attributes=attributes):
            yield f"a task starts, of {attributes['image']}"
        case EngineEvent(kind="container", action="health_status: healthy", attributes=attributes):
            yield f"a task is healthy, of {attributes['image']}"
        case OomKill(anon_rss_bytes=rss_bytes, limit_bytes=limit_bytes):
            limit = f", limit {limit_bytes // _MIB} MiB" if limit_bytes else ""
            yield f"OOM kill of a task with {rss_bytes // _MIB} MiB{limit}"
        case ContainerEnded(exit_code=exit_code):
            yield f"its process has ended, exit code {exit_code}"
        case LimitSet(reason=reason):
            yield reason
        case OperatorActed(what=acted, refused=refused):
            yield f"{acted}{f', refused: {refused}' if refused else ''}"
        case Finding(step=step, passed=passed, text=text):
            yield f"{step} {'passed' if passed else 'failed'}: {text}"
        case _:
            return


def sentence(trial: Trial, broken: str) -> str:
    """How the smallest schedule breaks the law, in one sentence with its few figures."""
    figures = []
    zero_s = trial.truth.applied_s
    if zero_s is not None:
        for word, at_s in (
            ("OOM", _first(trial.history, OomKill, trial.upgrade_s)),
            ("rollback", trial.truth.rolled_back_s),
            ("the verdict", trial.end_s),
        ):
            if at_s is not None:
                figures.append(f"{word} at {at_s - zero_s:.1f} s")
    text = "; ".join(filter(None, (describe(trial.schedule), ", ".join(figures))))
    return f"{text}: {broken}"


def _first(history: History, kind: type[OomKill], from_s: float) -> float | None:
    return next(
        (r.happened_s for r in history if isinstance(r.what, kind) and r.happened_s >= from_s),
        None,
    )
