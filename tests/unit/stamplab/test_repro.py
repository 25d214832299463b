"""Which plays a request asks for, and how they are counted."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from stamplab.claims.discourse import PLAY_OF
from stamplab.claims.plan import CLAIMS, Choice, plan_of_choice
from stamplab.cli.repro_discourse import Report, report_on
from stamplab.harness.verdict import Verdict
from stamplab.lab.errors import UsageError
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.play_record import PlayRecord
from stamplab.scenarios.discourse.plays import Settings

Harness = Literal["on", "off", "both"]
LETTERS = tuple(PLAY_OF)
"""The claims that are judged on the plays (a) to (d)."""


def choice(trials: int = 1, guard: Harness = "both", claims: tuple[str, ...] = LETTERS) -> Choice:
    return Choice(settings=Settings(), trials=trials, guard=guard, claims=claims)


def plan(trials: int, guard: Harness = "both", claims: tuple[str, ...] = CLAIMS) -> str:
    """The plays (a) to (d), in order; teeth are left out."""
    keys = [entry.key for entry in plan_of_choice(choice(trials, guard, claims))]
    return "".join(key for key in keys if key in "abcd")


def report(played: dict[str, list[PlayRecord]], note: str = "", trials: int = 1) -> Report:
    return report_on(choice(trials), played, EvidenceFolder(Path("runs")), "again", note)


@pytest.mark.parametrize(
    ("trials", "guard", "plays"),
    [
        (1, "both", "abcd"),
        (2, "both", "abdcd"),
        (4, "both", "abdcdbdcd"),
        (1, "on", "acd"),
        (2, "on", "acdcd"),
        (1, "off", "b"),
        (3, "off", "bbb"),
    ],
)
def test_what_is_played(trials: int, guard: Harness, plays: str) -> None:
    assert plan(trials, guard) == plays


@pytest.mark.parametrize(
    ("trials", "guard", "claims", "plays"),
    [
        (1, "both", ("C4",), "c"),
        (1, "both", ("C7", "C3"), "bd"),
        (3, "both", ("C4", "C7"), "cdcdcd"),
        (3, "both", ("control", "C5"), "abbb"),
        (2, "on", ("C8", "C1"), "cc"),
    ],
)
def test_only_what_the_claims_need_is_played(
    trials: int, guard: Harness, claims: tuple[str, ...], plays: str
) -> None:
    assert plan(trials, guard, claims) == plays


def test_teeth_are_tried_once_however_many_trials_and_not_without_the_guard() -> None:
    keys = [entry.key for entry in plan_of_choice(choice(trials=3, claims=CLAIMS))]
    assert "".join(keys[:7]) == "abdcdbd"
    assert len(set(keys[7:])) == len(keys[7:]) == 11
    assert {entry.key for entry in plan_of_choice(choice(guard="off", claims=CLAIMS))} == {"b"}


@pytest.mark.parametrize(
    ("guard", "claims", "unshown"),
    [
        ("off", ("C9",), "C9"),
        ("off", ("C7", "C3"), "C7"),
        ("on", ("C5",), "C5"),
        ("on", ("C8", "C5", "C3"), "C5, C3"),
    ],
)
def test_a_claim_that_the_harness_cannot_show_is_bad_usage(
    guard: Harness, claims: tuple[str, ...], unshown: str
) -> None:
    with pytest.raises(UsageError, match=f"--guard {guard} no play shows {unshown}$"):
        plan_of_choice(choice(guard=guard, claims=claims))


def test_ten_trials_press_ten_times_and_fix_ten_times() -> None:
    plays = plan(10)
    assert plays.count("b") + plays.count("c") == 10
    assert plays.count("d") == 10


def test_no_two_plays_share_a_folder() -> None:
    names = [entry.folder for entry in plan_of_choice(choice(trials=30, claims=CLAIMS))]
    assert len(set(names)) == len(names)


def test_all_claims_of_all_plays_make_a_pass(played: dict[str, PlayRecord]) -> None:
    outcome = report({key: [play] for key, play in played.items()})
    assert outcome.verdict is Verdict.PASS
    assert outcome.trials == ()
    assert outcome.reproduced.startswith("reproduced: ")


def test_trials_are_counted_and_one_that_lacks_something_fails_the_whole(
    played: dict[str, PlayRecord], unpressed: dict[str, PlayRecord]
) -> None:
    plays = {
        "a": [played["a"]],
        "b": [played["b"], unpressed["b"]],
        "c": [played["c"]],
        "d": [played["d"], played["d"], played["b"]],
    }
    outcome = report(plays, trials=2)
    assert [str(trials.proportion).split()[0] for trials in outcome.trials] == ["2/3", "2/3"]
    (lacking,) = outcome.trials[0].lacking
    assert lacking.startswith("not reproduced: missing sign «rolled back» (seen: ")
    assert outcome.verdict is Verdict.FAIL


def test_an_interrupted_run_is_unknown(played: dict[str, PlayRecord]) -> None:
    plays = {key: [play] for key, play in played.items()}
    outcome = report(plays, note="interrupted")
    assert outcome.verdict is Verdict.UNKNOWN


def test_nothing_played_is_unknown() -> None:
    outcome = report({key: [] for key in "abcd"})
    assert outcome.verdict is Verdict.UNKNOWN
    assert outcome.reproduced == "not played"
