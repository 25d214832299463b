"""Judges whether a tool stayed the same over a host's generations, or which one changed it. Pure.

What is not known never counts as "the same": a generation that was deleted (a hole in the numbers),
garbage-collected, unreadable or without the tool makes the span that it lies in unknown. A change
that is seen is a change, whatever else is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import accumulate, pairwise, takewhile

import msgspec

from stamplab.harness.verdict import Verdict
from stamplab.lab.nixos.generations import (
    Absent,
    Current,
    Generation,
    Gone,
    Present,
    Profile,
    Reading,
    Unreadable,
)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to the profile, in order: generations made, deleted, switched to."""

    first: int
    last: int
    """The same number, except for a row of generations that were deleted."""
    made: datetime | None
    """None for deleted ones: their dates went with their links."""
    is_dated: bool
    """Whether the date agrees with all others: a higher number cannot be older."""
    tool: Reading
    is_switch: bool = False
    """Not made now, but switched back to."""

    @property
    def path(self) -> str | None:
        """The tool's store path, if it is known."""
        return str(self.tool.path) if isinstance(self.tool, Present) else None

    def __str__(self) -> str:
        """In words, for a sentence."""
        which = f"generation {self.first}"
        if self.last != self.first:
            which = f"generations {self.first} to {self.last}"
        elif self.made:
            which += f" ({'again from ' if self.is_switch else ''}{day(self.made)})"
        return which


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Two generations with different tools, and nothing known of the tool between them."""

    before: Step
    after: Step

    def __str__(self) -> str:
        """Which generation changed it, from what to what."""
        return f"{self.before} has {self.before.path}, {self.after} has {self.after.path}"


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the tool was the same throughout the span that was asked for."""

    verdict: Verdict
    """Pass: it was; fail: it changed in it; unknown: what would show it is not there."""
    sentence: str
    steps: tuple[Step, ...]
    changes: tuple[Change, ...]
    """All that is known, outside the span too."""


def day(when: datetime) -> str:
    """Say a date as precisely as generations are told apart by it."""
    return when.strftime("%Y-%m-%d %H:%M")


def judge_constancy(
    profile: Profile, since: datetime | None = None, until: datetime | None = None
) -> Ruling:
    """Judge the tool from ``since`` to ``until`` (None: now); without ``since``, how it is last.

    In force at ``since`` is the newest generation made by then. Numbers tell the order; where dates
    contradict it, their generations may lie on either side of a moment: they must be the same for
    the tool to be constant, and are a change in the span only if they are on either side.
    """
    steps = timeline(profile)
    span = _span(steps, since, until)
    verdict, sentence = _rule(span, since, until)
    return Ruling(verdict=verdict, sentence=sentence, steps=steps, changes=changes_in(steps))


def changes_in(steps: Sequence[Step]) -> tuple[Change, ...]:
    """Return where the tool became another one, as far as it is known."""
    known = [step for step in steps if step.path]
    return tuple(
        Change(before=before, after=after)
        for before, after in pairwise(known)
        if before.path != after.path
    )


def timeline(profile: Profile) -> tuple[Step, ...]:
    """Put all that is known of a profile in order: by number, the last switch at the end."""
    made = sorted(profile.generations, key=lambda one: one.number)
    switch = _switch(made, profile.current)
    dates = [one.made for one in made] + ([switch.made] if switch and switch.made else [])
    agrees = _agreeing(dates)
    steps = [
        Step(first=one.number, last=one.number, made=one.made, is_dated=dated, tool=one.tool)
        for one, dated in zip(made, agrees, strict=False)
    ]
    end = [msgspec.structs.replace(switch, is_dated=agrees[-1])] if switch else []
    return (*_with_holes(steps), *end)


def _agreeing(dates: Sequence[datetime]) -> list[bool]:
    """Say of each date whether none before it is newer, and none after it is older."""
    newest = accumulate(dates, max)
    oldest = [*accumulate(reversed(dates), min)][::-1]
    return [a <= date <= b for a, date, b in zip(newest, dates, oldest, strict=True)]


def _switch(made: Sequence[Generation], current: Current | None) -> Step | None:
    """Return the switch to a generation that is not the newest; making one switches to it."""
    if current is None or (made and made[-1].number == current.number):
        return None
    tools = {one.number: one.tool for one in made}
    lost = Gone("the profile points to it, but it has no link")
    return Step(
        first=current.number,
        last=current.number,
        made=current.switched,
        is_dated=True,
        tool=tools.get(current.number, lost),
        is_switch=True,
    )


def _with_holes(steps: Sequence[Step]) -> Iterator[Step]:
    """Numbers are given one by one, so one that is missing was a generation that was deleted."""
    for before, step in zip((None, *steps), steps, strict=False):
        if before and step.first > before.last + 1:
            yield Step(
                first=before.last + 1,
                last=step.first - 1,
                made=None,
                is_dated=False,
                tool=Gone("deleted: it has no link"),
            )
        yield step


class _Span(msgspec.Struct, frozen=True, kw_only=True):
    """The steps of the span that was asked for."""

    whole: tuple[Step, ...]
    """All that may have been in force in it."""
    certain: tuple[Step, ...]
    """All that must have been."""
    latest: tuple[Step, ...]
    """Those of which one was in force at its end."""
    earlier: tuple[Step, ...]
    is_covered: bool
    """Whether one of them is from before its beginning."""


def _span(steps: Sequence[Step], since: datetime | None, until: datetime | None) -> _Span:
    dated = [(index, step.made) for index, step in enumerate(steps) if step.is_dated and step.made]
    by_end = [index for index, made in dated if until is None or made <= until]
    last = len(steps) - 1 if until is None else max(by_end, default=-1)
    end = min((index for index, _ in dated if index > last), default=len(steps))
    by_start = [index for index, made in dated if since and made <= since]
    start = max(by_start, default=0)
    # Whatever has no sure date may be from before the span, except that the one directly before
    # the first that was made in the span was in force until then.
    inside = min((index for index, made in dated if since and made > since), default=last + 1)
    return _Span(
        whole=tuple(steps[start:end]),
        certain=tuple(steps[max(inside - 1, 0) : last + 1]),
        latest=tuple(steps[last:end]) if last >= 0 else (),
        earlier=tuple(steps[:start]),
        is_covered=bool(by_start),
    )


def _rule(span: _Span, since: datetime | None, until: datetime | None) -> tuple[Verdict, str]:
    changes = changes_in(span.certain) if since else ()
    end = day(until) if until else "now"
    if since and changes:
        during = f"changed between {day(since)} and {end}"
        return Verdict.FAIL, f"{during}: {'; '.join(map(str, changes))}"
    if doubt := _doubt(span, since, until):
        return Verdict.UNKNOWN, f"unknown: {doubt}"
    steps = (*span.earlier, *span.whole)
    asked = f"; so it is the same from {day(since)} to {end}" if since else ""
    return Verdict.PASS, _constant(steps) + asked


def _doubt(span: _Span, since: datetime | None, until: datetime | None) -> str:
    """Say why the evidence is not complete; nothing if it is."""
    asked = span.whole if since else span.latest
    gaps = [f"{step}: {describe(step.tool)}" for step in asked if step.path is None]
    if not asked:
        return f"there is no generation{f' of {day(until)} or before' if until else ''}"
    if gaps:
        return "; ".join(gaps)
    if since and not span.is_covered:
        return f"nothing is known of {day(since)}: the oldest that is known is {span.whole[0]}"
    if len({step.path for step in asked}) > 1:
        unsure = ", ".join(str(step) for step in asked if not step.is_dated)
        return f"it changed, but when is not known, for dates contradict the numbers: {unsure}"
    return ""


def _constant(steps: Sequence[Step]) -> str:
    """Say since when it has been what it is at the end of these steps."""
    path = steps[-1].path
    run = list(takewhile(lambda step: step.path == path, reversed(steps)))
    before = steps[: -len(run)]
    count = len({step.first for step in run})
    older = f"before it, {before[-1]}: {describe(before[-1].tool)}" if before else "none is older"
    return (
        f"constant since {run[-1]}: the same store path in {count} "
        f"generation{'' if count == 1 else 's'}, {path}; {older}"
    )


def describe(tool: Reading) -> str:
    """Say what was read, in a few words."""
    match tool:
        case Present(path=path):
            return str(path)
        case Absent():
            return "the tool is absent"
        case Gone(why=why):
            return f"gone ({why})"
        case Unreadable(why=why):
            return f"unreadable ({why})"
