"""The laws of constancy: order does not matter, a gap never helps, and what is ruled is true."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stamplab.harness.checks.tool_constancy import ToolRuling, judge_constancy
from stamplab.harness.verdict import Verdict
from stamplab.lab.nixos.generations import Current, Generation, Present, Profile
from tests.unit.harness.generations import GAPS, at, generation

many = settings(max_examples=300, deadline=None)
days = st.integers(2, 9)
some_moments = st.integers(2, 20).map(lambda half: at(half / 2))
moments = st.one_of(st.none(), some_moments)
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


class Question(msgspec.Struct, frozen=True):
    """Generations, and the span that is asked about."""

    made: list[Generation]
    since: datetime | None
    until: datetime | None = None
    current: Current | None = None

    @property
    def ruling(self) -> ToolRuling:
        profile = Profile(generations=tuple(self.made), current=self.current)
        return judge_constancy(profile, self.since, self.until)

    @property
    def verdict(self) -> Verdict:
        return self.ruling.verdict

    def of(self, made: Sequence[Generation]) -> Question:
        """The same of other generations."""
        return msgspec.structs.replace(self, made=[*made])


def questions(
    made: st.SearchStrategy[list[Generation]],
    since: st.SearchStrategy[datetime | None] = moments,
    until: st.SearchStrategy[datetime | None] = moments,
    current: st.SearchStrategy[Current | None] = currents,
) -> st.SearchStrategy[Question]:
    """Questions; a span that would end before it begins is turned round."""

    def turned(asked: Question) -> Question:
        since, until = asked.since, asked.until
        if since and until and until < since:
            return msgspec.structs.replace(asked, since=until, until=since)
        return asked

    return st.builds(Question, made, since, until, current).map(turned)


def paths(made: Sequence[Generation]) -> list[str | None]:
    return [
        str(generation.tool.path) if isinstance(generation.tool, Present) else None
        for generation in made
    ]


@many
@given(asked=questions(rows()), data=st.data())
def test_the_order_of_reading_does_not_matter(asked: Question, data: st.DataObject) -> None:
    shuffled = asked.of(data.draw(st.permutations(asked.made)))
    assert shuffled.ruling == asked.ruling


@many
@given(asked=questions(rows()), gap=gaps, data=st.data())
def test_what_cannot_be_read_any_more_never_makes_it_constant(
    asked: Question, gap: object, data: st.DataObject
) -> None:
    assume(asked.made)
    where = data.draw(st.integers(0, len(asked.made) - 1))
    worse = [*asked.made]
    worse[where] = msgspec.structs.replace(worse[where], tool=gap)
    assert asked.of(worse).verdict in {asked.verdict, Verdict.UNKNOWN}


@many
@given(asked=st.builds(Question, rows(), moments), gap=gaps, day=days, data=st.data())
def test_one_more_gap_never_makes_it_constant(
    asked: Question, gap: object, day: int, data: st.DataObject
) -> None:
    made = asked.made
    where = data.draw(st.integers(0, len(made)))
    number = made[where].number if where < len(made) else 99
    later = [msgspec.structs.replace(each, number=each.number + 1) for each in made[where:]]
    one_more = msgspec.structs.replace(generation(number, day, "-"), tool=gap)
    if asked.verdict is not Verdict.PASS:
        assert asked.of([*made[:where], one_more, *later]).verdict is not Verdict.PASS


@many
@given(asked=st.builds(Question, rows(sound=True), moments), data=st.data())
def test_a_deleted_generation_never_makes_it_constant(asked: Question, data: st.DataObject) -> None:
    made = asked.made
    assume(len(made) > 2)
    where = data.draw(st.integers(1, len(made) - 2))
    if asked.verdict is not Verdict.PASS:
        assert asked.of([*made[:where], *made[where + 1 :]]).verdict is not Verdict.PASS


@many
@given(asked=questions(rows(), since=some_moments, current=st.none()))
def test_constant_means_that_all_that_was_made_in_the_span_is_the_same(asked: Question) -> None:
    since, until = asked.since, asked.until
    assert since
    if asked.verdict is Verdict.PASS:
        inside = [
            generation
            for generation in asked.made
            if since < generation.made and (not until or generation.made <= until)
        ]
        assert any(generation.made <= since for generation in asked.made)
        assert len({*paths(inside)}) <= 1
        assert None not in paths(inside)


@many
@given(asked=questions(rows()))
def test_changed_means_that_two_tools_were_read(asked: Question) -> None:
    if asked.verdict is Verdict.FAIL:
        assert asked.since
        assert len({*paths(asked.made)} - {None}) > 1


@many
@given(asked=questions(rows(sound=True), since=some_moments, current=st.none()))
def test_of_sound_generations_what_is_ruled_is_what_was_in_force(asked: Question) -> None:
    """The oracle looks at every half of a day in the span by itself: no date is finer than that."""
    made, since, until = asked.made, asked.since, asked.until
    assert since
    ruled = asked.verdict
    span = [half for half in HALVES if since <= half and (not until or half <= until)]
    in_force = [[generation for generation in made if generation.made <= half] for half in span]
    known = {paths(some)[-1] for some in in_force if some}
    same_moment = len({generation.made for generation in made}) < len(made)
    if len(known) > 1:
        assert ruled is Verdict.FAIL
    elif not all(in_force):
        assert ruled is Verdict.UNKNOWN or same_moment
    else:
        assert ruled is Verdict.PASS or same_moment
