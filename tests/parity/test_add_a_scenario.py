"""docs/add-a-scenario.md works: the file that it shows, played in both worlds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stamplab.harness.verdict import Verdict
from stamplab.lab.live.lab import Apparatus
from stamplab.runner.bug_reports.table import CONTROL_WATCH_S, ReportRow, play_reports
from stamplab.runner.bug_reports.text import conclusion
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.worlds import Live, Means, Virtual
from stamplab.scenarios.bug_reports.registry import find
from stamplab.scenarios.bug_reports.report import BugReport

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "add-a-scenario.md").read_text()
LINES_AT_MOST = 15


@pytest.fixture(scope="module")
def code() -> str:
    (block,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    return str(block)


@pytest.fixture(scope="module")
def report(code: str) -> BugReport:
    """The scenario that the document's code makes."""
    made: dict[str, object] = {}
    exec(compile(code, "docs/add-a-scenario.md", "exec"), made)  # noqa: S102 - our own document
    assert isinstance(made["REPORT"], BugReport)
    return made["REPORT"]


def played(means: Means, folder: Path, report: BugReport, watch_s: float) -> ReportRow:
    evidence = EvidenceFolder.create(folder, "bug-reports")
    (row,) = play_reports([report], means, evidence, 2, lambda _: None, watch_s)
    return row


def assert_as_the_document_says(row: ReportRow) -> None:
    assert row.verdict is Verdict.PASS, conclusion(row)
    assert row.result is not None
    assert row.result.reproduced
    assert row.control is not None
    assert (row.control.verdict, row.control.reproduced) == (Verdict.PASS, False)
    (missing,) = row.control.missing
    assert missing.startswith("«in truth it is not running» (seen: deployed: ")
    (deploy,) = row.deploys
    assert "1 of 2 tasks of its spec run" in deploy.truth_reason


def test_the_document_shows_a_whole_file_of_the_project(code: str) -> None:
    (name,) = set(re.findall(r"`(scenarios/bug_reports/\w+\.py)`, all of it", DOCUMENT))
    assert (ROOT / name).read_text() == code
    assert len(code.splitlines()) <= LINES_AT_MOST


def test_the_file_is_found_without_being_listed_anywhere(report: BugReport) -> None:
    assert find(report.name).title == report.title
    for command in re.findall(r"^\./run run (\S+) ", DOCUMENT, re.MULTILINE):
        assert find(command).name == report.name


def test_in_virtual_time(report: BugReport, virtual: Virtual, tmp_path: Path) -> None:
    row = played(virtual, tmp_path, report, 60.0)
    assert_as_the_document_says(row)
    for line in re.findall(r"^    truth:  (.*)$", DOCUMENT, re.MULTILINE):
        outcome, _, reason = line.partition(": ")
        assert outcome == row.deploys[0].truth
        assert reason.startswith("the update state is completed")


@pytest.mark.live
def test_on_a_real_engine(report: BugReport, apparatus: Apparatus, tmp_path: Path) -> None:
    row = played(Live(apparatus), tmp_path, report, CONTROL_WATCH_S)
    assert_as_the_document_says(row)
    client = row.deploys[0].client
    assert client is not None
    assert row.deploys[0].command is not None
    assert row.deploys[0].command.exit_code != 0
