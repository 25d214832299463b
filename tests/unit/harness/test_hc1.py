"""HC1 keeps its teeth (C9): a stamp that is not exactly the intended one fails."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stamplab.harness.ci import hc1

HEAD = "7ae7b0f76efb2988c1e54956348dc9eeb7812e0b"
BASE = "eb96de94"


def test_the_fields_message_to_the_letter() -> None:
    assert hc1.check("eb96de94+U", HEAD, is_dirty=True) == (
        "chaos commit 'eb96de94+U', not the intended PR-head '7ae7b0f76efb' (HC1)"
    )


@pytest.mark.parametrize(("stamp", "is_dirty"), [("7ae7b0f7+U", True), ("7ae7b0f7", False)])
def test_the_intended_heads_stamp_passes(stamp: str, is_dirty: bool) -> None:
    assert hc1.check(stamp, HEAD, is_dirty=is_dirty) is None


WRONG_STAMPS = {
    "another commit's": "0123abcd+U",
    "the base's": f"{BASE}+U",
    "the base's, clean": BASE,
    "a tag's": "0.9.0+3.5.0",
    "the base's tag": "0.7.0+3.3.1",
    "head without the mark of a dirty tree": "7ae7b0f7",
    "truncated": "7ae7b0f+U",
    "longer": "7ae7b0f76+U",
    "the whole SHA": f"{HEAD}+U",
    "the shown twelve digits": "7ae7b0f76efb+U",
    "upper case": "7AE7B0F7+U",
    "the mark twice": "7ae7b0f7+U+U",
    "a small mark": "7ae7b0f7+u",
    "with a blank": "7ae7b0f7+U ",
    "head's other digits": "76efb298+U",
    "empty": "",
    "the mark alone": "+U",
    "none": None,
}


@pytest.mark.parametrize("case", WRONG_STAMPS)
def test_a_planted_wrong_stamp_fails_with_the_stamp_in_the_message(case: str) -> None:
    stamp = WRONG_STAMPS[case]
    expected = f"chaos commit {stamp!r}, not the intended PR-head '7ae7b0f76efb' (HC1)"
    assert hc1.check(stamp, HEAD, is_dirty=True) == expected


@pytest.mark.parametrize("stamp", ["7ae7b0f7+U", None, "", f"{BASE}"])
def test_on_a_clean_tree_the_mark_is_wrong(stamp: str | None) -> None:
    assert hc1.check(stamp, HEAD, is_dirty=False) is not None


shas = st.text("0123456789abcdef", min_size=40, max_size=40)


@given(deployed=shas, intended=shas, is_dirty=st.booleans(), marked=st.booleans())
def test_a_stamp_passes_exactly_when_digits_and_mark_are_the_intended_ones(
    deployed: str, intended: str, is_dirty: bool, marked: bool
) -> None:
    stamp = deployed[:8] + ("+U" if marked else "")
    passes = deployed[:8] == intended[:8] and marked == is_dirty
    assert (hc1.check(stamp, intended, is_dirty=is_dirty) is None) == passes
    own = intended[:8] + ("+U" if is_dirty else "")
    assert hc1.check(own, intended, is_dirty=is_dirty) is None
