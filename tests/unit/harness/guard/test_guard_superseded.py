"""Somebody else's update came in between: nothing can be said of this one any more."""

from __future__ import annotations

import pytest

from stamplab.harness.guard import Outcome
from stamplab.lab.model.swarm import Service, ServiceSpec, UpdateStatus
from tests.builders import (
    BASE,
    HEAD,
    RELABELLED,
    STAMP,
    THIRD,
    Story,
    deployed,
    listed,
    seen,
    service,
    spec,
    status,
)
from tests.unit.harness.watching import BEFORE, NEW, OLD, outcome, redeployed, rule, upgrade

BY_HAND = "manually requested rollback"
"""SwarmKit controlapi/service.go:905; it stands only until that rollback is over."""

NEITHER = "the spec is neither the deploy's nor the one before it"
NOT_OURS = "PreviousSpec is not the spec from before the deploy"
STARTED = "another update was started meanwhile"
CLEARED = "the update status was cleared: the service was updated again"
HAND = "somebody rolled back by hand: a swarm's own rollback keeps no PreviousSpec"
BACK = "the spec from before the deploy was deployed again"
ANEW = "the service was removed and created anew"
OTHER_UPDATES: dict[str, tuple[Service, str]] = {
    "a third spec": (service(THIRD, HEAD), NEITHER),
    "a third spec whose PreviousSpec went unseen": (service(THIRD, BASE, "updating"), NEITHER),
    "head with other labels": (service(spec("head", stamp="re-stamped"), HEAD), NEITHER),
    "head with other replicas": (service(spec("head", replicas=2), HEAD), NEITHER),
    "a PreviousSpec that is not the base": (service(HEAD, THIRD, "updating"), NOT_OURS),
    "the same spec deployed again": (service(HEAD, HEAD), NOT_OURS),
    "the same spec deployed again and completed": (
        service(HEAD, HEAD, status("completed", "t2")),
        STARTED,
    ),
    "another start": (service(HEAD, BASE, status("updating", "t2")), STARTED),
    "another start that completed": (service(HEAD, BASE, status("completed", "t2")), STARTED),
    "another start that was rolled back": (
        service(BASE, None, status("rollback_completed", "t2")),
        STARTED,
    ),
    "the status cleared": (service(HEAD, BASE), CLEARED),
    "a rollback by hand": (
        service(BASE, HEAD, status("rollback_started", "t2", message=BY_HAND)),
        HAND,
    ),
    "a rollback by hand that is over": (
        service(BASE, HEAD, status("rollback_completed", "t2")),
        HAND,
    ),
    "the base deployed again": (service(BASE, HEAD), BACK),
    "the service made anew": (service(HEAD, service_id="service2"), ANEW),
    "the service made anew with the base": (service(BASE, service_id="service2"), ANEW),
}


@pytest.mark.parametrize("other_update", OTHER_UPDATES)
def test_superseded_by(other_update: str) -> None:
    then, because = OTHER_UPDATES[other_update]
    ruling = rule(BEFORE, upgrade((7, seen(then))), labels={STAMP: "head"})
    assert (ruling.outcome, ruling.decided_s) == (Outcome.SUPERSEDED, 7)
    assert ruling.reason == f"another update came in between: {because}"
    assert ruling.other_update == ("rollback by hand" if because == HAND else "another")


@pytest.mark.parametrize("other_update", OTHER_UPDATES)
def test_superseded_though_head_ran_all_the_time(other_update: str) -> None:
    then, _ = OTHER_UPDATES[other_update]
    end = (60, seen(service(HEAD, BASE, "completed")))
    story = upgrade((2, listed(OLD, NEW)), (7, seen(then)), end)
    assert outcome(BEFORE, story) is Outcome.SUPERSEDED


def test_another_update_between_the_baseline_and_the_deploy_shows_in_the_previous_spec() -> None:
    story = Story((0, seen(BEFORE)), (1, deployed()), (1, seen(service(HEAD, THIRD, "updating"))))
    assert outcome(BEFORE, story) is Outcome.SUPERSEDED


def test_another_update_seen_before_the_deploy_takes_effect() -> None:
    story = Story((0, seen(BEFORE)), (1, seen(service(THIRD, BASE))), (2, deployed()))
    story.at(2, seen(service(HEAD, THIRD)))
    assert outcome(BEFORE, story) is Outcome.SUPERSEDED


@pytest.mark.parametrize("state", [None, status("updating", "t2"), status("completed", "t2")])
def test_the_base_deployed_again_over_an_unseen_head(state: UpdateStatus | None) -> None:
    story = redeployed().at(1, seen(service(BASE, HEAD, state)))
    ruling = rule(BEFORE, story, labels={STAMP: "head"})
    assert ruling.outcome is Outcome.SUPERSEDED
    assert ruling.reason.endswith("the spec from before the deploy was deployed again over another")


def test_a_previous_spec_from_before_the_baseline_is_not_foreign() -> None:
    before = service(BASE, spec("older"), status("completed", "t0"))
    story = Story((0, seen(before)), (0, listed(OLD)), (1, deployed()), (1, seen(before)))
    assert outcome(before, story) is Outcome.CONVERGED


@pytest.mark.parametrize("replacement", [HEAD, THIRD, RELABELLED])
def test_a_new_spec_after_an_unchanged_deploy_is_somebody_elses(replacement: ServiceSpec) -> None:
    nothing_runs = Story((0, seen(BEFORE)), (1, deployed()), (1, seen(service(BASE, BASE))))
    story = nothing_runs.at(3, seen(service(replacement, BASE)))
    assert outcome(BEFORE, story) is Outcome.SUPERSEDED


def test_a_second_deploy_by_the_same_hand_may_bring_the_spec_that_the_first_did_not() -> None:
    story = (
        Story((0, seen(BEFORE)), (1, deployed()), (1, seen(BEFORE)))
        .at(2, deployed(), seen(service(HEAD, BASE, "updating")))
        .at(3, listed(NEW))
        .at(9, seen(service(HEAD, BASE, "completed")))
    )
    assert outcome(BEFORE, story) is Outcome.CONVERGED


@pytest.mark.parametrize("previous", [BASE, HEAD])
def test_a_created_service_with_a_previous_spec_was_updated(previous: ServiceSpec) -> None:
    story = Story((1, deployed()), (1, seen(service(HEAD))), (7, seen(service(HEAD, previous))))
    assert outcome(None, story) is Outcome.SUPERSEDED


def test_a_created_service_that_was_made_anew_is_somebody_elses() -> None:
    story = Story((1, deployed()), (1, seen(service(HEAD))), (2, listed(NEW)))
    story.at(3, seen(service(HEAD, service_id="service2")))
    assert outcome(None, story) is Outcome.SUPERSEDED


def test_the_engines_own_writes_are_not_foreign() -> None:
    """They raise the version and change nothing else: `Version.Index` proves nothing."""
    story = upgrade(
        (2, seen(service(HEAD, BASE, "updating"))),
        (3, listed(NEW)),
        (4, seen(service(HEAD, BASE, "updating"))),
        (9, seen(service(HEAD, BASE, "completed"))),
    )
    assert outcome(BEFORE, story) is Outcome.CONVERGED


def test_a_ruling_names_the_other_update_only_where_its_reason_does() -> None:
    back = (3, seen(service(BASE, None, "rollback_started")))
    by_hand = service(BASE, HEAD, status("rollback_completed", "t2"))
    others = ((None, "removal"), (by_hand, "rollback by hand"), (service(THIRD), "another"))
    for then, named in others:
        ruling = rule(BEFORE, upgrade(back, (4, seen(then))))
        assert (ruling.outcome, ruling.other_update) == (Outcome.ROLLED_BACK, named)
    assert rule(BEFORE, upgrade(back)).other_update is None
    refused = Story().at(1, seen(None), deployed(1, "refused"))
    assert rule(BEFORE, refused).other_update is None
