"""What is played of a recipe that is not ours: all of the incident where it is armed."""

from __future__ import annotations

import msgspec

from stamplab.claims.discourse_plan import PlannedPlay
from stamplab.claims.recipe import is_armed
from stamplab.lab.model.history import PolicyRead
from stamplab.lab.model.swarm import UpdatePolicy
from stamplab.lab.recipe.compose import Compose
from stamplab.lab.recipe.durations import seconds_of
from stamplab.lab.recipe.source import Acquired
from stamplab.lab.recipe.workload_overlay import Timing
from stamplab.scenarios.discourse import plays
from stamplab.scenarios.discourse.plays import Settings, Subject

_STOP_GRACE_S = 10.0
"""The engine's own, where a recipe states none."""


def subject_of(acquired: Acquired, compose: Compose, policy: PolicyRead) -> Subject:
    """The recipe at head as the plays need it: with its own policy, and its own times."""
    service = compose.services[policy.service]
    return Subject(
        recipe=acquired,
        base=acquired.base,
        service=policy.service,
        own=Timing(
            monitor_s=seconds_of(policy.monitor, UpdatePolicy().monitor_s),
            stop_grace_s=seconds_of(service.stop_grace_period, _STOP_GRACE_S),
        ),
        order=None,
    )


def planned_plays(
    subject: Subject, policy: PolicyRead, settings: Settings
) -> tuple[PlannedPlay, ...]:
    """What is played, in order: of an unarmed recipe only what its own policy does."""
    honest = plays.honest(settings, subject)
    if not is_armed(policy):
        honest = msgspec.structs.replace(honest, shape=None)  # it depends on what the policy is
    own = [("a", "a-ample", plays.ample(settings, subject)), ("c", "c-guard-on", honest)]
    others = [
        ("b", "b-guard-off", plays.misattributed(settings, subject)),
        ("d", "d-stop-first", plays.fixed(settings, subject)),
    ]
    chosen = sorted([*own, *(others if is_armed(policy) else [])], key=lambda play: play[0])
    return tuple(PlannedPlay(key=key, folder=folder, scenario=play) for key, folder, play in chosen)
