"""Plays side by side: how many, which ones not, and what is heard of their ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import msgspec
import pytest

from stamplab.lab.errors import LabError
from stamplab.lab.model.service_request import ServiceRequest
from stamplab.lab.world import World
from stamplab.runner.bug_reports.player import BugReportPlayer, Waiting
from stamplab.runner.bug_reports.side_by_side import play_side_by_side
from stamplab.scenarios.bug_reports.report import BugReport
from stamplab.scenarios.bug_reports.step import Create
from tests.unit.stamplab.bug_reports.made import report

Ends = list[tuple[str, str]]


class _Clock:
    """A world in which nothing happens but that time passes."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def now_s(self) -> float:
        return self._now_s

    def next(self, until_s: float) -> None:
        self._now_s = until_s


class _Playing(msgspec.Struct):
    """A play that takes some seconds, and tells when it runs."""

    report: BugReport
    clock: _Clock
    lasts_s: float
    ran: list[tuple[str, float, float]]
    error: str = ""

    def run(self) -> Waiting:
        began_s = self.clock.now_s()
        while self.clock.now_s() < began_s + self.lasts_s:
            yield began_s + self.lasts_s
        self.ran.append((self.report.name, began_s, self.clock.now_s()))
        if self.error:
            raise LabError(self.error)


def sized(name: str, reserve_share: float = 0.0) -> BugReport:
    request = ServiceRequest(reserve_share=reserve_share)
    return report(name=name, steps=(Create(request=request),))


def conducted(
    make: Callable[[_Clock, list[tuple[str, float, float]]], list[_Playing]], at_once: int
) -> tuple[list[tuple[str, float, float]], Ends]:
    clock, ran, ends = _Clock(), list[tuple[str, float, float]](), Ends()
    play_side_by_side(
        cast("World", clock),
        cast("list[BugReportPlayer]", make(clock, ran)),
        at_once,
        lambda play, error: ends.append((play.report.name, str(error or ""))),
    )
    return ran, ends


@pytest.mark.parametrize(("at_once", "begins"), [(1, [0, 1, 2]), (2, [0, 0, 1]), (9, [0, 0, 0])])
def test_no_more_than_so_many_are_played_at_once(at_once: int, begins: list[float]) -> None:
    ran, _ = conducted(
        lambda clock, ran: [_Playing(sized(name), clock, 1.0, ran) for name in "abc"], at_once
    )
    assert [began_s for _, began_s, _ in sorted(ran)] == begins


def test_two_that_fill_the_node_are_played_one_by_one_and_others_beside_them() -> None:
    shares = {"a": 0.6, "b": 0.6, "c": 0.0}
    ran, ends = conducted(
        lambda clock, ran: [
            _Playing(sized(name, share), clock, 1.0, ran) for name, share in shares.items()
        ],
        at_once=9,
    )
    assert sorted(ran) == [("a", 0, 1), ("b", 1, 2), ("c", 0, 1)]
    assert sorted(ends) == [("a", ""), ("b", ""), ("c", "")]


def test_one_that_fails_does_not_end_the_others() -> None:
    _, ends = conducted(
        lambda clock, ran: [
            _Playing(sized("a"), clock, 1.0, ran, "it broke"),
            _Playing(sized("b"), clock, 2.0, ran),
        ],
        at_once=2,
    )
    assert ends == [("a", "it broke"), ("b", "")]
