"""What is played of a recipe that is not ours: all of the incident where it is armed."""

from __future__ import annotations

import msgspec

from lab.history import PolicyRead
from lab.recipe.compose import Compose
from lab.recipe.durations import seconds_of
from lab.recipe.source import Acquired
from lab.recipe.standin import Timing
from lab.swarm import UpdatePolicy
from scenarios.discourse import plays
from scenarios.discourse.plays import Settings, Subject
from scenarios.discourse.programme import Entry
from scenarios.recipe.claims import is_armed

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


def programme_of(subject: Subject, policy: PolicyRead, settings: Settings) -> tuple[Entry, ...]:
    """What is played, in order: of an unarmed recipe only what its own policy does."""
    honest = plays.honest(settings, subject)
    if not is_armed(policy):
        honest = msgspec.structs.replace(honest, shape=None)  # it depends on what the policy is
    own = [("a", "a-ample", plays.ample(settings, subject)), ("c", "c-guard-on", honest)]
    others = [
        ("b", "b-guard-off", plays.misattributed(settings, subject)),
        ("d", "d-stop-first", plays.fixed(settings, subject)),
    ]
    chosen = sorted([*own, *(others if is_armed(policy) else [])], key=lambda one: one[0])
    return tuple(Entry(key=key, folder=folder, scenario=play) for key, folder, play in chosen)
