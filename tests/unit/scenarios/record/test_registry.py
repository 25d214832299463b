"""Every entry is whole, and is found by what people call it."""

from __future__ import annotations

import re

import pytest
from scenarios.record.entry import Entry
from scenarios.record.registry import ENTRIES, find
from scenarios.record.step import Create, Deploy

from lab.errors import UsageError
from scenarios.stamping.variants import EXPERIMENTS

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
    with pytest.raises(UsageError, match="nothing in the record is called '4711'"):
        find("4711")


def test_a_number_that_several_trackers_have_is_asked_back() -> None:
    with pytest.raises(UsageError, match="may be any of: moby#28012"):
        find("6")


def test_no_name_means_two_entries_and_none_is_a_stamping_experiments() -> None:
    names = [
        name.lower() for entry in ENTRIES.values() for name in entry.names if not name.isdigit()
    ]
    assert len(names) == len(set(names))
    assert not set(names) & set(EXPERIMENTS)


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=lambda entry: entry.name)
def test_an_entry_is_whole(entry: Entry) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", entry.name)
    assert entry.signature
    assert entry.shape is not None or "virtual" in entry.not_in
    assert all((entry.title, entry.seen, entry.expected))
    judged = [
        step
        for step in entry.steps
        if isinstance(step, Deploy) or (isinstance(step, Create) and step.judged)
    ]
    assert judged
    if "#" in entry.source:
        assert entry.url.endswith(f"/issues/{entry.source.rpartition('#')[2]}")
    assert all(why for why in entry.not_in.values())
