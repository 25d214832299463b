"""Three values: a judge that lacks evidence says unknown and never pass."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stamplab.harness.verdict import Verdict, merge

verdicts = st.lists(st.sampled_from(Verdict), max_size=6)


@pytest.mark.parametrize(
    ("verdict", "code"), [(Verdict.PASS, 0), (Verdict.FAIL, 1), (Verdict.UNKNOWN, 2)]
)
def test_exit_codes(verdict: Verdict, code: int) -> None:
    assert verdict.exit_code == code


@pytest.mark.parametrize(
    ("holds", "verdict"), [(True, Verdict.PASS), (False, Verdict.FAIL), (None, Verdict.UNKNOWN)]
)
def test_three_valued_truth(holds: bool | None, verdict: Verdict) -> None:
    assert Verdict.of(holds) is verdict


def test_nothing_to_judge_is_unknown() -> None:
    assert merge([]) is Verdict.UNKNOWN


@pytest.mark.parametrize("pair", list(product(Verdict, repeat=2)))
def test_unknown_beats_fail_beats_pass(pair: tuple[Verdict, Verdict]) -> None:
    rank = [Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN]
    assert merge(pair) is max(pair, key=rank.index)


@given(verdicts)
def test_a_pass_is_unanimous(verdicts: list[Verdict]) -> None:
    assert (merge(verdicts) is Verdict.PASS) == (bool(verdicts) and set(verdicts) == {Verdict.PASS})


@given(verdicts)
def test_the_order_does_not_matter(verdicts: list[Verdict]) -> None:
    assert merge(sorted(verdicts)) is merge(verdicts) is merge(reversed(verdicts))


@given(st.lists(st.lists(st.sampled_from(Verdict), min_size=1), min_size=1, max_size=4))
def test_merging_in_groups_is_merging_all(groups: list[list[Verdict]]) -> None:
    everything = [verdict for group in groups for verdict in group]
    assert merge(merge(group) for group in groups) is merge(everything)


@given(verdicts, st.sampled_from(Verdict))
def test_more_against_it_never_makes_it_better(verdicts: list[Verdict], more: Verdict) -> None:
    rank = [Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN]
    if verdicts:
        assert rank.index(merge([*verdicts, more])) >= rank.index(merge(verdicts))
    assert merge([*verdicts, *verdicts]) is merge(verdicts)
