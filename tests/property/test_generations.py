"""The laws of constancy: order does not matter, a gap never helps, and what is ruled is true."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stamplab.harness.checks.tool_constancy import judge_constancy
from stamplab.harness.verdict import Verdict
from stamplab.lab.nixos.generations import Current, Generation, Present, Profile
from tests.unit.harness.generations import GAPS, at, generation

many = settings(max_examples=300, deadline=None)
days = st.integers(2, 9)
moments = st.one_of(st.none(), st.integers(2, 20).map(lambda half: at(half / 2)))
gaps = st.sampled_from(GAPS)
HALVES = [at(1 + half / 2) for half in range(2 * 12)]
currents = st.one_of(
    st.none(),
    st.builds(
        lambda number, day: Current(number=number, switched=at(day)), st.integers(3, 9), days
    ),
)


@st.composite
def rows(draw: st.DrawFn, *, sound: bool = False) -> list[Generation]:
    """Some generations in order of number; sound ones without holes, gaps and odd dates."""
    tools = st.sampled_from("aaab" if sound else "aaaaab-x?")
    steps = st.just(1) if sound else st.sampled_from((1, 1, 1, 2, 5))
    drawn = draw(st.lists(st.tuples(days, tools, steps), min_size=sound, max_size=7))
    dates = [day for day, _, _ in drawn]
    numbers = accumulate((step for _, _, step in drawn), initial=3)
    rows = zip(numbers, sorted(dates) if sound else dates, drawn, strict=False)
    return [generation(number, day, letter) for number, day, (_, letter, _) in rows]


def verdict(
    made: Sequence[Generation],
    since: datetime | None,
    until: datetime | None = None,
    current: Current | None = None,
) -> Verdict:
    """Judge it; a span that ends before it begins is nobody's question."""
    assume(not since or not until or since <= until)
    profile = Profile(generations=tuple(made), current=current)
    return judge_constancy(profile, since, until).verdict


def paths(made: Sequence[Generation]) -> list[str | None]:
    return [
        str(generation.tool.path) if isinstance(generation.tool, Present) else None
        for generation in made
    ]


@many
@given(made=rows(), current=currents, since=moments, until=moments, data=st.data())
def test_the_order_of_reading_does_not_matter(
    made: list[Generation],
    current: Current | None,
    since: datetime | None,
    until: datetime | None,
    data: st.DataObject,
) -> None:
    shuffled = Profile(generations=tuple(data.draw(st.permutations(made))), current=current)
    profile = Profile(generations=tuple(made), current=current)
    assert judge_constancy(shuffled, since, until) == judge_constancy(profile, since, until)


@many
@given(made=rows(), current=currents, since=moments, until=moments, gap=gaps, data=st.data())
def test_what_cannot_be_read_any_more_never_makes_it_constant(
    made: list[Generation],
    current: Current | None,
    since: datetime | None,
    until: datetime | None,
    gap: object,
    data: st.DataObject,
) -> None:
    assume(made)
    where = data.draw(st.integers(0, len(made) - 1))
    worse = [*made]
    worse[where] = msgspec.structs.replace(made[where], tool=gap)
    before, after = verdict(made, since, until, current), verdict(worse, since, until, current)
    assert after in {before, Verdict.UNKNOWN}


@many
@given(made=rows(), since=moments, gap=gaps, day=days, data=st.data())
def test_one_more_gap_never_makes_it_constant(
    made: list[Generation], since: datetime | None, gap: object, day: int, data: st.DataObject
) -> None:
    where = data.draw(st.integers(0, len(made)))
    number = made[where].number if where < len(made) else 99
    later = [
        msgspec.structs.replace(generation, number=generation.number + 1)
        for generation in made[where:]
    ]
    one_more = msgspec.structs.replace(generation(number, day, "-"), tool=gap)
    if verdict(made, since) is not Verdict.PASS:
        assert verdict([*made[:where], one_more, *later], since) is not Verdict.PASS


@many
@given(made=rows(sound=True), since=moments, data=st.data())
def test_a_deleted_generation_never_makes_it_constant(
    made: list[Generation], since: datetime | None, data: st.DataObject
) -> None:
    assume(len(made) > 2)
    where = data.draw(st.integers(1, len(made) - 2))
    if verdict(made, since) is not Verdict.PASS:
        assert verdict([*made[:where], *made[where + 1 :]], since) is not Verdict.PASS


@many
@given(made=rows(), since=moments, until=moments)
def test_constant_means_that_all_that_was_made_in_the_span_is_the_same(
    made: list[Generation], since: datetime | None, until: datetime | None
) -> None:
    assume(since)
    if verdict(made, since, until) is Verdict.PASS and since:
        inside = [
            generation
            for generation in made
            if since < generation.made and (not until or generation.made <= until)
        ]
        before = [generation for generation in made if generation.made <= since]
        assert before
        assert len({*paths(inside)}) <= 1
        assert None not in paths(inside)


@many
@given(made=rows(), current=currents, since=moments, until=moments)
def test_changed_means_that_two_tools_were_read(
    made: list[Generation],
    current: Current | None,
    since: datetime | None,
    until: datetime | None,
) -> None:
    if verdict(made, since, until, current) is Verdict.FAIL:
        assert since
        assert len({*paths(made)} - {None}) > 1


@many
@given(made=rows(sound=True), since=moments, until=moments)
def test_of_sound_generations_what_is_ruled_is_what_was_in_force(
    made: list[Generation], since: datetime | None, until: datetime | None
) -> None:
    """The oracle looks at every half of a day in the span by itself: no date is finer than that."""
    assume(since)
    ruled = verdict(made, since, until)
    asked = [half for half in HALVES if (since or half) <= half and (not until or half <= until)]
    in_force = [[generation for generation in made if generation.made <= half] for half in asked]
    known = {paths(some)[-1] for some in in_force if some}
    same_moment = len({generation.made for generation in made}) < len(made)
    if len(known) > 1:
        assert ruled is Verdict.FAIL
    elif not all(in_force):
        assert ruled is Verdict.UNKNOWN or same_moment
    else:
        assert ruled is Verdict.PASS or same_moment
