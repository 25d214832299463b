"""What ``repro discourse`` plays: a row of plays in order, chosen by claims, harness and trials."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from stamplab.claims.discourse import PLAY_OF
from stamplab.claims.negative_controls import Tooth, teeth
from stamplab.claims.offline_claims import COLD
from stamplab.lab.errors import UsageError
from stamplab.scenarios.discourse import plays
from stamplab.scenarios.scenario import Scenario

TEETH = "C9"
"""The claim that is judged on plays of its own; see `stamplab.claims.negative_controls`."""
# Without NixOS generations C12 does not count (ADR 0060).
CLAIMS = ("control", "C1", "C2", "C3", "C4", "C5", "C7", "C8", "C9", "C12")
_OF_HARNESS = {"on": "acd", "off": "b", "both": "abcd"}


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line chose to have played."""

    settings: plays.Settings
    trials: int = 1
    guard: Literal["on", "off", "both"] = "both"
    """Which harness is put on trial: the guarded one, the pre-fix exhibit, or both."""
    claims: tuple[str, ...] = CLAIMS
    """The claims to be judged: nothing is played that none of them needs."""

    def shows(self, claim: str) -> bool:
        """Whether the harness on trial has a play for that claim."""
        if claim == TEETH:
            return self.guard != "off"
        if claim in COLD:
            return True
        return PLAY_OF[claim] in _OF_HARNESS[self.guard]

    @property
    def teeth(self) -> tuple[Tooth, ...]:
        """The teeth to be tried: HC1 and the guard have none in the pre-fix harness."""
        return teeth(self.settings) if TEETH in self.claims and self.shows(TEETH) else ()

    @property
    def keys(self) -> str:
        """The plays to be played, of (a) to (d)."""
        played = {PLAY_OF[name] for name in self.claims if name in PLAY_OF and self.shows(name)}
        return "".join(sorted(played))


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One play of the programme."""

    key: str
    """``a`` to ``d``, or a tooth's name."""
    folder: str
    scenario: Scenario


def programme_of(choice: Choice) -> tuple[Entry, ...]:
    """What is played, in order.

    One trial plays both harnesses under pressure; of more, each second one is the pre-fix
    harness's. Teeth are tried once. Raises UsageError when a claim was asked for that this harness
    cannot show.
    """
    unshown = [name for name in choice.claims if not choice.shows(name)]
    if unshown and choice.claims != CLAIMS:
        raise UsageError(f"with --guard {choice.guard} no play shows {', '.join(unshown)}")
    return (*_plays(choice), *_teeth(choice))


def _plays(choice: Choice) -> Iterator[Entry]:
    settings, keys = choice.settings, choice.keys
    if "a" in keys:
        yield Entry(key="a", folder="a-ample", scenario=plays.ample(settings))
    for trial in range(1, choice.trials + 1):
        suffix = "" if choice.trials == 1 else f"-{trial:03}"
        alternate = choice.trials > 1 and {"b", "c"} <= {*keys}
        for key, name, play in (
            ("b", "b-guard-off", plays.misattributed),
            ("c", "c-guard-on", plays.honest),
            ("d", "d-stop-first", plays.fixed),
        ):
            is_others_turn = alternate and key == ("c" if trial % 2 else "b")
            if key in keys and not is_others_turn:
                yield Entry(key=key, folder=f"{name}{suffix}", scenario=play(settings))


def _teeth(choice: Choice) -> Iterator[Entry]:
    for tooth in choice.teeth:
        yield Entry(key=tooth.name, folder=tooth.name, scenario=tooth.scenario)
