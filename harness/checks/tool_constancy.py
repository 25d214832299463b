"""Judges whether a tool stayed the same over a host's generations. Pure.

Missing evidence never counts as "the same": a generation that was deleted (a gap in the numbers),
garbage-collected, unreadable or without the tool makes the span around it unknown. A change that is
seen is a change, whatever else is missing.
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
    ToolReading,
    Unreadable,
)


class ProfileEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the profile: generations were made, deleted, or switched to."""

    first: int
    last: int
    """The same number as `first`, except for consecutive generations that were deleted."""
    made: datetime | None
    """The time of the event; None for deleted generations, whose links had the dates."""
    is_dated: bool
    """Whether the date agrees with all other dates: a higher number cannot be older."""
    tool: ToolReading
    is_switch: bool = False
    """Whether the generation was switched back to, and not made."""

    @property
    def path(self) -> str | None:
        """The tool's store path; None where it is not known."""
        return str(self.tool.path) if isinstance(self.tool, Present) else None

    def __str__(self) -> str:
        """Return the event as a noun phrase."""
        which = f"generation {self.first}"
        if self.last != self.first:
            which = f"generations {self.first} to {self.last}"
        elif self.made:
            which += f" ({'again from ' if self.is_switch else ''}{day(self.made)})"
        return which


class ToolChange(msgspec.Struct, frozen=True, kw_only=True):
    """Two generations with different tools, between which no tool is known."""

    before: ProfileEvent
    after: ProfileEvent

    def __str__(self) -> str:
        """Return the generations and their tools, as a clause."""
        return f"{self.before} has {self.before.path}, {self.after} has {self.after.path}"


class ToolRuling(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on a tool over a span of time, with the evidence."""

    verdict: Verdict
    """Pass: the tool was the same; fail: it changed; unknown: evidence is missing."""
    sentence: str
    steps: tuple[ProfileEvent, ...]
    changes: tuple[ToolChange, ...]
    """All known changes, outside of the span too."""


def day(when: datetime) -> str:
    """Return a date to the minute."""
    return when.strftime("%Y-%m-%d %H:%M")


def judge_constancy(
    profile: Profile, since: datetime | None = None, until: datetime | None = None
) -> ToolRuling:
    """Judge the tool from ``since`` to ``until`` (None: now); without ``since`` at ``until`` alone.

    In force at ``since`` is the newest generation made by then. Numbers give the order. Where a
    date contradicts its number, the generation may lie on either side of a moment: it must have the
    same tool for the tool to be constant, and it is a change in the span only if it lies there in
    either case.
    """
    steps = timeline(profile)
    span = _span(steps, since, until)
    verdict, sentence = _rule(span, since, until)
    return ToolRuling(verdict=verdict, sentence=sentence, steps=steps, changes=changes_in(steps))


def changes_in(steps: Sequence[ProfileEvent]) -> tuple[ToolChange, ...]:
    """Return all changes of the tool that are known."""
    known = [step for step in steps if step.path]
    return tuple(
        ToolChange(before=before, after=after)
        for before, after in pairwise(known)
        if before.path != after.path
    )


def timeline(profile: Profile) -> tuple[ProfileEvent, ...]:
    """Return a profile's events in order: by number, the last switch at the end."""
    made = sorted(profile.generations, key=lambda generation: generation.number)
    switch = _switch(made, profile.current)
    dates = [generation.made for generation in made]
    if switch and switch.made:
        dates.append(switch.made)
    agrees = _agreeing(dates)
    steps = [
        ProfileEvent(
            first=each.number, last=each.number, made=each.made, is_dated=dated, tool=each.tool
        )
        for each, dated in zip(made, agrees, strict=False)
    ]
    end = [msgspec.structs.replace(switch, is_dated=agrees[-1])] if switch else []
    return (*_with_holes(steps), *end)


def _agreeing(dates: Sequence[datetime]) -> list[bool]:
    """Return for each date whether no date before it is newer, and none after it older."""
    newest = accumulate(dates, max)
    oldest = [*accumulate(reversed(dates), min)][::-1]
    return [a <= date <= b for a, date, b in zip(newest, dates, oldest, strict=True)]


def _switch(made: Sequence[Generation], current: Current | None) -> ProfileEvent | None:
    """Return the switch to a generation that is not the newest, if there was one."""
    if current is None or (made and made[-1].number == current.number):
        return None
    tools = {generation.number: generation.tool for generation in made}
    lost = Gone("the profile points to it, but it has no link")
    return ProfileEvent(
        first=current.number,
        last=current.number,
        made=current.switched,
        is_dated=True,
        tool=tools.get(current.number, lost),
        is_switch=True,
    )


def _with_holes(steps: Sequence[ProfileEvent]) -> Iterator[ProfileEvent]:
    """Add the deleted generations: numbers are given one by one, so a missing one was deleted."""
    for before, step in zip((None, *steps), steps, strict=False):
        if before and step.first > before.last + 1:
            yield ProfileEvent(
                first=before.last + 1,
                last=step.first - 1,
                # The numbers are the order; a hole is a gap (ADR 0016).
                made=None,
                is_dated=False,
                tool=Gone("deleted: it has no link"),
            )
        yield step


class _Span(msgspec.Struct, frozen=True, kw_only=True):
    """The events of a span of time."""

    whole: tuple[ProfileEvent, ...]
    """Events that may have been in force in the span."""
    certain: tuple[ProfileEvent, ...]
    """Events that must have been in force in the span."""
    latest: tuple[ProfileEvent, ...]
    """Events of which one was in force at the span's end."""
    earlier: tuple[ProfileEvent, ...]
    is_covered: bool
    """Whether the tool at the span's beginning is known."""


def _span(steps: Sequence[ProfileEvent], since: datetime | None, until: datetime | None) -> _Span:
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
    """Return why the evidence is not complete; empty if it is."""
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


def _constant(steps: Sequence[ProfileEvent]) -> str:
    """Return since when the tool has been the last event's tool."""
    path = steps[-1].path
    run = list(takewhile(lambda step: step.path == path, reversed(steps)))
    before = steps[: -len(run)]
    count = len({step.first for step in run})
    older = f"before it, {before[-1]}: {describe(before[-1].tool)}" if before else "none is older"
    return (
        f"constant since {run[-1]}: the same store path in {count} "
        f"generation{'' if count == 1 else 's'}, {path}; {older}"
    )


def describe(tool: ToolReading) -> str:
    """Return a reading in a few words."""
    match tool:
        case Present(path=path):
            return str(path)
        case Absent():
            return "the tool is absent"
        case Gone(why=why):
            return f"gone ({why})"
        case Unreadable(why=why):
            return f"unreadable ({why})"
