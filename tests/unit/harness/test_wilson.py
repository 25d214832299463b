"""The Wilson interval, against known values and as a law."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stamplab.harness.checks.wilson import Proportion


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (1, 10, 0.0179, 0.4042),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (1, 1, 0.2065, 1.0),
        (81, 263, 0.2553, 0.3662),  # Newcombe, Statist. Med. 17 (1998) 857, table I
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_known_intervals(successes: int, trials: int, low: float, high: float) -> None:
    interval = Proportion(successes=successes, trials=trials).interval
    assert interval == pytest.approx((low, high), abs=6e-5)


def test_no_trial_says_nothing() -> None:
    assert Proportion(successes=0, trials=0).interval == (0.0, 1.0)


def test_in_words() -> None:
    assert str(Proportion(successes=10, trials=10)) == "10/10 (95 % interval 72%-100%)"


@st.composite
def proportions(draw: st.DrawFn) -> Proportion:
    trials = draw(st.integers(1, 10**6))
    return Proportion(successes=draw(st.integers(0, trials)), trials=trials)


@given(proportions())
def test_the_interval_contains_the_share_and_stays_within_0_and_1(proportion: Proportion) -> None:
    low, high = proportion.interval
    assert 0 <= low <= high <= 1
    share = proportion.successes / proportion.trials
    assert low - 1e-12 <= share <= high + 1e-12


@given(proportions(), st.integers(2, 100))
def test_the_interval_narrows_with_more_trials(proportion: Proportion, times: int) -> None:
    more = Proportion(successes=proportion.successes * times, trials=proportion.trials * times)
    assert _width(more) < _width(proportion)


@given(proportions())
def test_failures_mirror_successes(proportion: Proportion) -> None:
    low, high = proportion.interval
    failures = Proportion(
        successes=proportion.trials - proportion.successes, trials=proportion.trials
    )
    assert failures.interval == pytest.approx((1 - high, 1 - low), abs=1e-9)


def _width(proportion: Proportion) -> float:
    low, high = proportion.interval
    return high - low
