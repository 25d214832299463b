"""The public record in both worlds: as it must be on each, by the same shape, the guard right.

The whole of it in virtual time; live a few in the quick suite, watched for less than a minute, and
all of them with ``--deep``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stamplab.harness.verdict import Verdict
from stamplab.lab.live.lab import Apparatus, live_lab
from stamplab.lab.model.service_request import ServiceRequest
from stamplab.lab.model.swarm import STACK_LABEL
from stamplab.runner.bug_reports.deployer import LiveDeployer
from stamplab.runner.bug_reports.table import ReportRow, play_reports
from stamplab.runner.bug_reports.text import conclusion
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.worlds import Live, Means, Virtual
from stamplab.scenarios.bug_reports.registry import REPORTS_BY_NAME, find
from stamplab.scenarios.bug_reports.report import BugReport
from stamplab.scenarios.bug_reports.step import Create

AT_ONCE = 9
QUICK = ("label-only", "healthy-task-is-gone", "paused-and-serving")
QUICK_WATCH_S = 22.0
"""Longer than what counts as steady, and all that the three cost."""


def rows_of(
    means: Means, folder: Path, *entries: BugReport, **how: float
) -> Mapping[str, ReportRow]:
    evidence = EvidenceFolder.create(folder, "bug-reports")
    return {
        row.name: row
        for row in play_reports(entries, means, evidence, AT_ONCE, lambda _: None, **how)
    }


@pytest.mark.parametrize("name", REPORTS_BY_NAME)
def test_in_virtual_time(name: str, virtual: Virtual, tmp_path: Path) -> None:
    row = rows_of(virtual, tmp_path, REPORTS_BY_NAME[name])[name]
    assert row.verdict is Verdict.PASS, conclusion(row)
    assert all(deploy.client is None for deploy in row.deploys)


@pytest.mark.live
def test_on_a_real_engine_with_its_own_client(apparatus: Apparatus, tmp_path: Path) -> None:
    rows = rows_of(Live(apparatus), tmp_path, *map(find, QUICK), watch_s=QUICK_WATCH_S)
    assert {name: row.verdict for name, row in rows.items()} == dict.fromkeys(QUICK, Verdict.PASS)
    clients = {name: row.deploys[-1].client for name, row in rows.items()}
    codes = {name: client.exit_code for name, client in clients.items() if client is not None}
    # The second was rolled back: the client's 0 is what the record is about.
    assert codes == {"label-only": 0, "healthy-task-is-gone": 0, "paused-and-serving": 1}
    guards = {name: row.deploys[-1].command for name, row in rows.items()}
    codes = {name: guard.exit_code for name, guard in guards.items() if guard is not None}
    assert codes == {"label-only": 0, "healthy-task-is-gone": 10, "paused-and-serving": 11}


@pytest.fixture(scope="module")
def live_rows(
    apparatus: Apparatus, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, ReportRow]:
    """All of it, in one lab."""
    return rows_of(Live(apparatus), tmp_path_factory.mktemp("record"), *REPORTS_BY_NAME.values())


@pytest.mark.live
@pytest.mark.deep
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", REPORTS_BY_NAME)
def test_all_on_a_real_engine(name: str, live_rows: Mapping[str, ReportRow]) -> None:
    row = live_rows[name]
    assert row.verdict is Verdict.PASS, conclusion(row)


@pytest.mark.live
def test_the_client_sends_what_the_virtual_world_gets(apparatus: Apparatus, tmp_path: Path) -> None:
    wanted = [
        step.request
        for entry in REPORTS_BY_NAME.values()
        for step in entry.steps
        if isinstance(step, Create)
    ]
    with live_lab(apparatus, tmp_path, "web", 8080) as world:
        operator = LiveDeployer(world, apparatus.image)
        memory_bytes = world.daemon.api.info()["MemTotal"]
        seen: dict[str, Any] = {}
        for number, request in enumerate(wanted):
            operator.deploy(f"n{number}", None, request)
        deadline_s = world.now_s() + 60
        while len(seen) < len(wanted) and world.now_s() < deadline_s:
            world.next(world.now_s() + 0.2)
            seen = {spec["Name"]: spec for spec in specs_in(world.daemon.api.services())}
        for number in range(len(wanted)):
            operator.give_up(f"n{number}")
    for number, request in enumerate(wanted):
        stack = f"n{number}"
        given = msgspec.json.decode(request.spec_json(stack, apparatus.image, memory_bytes))
        assert plain(seen[request.named(stack)]) == plain(given), request


def specs_in(services: Any) -> list[Any]:
    return [request["Spec"] for request in services if STACK_LABEL in request["Spec"]["Labels"]]


DEFAULTS = {
    "Isolation": "default",
    "Runtime": "container",
    "StopGracePeriod": 10_000_000_000,
    "MaxFailureRatio": 0,
    "MaxAttempts": 0,
    "ForceUpdate": 0,
    "Delay": 0,
    "Init": False,
}
"""What the client or the engine writes out, though nobody said it."""


def plain(value: Any) -> Any:
    """A spec without what is empty, or is the default."""
    if not isinstance(value, dict):
        return value
    kept = {key: plain(part) for key, part in value.items() if DEFAULTS.get(key) != part}
    return {key: part for key, part in kept.items() if part not in ({}, None)}


def test_what_is_plain_still_differs_where_it_matters() -> None:
    request = msgspec.json.decode(ServiceRequest().spec_json("a", "app:1", 1))
    other = msgspec.json.decode(ServiceRequest(stop_grace_s=1.0).spec_json("a", "app:1", 1))
    assert plain(request) != plain(other)
