"""What a gap may hide: every kind of update in it, told by the service's own past, or not."""

from __future__ import annotations

import msgspec
import pytest

from stamplab.harness.guard import Baseline
from stamplab.lab.model.swarm import Service
from tests.builders import BASE, HEAD, NAME, RELABELLED, THIRD, service, status

LONG_S = 30.0
SHORT_S = 2.0
STALE = status("completed", "t0")


def at(version: int, what: Service) -> Service:
    return msgspec.structs.replace(what, version=version)


BEFORE = at(1, service(BASE, THIRD, STALE))
BASELINE = Baseline(name=NAME, service=BEFORE)
BEGUN = at(2, service(HEAD, BASE, "updating"))


TELLS_ITSELF = {
    "removed": None,
    "nothing written": BEFORE,
    "engine's own writes": at(5, service(BASE, THIRD, STALE)),
    "rolled back": at(5, service(BASE, None, "rollback_completed")),
    "rolling back": at(5, service(BASE, None, "rollback_started")),
    "another's before ours": at(5, service(HEAD, THIRD, "completed")),
    "another's after ours": at(5, service(THIRD, HEAD, "completed")),
    "base deployed again": at(5, service(BASE, HEAD, "completed")),
    "deployed twice": at(5, service(HEAD, HEAD)),
    "created anew": at(5, service(HEAD, BASE, "completed", service_id="another")),
}


@pytest.mark.parametrize("after", TELLS_ITSELF)
def test_what_tells_itself_is_not_hidden(after: str) -> None:
    assert BASELINE.hidden_by_gap(BEFORE, TELLS_ITSELF[after], LONG_S) is None


@pytest.mark.parametrize(
    "after",
    [
        service(HEAD, BASE, "completed"),
        service(HEAD, BASE, "updating"),
        service(HEAD, BASE, "paused"),
        service(HEAD, BASE),
        service(RELABELLED, BASE),
        service(BASE, BASE),
        service(THIRD, BASE, "completed"),
    ],
)
def test_an_update_over_the_baseline_that_began_unseen_may_be_anothers(after: Service) -> None:
    words = BASELINE.hidden_by_gap(BEFORE, at(5, after), LONG_S)
    assert words is not None
    assert words.startswith("for 30.0 s nothing was seen of shop_app")
    assert BASELINE.hidden_by_gap(BEFORE, at(5, after), SHORT_S) is None


@pytest.mark.parametrize(
    "after",
    [
        service(HEAD, BASE, "completed"),
        service(HEAD, BASE, "paused"),
        service(HEAD, BASE),
        service(HEAD, BASE, status("completed", "t2")),
        service(BASE, None, "rollback_completed"),
    ],
)
def test_once_its_beginning_was_seen_an_update_is_told_by_it(after: Service) -> None:
    assert BASELINE.hidden_by_gap(BEGUN, at(5, after), LONG_S) is None


def test_a_service_that_was_created_tells_all_by_itself() -> None:
    created = Baseline(name=NAME, service=None)
    assert created.hidden_by_gap(None, service(HEAD), LONG_S) is None
    assert created.hidden_by_gap(None, service(THIRD, HEAD, "completed"), LONG_S) is None


def test_an_update_of_a_created_service_has_a_previous_spec_and_is_foreign_by_it() -> None:
    created = Baseline(name=NAME, service=None)
    before = at(1, service(HEAD))
    assert created.hidden_by_gap(before, at(5, service(THIRD, HEAD, "completed")), LONG_S) is None
