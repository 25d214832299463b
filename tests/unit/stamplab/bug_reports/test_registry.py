"""Every entry is whole, and is found by what people call it."""

from __future__ import annotations

import re

import pytest

from stamplab.lab.errors import UsageError
from stamplab.lab.model.service_request import ServiceRequest
from stamplab.scenarios.bug_reports.registry import REPORTS_BY_NAME, find
from stamplab.scenarios.bug_reports.report import BugReport
from stamplab.scenarios.bug_reports.step import Create, Deploy, describe
from stamplab.scenarios.stamping.variants import EXPERIMENTS

WANTED = [
    "docker/cli#6752",
    "moby#43081",
    "moby#34111",
    "moby#37972",
    "moby#29012",
    "moby#38520",
    "moby#53722",
    "docker/cli#663",
    "docker/cli#595",
    "docker/cli#5299",
    "D1",
    "D2",
    "D3",
    "D4",
]


@pytest.mark.parametrize("report", WANTED)
def test_a_report_is_found_by_its_name_and_by_its_number(report: str) -> None:
    entry = find(report)
    assert find(report.lower()) is entry
    if "#" in report:
        assert find(report.rpartition("#")[2]) is entry


def test_what_is_not_there_is_said() -> None:
    with pytest.raises(UsageError, match="no bug report is called '4711'"):
        find("4711")


def test_a_number_that_several_trackers_have_is_asked_back() -> None:
    with pytest.raises(UsageError, match="may be any of: docker-stack-wait#6"):
        find("6")


def test_no_name_means_two_entries_and_none_is_a_stamping_experiments() -> None:
    names = [
        name.lower()
        for entry in REPORTS_BY_NAME.values()
        for name in entry.names
        if not name.isdigit()
    ]
    assert len(names) == len(set(names))
    assert not set(names) & set(EXPERIMENTS)


@pytest.mark.parametrize("entry", REPORTS_BY_NAME.values(), ids=lambda entry: entry.name)
def test_an_entry_is_whole(entry: BugReport) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", entry.name)
    assert entry.signature
    is_public = "#" in entry.source
    assert entry.shape is not None or "virtual" in entry.not_in or not is_public
    assert entry.title
    assert not is_public or (entry.seen and entry.expected)
    judged = [
        step
        for step in entry.steps
        if isinstance(step, Deploy) or (isinstance(step, Create) and step.judged)
    ]
    assert judged
    if "#" in entry.source:
        assert entry.url.endswith(f"/issues/{entry.source.rpartition('#')[2]}")
    assert all(why for why in entry.not_in.values())


@pytest.mark.parametrize("report", REPORTS_BY_NAME.values(), ids=lambda report: report.name)
def test_every_deploy_of_a_report_and_of_its_control_can_be_made(report: BugReport) -> None:
    control = report.as_control
    for steps in (report.steps, control.steps if control else ()):
        present: dict[str, ServiceRequest] = {}
        for step in steps:
            assert describe(step)
            match step:
                case Create(request=request):
                    assert request.create_command(report.name, "app:1", 1 << 30)
                    present[request.name] = request
                case Deploy(request=request):
                    before = present[request.name]
                    assert request.update_command(before, report.name, "app:1", 1 << 30)
                    present[request.name] = request
                case _:
                    pass


@pytest.mark.parametrize("report", REPORTS_BY_NAME.values(), ids=lambda report: report.name)
def test_a_report_has_a_control_with_other_steps_or_a_reason(report: BugReport) -> None:
    assert report.control
    assert report.control != report.steps
    control = report.as_control
    assert (control is None) is isinstance(report.control, str)
    if control is not None:
        assert control.name == f"{report.name}-control"
        assert (control.signature, control.timeout_s) == (report.signature, report.timeout_s)
