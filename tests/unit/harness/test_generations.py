"""Whether a tool stayed the same: what makes it constant, changed, or unknown."""

from __future__ import annotations

from datetime import datetime

import pytest

from stamplab.harness.checks.tool_constancy import ToolRuling, describe, judge_constancy
from stamplab.harness.verdict import Verdict
from tests.unit.harness.generations import at, profile, tool

FIELD = "4:1:a 5:2:a 6:3:a 7:5:a 8:6:a 9:8:a 10:10:a 11:11:a"
PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN


def judge(
    text: str,
    since: float | None = None,
    until: float | None = None,
    current: tuple[int, float] | None = None,
) -> ToolRuling:
    def moment(day: float | None) -> datetime | None:
        return None if day is None else at(day)

    return judge_constancy(profile(text, current), moment(since), moment(until))


def test_the_field_is_constant_from_its_first_generation_on() -> None:
    ruling = judge(FIELD, since=1)
    assert ruling.verdict is PASS
    assert ruling.sentence == (
        "constant since generation 4 (2026-06-01 00:00): the same store path in 8 generations, "
        f"/nix/store/{'a' * 32}-abra-1; none is older; "
        "so it is the same from 2026-06-01 00:00 to now"
    )
    assert ruling.changes == ()


SPANS = [
    # since, until: all days of June; what is in force at `since` is the newest made by then.
    ("4:1:a 5:3:a 6:6:b 7:9:b", 2, None, FAIL),
    ("4:1:a 5:3:a 6:6:b 7:9:b", 2, 5, PASS),
    ("4:1:a 5:3:a 6:6:b 7:9:b", 5, 6, FAIL),  # made exactly at its end
    ("4:1:a 5:3:a 6:6:b 7:9:b", 6, None, PASS),  # made exactly at its beginning
    ("4:1:a 5:3:a 6:6:b 7:9:b", 5.9, 5.9, PASS),
    ("4:1:a 5:3:a 6:6:b 7:9:b", 30, None, PASS),
    ("4:1:a 5:3:b 6:6:a 7:9:a", 2, None, FAIL),  # away, and back again
    # Nothing is old enough to tell what was there at the beginning.
    ("4:2:a 5:3:a", 1, None, UNKNOWN),
    ("4:2:a 5:3:b", 1, None, FAIL),  # a change that is seen is one
    ("4:2:a 5:3:a", 1, 1.5, UNKNOWN),
    # Numbers beyond 9, and equal dates: the numbers decide.
    ("9:1:a 10:1:b 11:1:b", 1, None, PASS),
    ("9:1:b 10:1:a 11:1:b", 1, None, PASS),
    ("9:1:a 10:2:b 11:2:a", 1, None, FAIL),
]


@pytest.mark.parametrize(("text", "since", "until", "verdict"), SPANS)
def test_spans(text: str, since: float, until: float | None, verdict: Verdict) -> None:
    assert judge(text, since, until).verdict is verdict


@pytest.mark.parametrize("gap", "-x?")
@pytest.mark.parametrize(
    ("text", "since", "until", "verdict"),
    [
        ("4:1:a 5:3:{} 6:6:a", 2, None, UNKNOWN),
        ("4:1:a 5:3:{} 6:6:a", 2, 2.5, PASS),  # after the span
        ("4:1:a 5:3:{} 6:6:a", 6, None, PASS),  # before it
        ("4:1:a 5:3:{} 6:6:a", 5, 5, UNKNOWN),  # in force throughout
        ("4:1:a 5:3:{} 6:6:b", 2, None, FAIL),  # changed across it, whenever
        ("4:1:a 5:3:{} 6:6:b", 5, None, UNKNOWN),  # perhaps before the span
        ("4:1:{} 5:3:a 6:6:a", 2, None, UNKNOWN),
        ("4:1:a 5:3:{}", 2, None, UNKNOWN),
        ("4:1:{}", 2, None, UNKNOWN),
    ],
)
def test_a_gap_is_never_constant(
    gap: str, text: str, since: float, until: float | None, verdict: Verdict
) -> None:
    assert judge(text.format(gap), since, until).verdict is verdict


@pytest.mark.parametrize(
    ("text", "since", "until", "verdict"),
    [
        ("4:1:a 7:6:a", 2, None, UNKNOWN),
        ("4:1:a 7:6:a", 6, None, PASS),
        ("4:1:a 7:6:a", 2, 5, UNKNOWN),  # it may have been made within the span, or after it
        ("4:1:a 7:6:b", 2, None, UNKNOWN),  # or before it
        ("4:1:a 5:2.5:a 7:6:b", 2, None, FAIL),
        ("4:1:a 5:2:a 7:6:a 8:9:a", 6, None, PASS),
    ],
)
def test_a_missing_number_is_a_deleted_generation(
    text: str, since: float, until: float | None, verdict: Verdict
) -> None:
    assert judge(text, since, until).verdict is verdict


def test_what_is_unknown_is_named() -> None:
    assert judge("4:1:a 7:6:a 8:7:? 9:8:a", 2).sentence == (
        "unknown: generations 5 to 6: gone (deleted: it has no link); "
        "generation 8 (2026-06-07 00:00): unreadable (a loop)"
    )
    assert judge("4:2:a 5:3:a", 1).sentence == (
        "unknown: nothing is known of 2026-06-01 00:00: the oldest that is known is generation 4 "
        "(2026-06-02 00:00)"
    )


def test_a_change_says_which_generation_from_what_to_what() -> None:
    ruling = judge("4:1:a 5:3:a 6:6:b 7:9:c", 2, 8)
    old, new = (f"/nix/store/{letter * 32}-abra-1" for letter in "ab")
    assert ruling.sentence == (
        "changed between 2026-06-02 00:00 and 2026-06-08 00:00: generation 5 (2026-06-03 00:00) "
        f"has {old}, generation 6 (2026-06-06 00:00) has {new}"
    )
    assert [(change.before.first, change.after.first) for change in ruling.changes] == [
        (5, 6),
        (6, 7),
    ]


@pytest.mark.parametrize(
    ("text", "verdict", "begins"),
    [
        ("4:1:a 5:3:b 6:6:b", PASS, "constant since generation 5 (2026-06-03 00:00): the same"),
        ("4:1:a 5:3:x 6:6:a", PASS, "constant since generation 6 (2026-06-06 00:00): the same"),
        ("4:1:a 6:6:a", PASS, "constant since generation 6 (2026-06-06 00:00): the same"),
        ("4:1:- 5:3:a", PASS, "constant since generation 5 (2026-06-03 00:00): the same"),
        ("4:1:a 5:3:-", UNKNOWN, "unknown: generation 5 (2026-06-03 00:00): the tool is absent"),
        ("", UNKNOWN, "unknown: there is no generation"),
    ],
)
def test_without_a_beginning_it_says_since_when(text: str, verdict: Verdict, begins: str) -> None:
    ruling = judge(text)
    assert ruling.verdict is verdict
    assert ruling.sentence.startswith(begins)


def test_what_was_there_before_is_said() -> None:
    assert judge("4:1:- 5:3:a 6:4:a").sentence.endswith(
        f"in 2 generations, /nix/store/{'a' * 32}-abra-1; "
        "before it, generation 4 (2026-06-01 00:00): the tool is absent"
    )
    assert "in 1 generation, " in judge("4:1:a").sentence


def test_only_an_end() -> None:
    text = "4:1:a 5:3:b 6:6:-"
    assert judge(text, until=2).sentence.startswith("constant since generation 4 ")
    assert judge(text, until=5).sentence.startswith("constant since generation 5 ")
    assert judge(text, until=6).verdict is UNKNOWN
    assert judge("4:2:a", until=1).sentence == (
        "unknown: there is no generation of 2026-06-01 00:00 or before"
    )
    assert judge("4:1:a 6:6:a", until=3).verdict is UNKNOWN  # 5 may have been made by then


@pytest.mark.parametrize(
    ("text", "since", "until", "verdict"),
    [
        ("4:1:a 5:6:a 6:5:a 7:8:a", 2, None, PASS),
        ("4:1:a 5:6:a 6:5:a 7:8:a", 5.5, None, PASS),
        ("4:1:a 5:6:b 6:5:b 7:8:b", 5.5, None, UNKNOWN),  # which of two was made by then?
        ("4:1:a 5:6:b 6:5:a 7:8:a", 5.5, None, UNKNOWN),
        ("4:1:a 5:6:a 6:5:b 7:8:a", 5.5, None, FAIL),  # b until the 8th, whatever its date is
        ("4:1:a 5:6:a 6:5:a 7:8:b", 5.5, None, FAIL),
        ("4:1:a 5:6:b 6:5:b 7:8:b", 2, 7, UNKNOWN),
        ("4:1:a 5:6:a 6:5:a 7:8:b", 2, 7, PASS),
        ("4:2:a 5:1:a", 3, None, UNKNOWN),  # one of the two dates is wrong
        ("4:1:a 5:2:b 6:1.5:b", None, 1.7, UNKNOWN),
        ("4:2:a 5:1:b", None, None, PASS),  # the last one is the last one
    ],
)
def test_dates_that_go_backwards(
    text: str, since: float | None, until: float | None, verdict: Verdict
) -> None:
    ruling = judge(text, since, until)
    assert ruling.verdict is verdict, ruling.sentence


def test_dates_that_decide_nothing_are_blamed() -> None:
    assert judge("4:1:a 5:6:b 6:5:b 7:8:b", 5.5).sentence == (
        "unknown: it changed, but when is not known, for dates contradict the numbers: "
        "generation 5 (2026-06-06 00:00), generation 6 (2026-06-05 00:00)"
    )


@pytest.mark.parametrize(
    ("text", "current", "since", "until", "verdict"),
    [
        ("4:1:a 5:3:b", (4, 5), 4, None, FAIL),
        ("4:1:a 5:3:b", (4, 5), 4, 4.5, PASS),
        ("4:1:a 5:3:b", (4, 5), 5, None, PASS),
        ("4:1:a 5:3:a", (4, 5), 2, None, PASS),
        ("4:1:a 5:3:b", (5, 5), 4, None, PASS),  # the newest, whenever it was switched to
        ("4:1:a 5:3:a", (3, 5), 2, None, UNKNOWN),  # to one that is not there
        ("4:1:a 5:3:a", (9, 5), 2, None, UNKNOWN),
        ("4:1:a 5:3:a", (9, 5), 2, 4, PASS),
        ("4:1:x 5:3:a", (4, 5), 4, None, UNKNOWN),
        ("", (4, 5), 4, None, UNKNOWN),
        ("4:1:a 5:3:b", (4, 2), 3, None, UNKNOWN),  # switched before the newest was made?
    ],
)
def test_a_host_that_was_switched_back(
    text: str, current: tuple[int, float], since: float, until: float | None, verdict: Verdict
) -> None:
    ruling = judge(text, since, until, current)
    assert ruling.verdict is verdict, ruling.sentence


def test_a_switch_back_is_said_and_counts_its_generation_once() -> None:
    assert judge("4:1:a 5:3:b", current=(4, 5)).sentence.startswith(
        "constant since generation 4 (again from 2026-06-05 00:00): the same store path in 1 "
    )
    assert " in 2 generations, " in judge("4:1:a 5:3:a", current=(4, 5)).sentence


@pytest.mark.parametrize(
    ("letter", "words"),
    [
        ("a", f"/nix/store/{'a' * 32}-abra-1"),
        ("-", "the tool is absent"),
        ("x", "gone (collected)"),
        ("?", "unreadable (a loop)"),
    ],
)
def test_every_reading_has_its_words(letter: str, words: str) -> None:
    assert describe(tool(letter)) == words


def test_a_million_missing_numbers_are_one_gap() -> None:
    steps = judge(f"4:1:a {10**17}:2:a").steps
    assert [(step.first, step.last) for step in steps] == [
        (4, 4),
        (5, 10**17 - 1),
        (10**17, 10**17),
    ]
