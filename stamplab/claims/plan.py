"""What ``repro`` plays, in order.

Of our own recipe by claims, harness and trials; of any other recipe by its own policy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

import msgspec

from stamplab.claims.discourse import PLAY_OF
from stamplab.claims.negative_controls import NegativeControl, negative_controls
from stamplab.claims.offline_claims import OFFLINE
from stamplab.claims.recipe import is_armed
from stamplab.lab.errors import UsageError
from stamplab.lab.model.history import PolicyRead
from stamplab.lab.model.swarm import UpdatePolicy
from stamplab.lab.recipe.compose import Compose
from stamplab.lab.recipe.durations import parse_seconds
from stamplab.lab.recipe.source import AcquiredRecipe
from stamplab.lab.recipe.workload_overlay import Timing
from stamplab.scenarios.discourse import plays
from stamplab.scenarios.discourse.plays import Settings, Subject
from stamplab.scenarios.scenario import Scenario

CONTROLS_CLAIM = "C9"
"""The claim that is judged on plays of its own; see `stamplab.claims.negative_controls`."""
# Without NixOS generations C12 does not count (ADR 0060).
CLAIMS = ("control", "C1", "C2", "C3", "C4", "C5", "C7", "C8", "C9", "C12")
_OF_HARNESS = {"on": "acd", "off": "b", "both": "abcd"}
_STOP_GRACE_S = 10.0
"""The engine's own, where a recipe states none."""
_PLAYS: Mapping[str, Callable[[Settings, Subject], Scenario]] = {
    "a": plays.ample,
    "b": plays.misattributed,
    "c": plays.honest,
    "d": plays.fixed,
}


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line chose to have played."""

    settings: Settings
    trials: int = 1
    guard: Literal["on", "off", "both"] = "both"
    """Which harness is put on trial: the guarded one, the pre-fix exhibit, or both."""
    claims: tuple[str, ...] = CLAIMS
    """The claims to be judged: nothing is played that none of them needs."""

    def shows(self, claim: str) -> bool:
        """Whether the harness on trial has a play for that claim."""
        if claim == CONTROLS_CLAIM:
            return self.guard != "off"
        if claim in OFFLINE:
            return True
        return PLAY_OF[claim] in _OF_HARNESS[self.guard]

    @property
    def negative_controls(self) -> tuple[NegativeControl, ...]:
        """The negative controls to be tried: none in the pre-fix harness, which has no guard."""
        is_chosen = CONTROLS_CLAIM in self.claims and self.shows(CONTROLS_CLAIM)
        return negative_controls(self.settings) if is_chosen else ()

    @property
    def keys(self) -> str:
        """The plays to be played, of (a) to (d)."""
        played = {PLAY_OF[name] for name in self.claims if name in PLAY_OF and self.shows(name)}
        return "".join(sorted(played))


class PlannedPlay(msgspec.Struct, frozen=True, kw_only=True):
    """One play of a plan."""

    key: str
    """``a`` to ``d``, or a negative control's name."""
    folder: str
    scenario: Scenario


def plan_of_choice(choice: Choice) -> tuple[PlannedPlay, ...]:
    """Return what is played of our own recipe.

    One trial plays both harnesses under pressure; of more, each second one is the pre-fix
    harness's. Negative controls are tried once. Raises UsageError when a claim was asked for that
    this harness cannot show.
    """
    unshown = [name for name in choice.claims if not choice.shows(name)]
    if unshown and choice.claims != CLAIMS:
        raise UsageError(f"with --guard {choice.guard} no play shows {', '.join(unshown)}")
    controls = (
        PlannedPlay(key=control.name, folder=control.name, scenario=control.scenario)
        for control in choice.negative_controls
    )
    return (*_trials(choice), *controls)


def _trials(choice: Choice) -> Iterator[PlannedPlay]:
    keys = choice.keys
    if "a" in keys:
        yield _planned("a", choice.settings)
    for trial in range(1, choice.trials + 1):
        suffix = "" if choice.trials == 1 else f"-{trial:03}"
        alternate = choice.trials > 1 and {"b", "c"} <= {*keys}
        for key in keys.replace("a", ""):
            is_others_turn = alternate and key == ("c" if trial % 2 else "b")
            if not is_others_turn:
                yield _planned(key, choice.settings, suffix=suffix)


def _planned(
    key: str, settings: Settings, subject: Subject = plays.DISCOURSE, suffix: str = ""
) -> PlannedPlay:
    scenario = _PLAYS[key](settings, subject)
    return PlannedPlay(key=key, folder=f"{scenario.name}{suffix}", scenario=scenario)


def subject_of(acquired: AcquiredRecipe, compose: Compose, policy: PolicyRead) -> Subject:
    """Return the recipe at head as the plays need it: with its own policy, and its own times."""
    service = compose.services[policy.service]
    return Subject(
        recipe=acquired,
        base=acquired.base,
        service=policy.service,
        own=Timing(
            monitor_s=parse_seconds(policy.monitor, UpdatePolicy().monitor_s),
            stop_grace_s=parse_seconds(service.stop_grace_period, _STOP_GRACE_S),
        ),
        order=None,
    )


def plan_of_recipe(
    subject: Subject, policy: PolicyRead, settings: Settings
) -> tuple[PlannedPlay, ...]:
    """Return what is played of another recipe; unarmed, only what its own policy does."""
    if is_armed(policy):
        return tuple(_planned(key, settings, subject) for key in _PLAYS)
    control, pressed = (_planned(key, settings, subject) for key in "ac")
    scenario = msgspec.structs.replace(pressed.scenario, shape=None)  # the policy decides it
    return control, msgspec.structs.replace(pressed, scenario=scenario)
