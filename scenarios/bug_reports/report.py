"""A public bug report as a value: its source, its steps in our words, and what it is known by."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from stamplab.harness.checks.shape import Shape
from stamplab.scenarios.bug_reports.results import BugReportPlay
from stamplab.scenarios.bug_reports.step import Create, Deploy, Step

_REPOSITORIES = {
    "moby": "moby/moby",
    "portainer": "portainer/portainer",
    "docker-stack-wait": "sudo-bmitch/docker-stack-wait",
    "shepherd": "containrrr/shepherd",
}
"""What people call them, where that is not their whole name."""
VIRTUAL_ENGINE = "28.5"
"""The docker engine that vendors the SwarmKit of the virtual world."""


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """One part of what a report is recognised by."""

    text: str
    holds: Callable[[BugReportPlay], bool | None]
    """None where this world has nothing to see it by."""
    seen: Callable[[BugReportPlay], str]
    """What was seen in its place, in a word or two."""

    def missing_in(self, play: BugReportPlay) -> str:
        """Say that the sign is missing, and what was seen instead."""
        return f"«{self.text}» (seen: {self.seen(play)})"


class BugReport(msgspec.Struct, frozen=True, kw_only=True):
    """A public bug report, or one of our own findings, as a scenario."""

    name: str
    source: str
    """As people write it: ``moby#43081``; or where it was found first."""
    title: str
    variant: str = ""
    """What tells it from the report that goes by its source alone, e.g. ``control``."""
    also: tuple[str, ...] = ()
    """Other reports of the same."""
    seen: str = ""
    """What the reporter saw."""
    expected: str = ""
    """What one would expect, or what is to be expected of a waiter."""
    steps: tuple[Step, ...]
    signature: tuple[Sign, ...]
    """The report counts as reproduced if all of these hold, and by nothing less."""
    control: tuple[Step, ...] | str
    """Steps that must *not* reproduce it; or why engines leave no such steps."""
    fixed_in: str = ""
    """The engine from which on it must not reproduce; empty: it must on every engine."""
    not_in: dict[str, str] = {}
    """Worlds that cannot show it, and why."""
    shape: Shape | None = None
    """What the history of the last deploy's service must come to, in every world."""
    breaks_late: bool = False
    """Whether what is rightly called deployed breaks later: no guard knows the future."""
    timeout_s: float = 40.0
    """How long the guard waits for each deploy."""

    def must_reproduce(self, world: str, engine: str) -> bool:
        """Whether it must be seen there; else it must not."""
        if not self.fixed_in:
            return True
        played = VIRTUAL_ENGINE if world == "virtual" else engine
        return version_of(played) < version_of(self.fixed_in)

    @property
    def as_control(self) -> BugReport | None:
        """The same report with its control's steps; None where there is none."""
        if isinstance(self.control, str):
            return None
        return msgspec.structs.replace(
            self, name=f"{self.name}-control", steps=self.control, shape=None
        )

    @property
    def plays(self) -> tuple[BugReport, ...]:
        """The report itself and its control, if there is one."""
        control = self.as_control
        return (self, control) if control else (self,)

    @property
    def fills_node(self) -> bool:
        """Whether its services reserve memory, so that no other such report fits beside it."""
        return any(
            step.request.reserve_share > 0
            for step in self.steps
            if isinstance(step, Create | Deploy)
        )

    @property
    def url(self) -> str:
        """Where the report is to be read; empty for what nobody has reported."""
        repository, is_report, number = self.source.partition("#")
        if not is_report:
            return ""
        return f"https://github.com/{_REPOSITORIES.get(repository, repository)}/issues/{number}"

    @property
    def label(self) -> str:
        """Its source, and what tells it from others of the same source."""
        return f"{self.source} ({self.variant})" if self.variant else self.source

    @property
    def names(self) -> tuple[str, ...]:
        """All that it may be called by: its name, its reports, their bare numbers."""
        if self.variant:
            return (self.name,)
        reports = (self.source, *self.also)
        numbers = [report.rpartition("#")[2] for report in reports if "#" in report]
        return (self.name, *reports, *numbers)


def version_of(engine: str) -> tuple[int, ...]:
    """Return the numbers at the beginning of an engine's version."""
    numbers = re.match(r"\d+(\.\d+)*", engine)
    return tuple(map(int, numbers.group().split("."))) if numbers else ()
