"""Which plays a request asks for, and how they are counted."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from harness.evidence import EvidenceFolder
from harness.verdict import Verdict
from scenarios.discourse.plays import Settings
from scenarios.played import Played
from scenarios.repro import Request, programme_of, report_on


def programme(trials: int, guard: Literal["on", "off", "both"] = "both") -> str:
    request = Request(
        settings=Settings(), runs=Path("runs"), argv=("stamplab",), trials=trials, guard=guard
    )
    return "".join(key for key, _, _ in programme_of(request))


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
def test_what_is_played(trials: int, guard: Literal["on", "off", "both"], plays: str) -> None:
    assert programme(trials, guard) == plays


def test_ten_trials_press_ten_times_and_fix_ten_times() -> None:
    plays = programme(10)
    assert plays.count("b") + plays.count("c") == 10
    assert plays.count("d") == 10


def test_no_two_plays_share_a_folder() -> None:
    request = Request(settings=Settings(), runs=Path("runs"), argv=(), trials=30)
    names = [name for _, name, _ in programme_of(request)]
    assert len(set(names)) == len(names)


def test_all_claims_of_all_plays_make_a_pass(played: dict[str, Played]) -> None:
    found = report_on(
        {key: [play] for key, play in played.items()}, EvidenceFolder(Path("runs")), "again", ""
    )
    assert found.verdict is Verdict.PASS
    assert found.trials == ()
    assert found.reproduced.startswith("reproduced: ")


def test_trials_are_counted_and_one_that_lacks_something_fails_the_whole(
    played: dict[str, Played], unpressed: dict[str, Played]
) -> None:
    plays = {
        "a": [played["a"]],
        "b": [played["b"], unpressed["b"]],
        "c": [played["c"]],
        "d": [played["d"], played["d"], played["b"]],
    }
    found = report_on(plays, EvidenceFolder(Path("runs")), "again", "")
    assert [str(trials.proportion).split()[0] for trials in found.trials] == ["2/3", "2/3"]
    assert found.trials[0].lacking[0].startswith("not reproduced, missing: rolled back")
    assert found.verdict is Verdict.FAIL


def test_an_interrupted_run_is_unknown_whatever_was_seen_before(
    played: dict[str, Played],
) -> None:
    plays = {key: [play] for key, play in played.items()}
    found = report_on(plays, EvidenceFolder(Path("runs")), "again", "interrupted")
    assert found.verdict is Verdict.UNKNOWN


def test_nothing_played_is_unknown() -> None:
    found = report_on({key: [] for key in "abcd"}, EvidenceFolder(Path("runs")), "again", "")
    assert found.verdict is Verdict.UNKNOWN
    assert found.reproduced == "not played"
