"""Healthy as the old harness sees it: any spec's tasks count, and that is on purpose (C5)."""

from __future__ import annotations

import pytest

from stamplab.harness.ci.health import Health
from stamplab.lab.model.history import Observation
from tests.builders import BASE, HEAD, STACK, deployed, listed, probe, seen, service, spec, task

UP = (seen(service(BASE)), listed(task("old")), probe())


def missing(*observations: Observation) -> str | None:
    health = Health(STACK)
    for what in observations:
        health.feed(what)
    return health.missing()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_all_tasks_and_an_answer_are_healthy_in_any_order(order: tuple[int, ...]) -> None:
    assert missing(*(UP[n] for n in order)) is None


@pytest.mark.parametrize(
    ("observations", "reason"),
    [
        ((), "no service of the stack was seen"),
        ((probe(),), "no service of the stack was seen"),
        ((seen(service(BASE)),), "shop_app has 0 of 1 tasks running"),
        ((seen(service(BASE)), listed(task("old", BASE, "starting"))), "shop_app has 0 of 1"),
        ((seen(service(BASE)), listed(task("old", desired="shutdown"))), "shop_app has 0 of 1"),
        ((seen(service(BASE)), listed(task("old"))), "no client has asked yet"),
        (
            (*UP, probe(2, ok=False)),
            "a client's request failed (connection refused)",
        ),
        ((*UP, listed()), "shop_app has 0 of 1 tasks running"),
        ((*UP, seen(service(spec(replicas=3)))), "shop_app has 1 of 3 tasks running"),
        ((*UP, seen(None)), "no service of the stack was seen"),
        (
            (*UP, seen(service(BASE, name="shop_db"), name="shop_db")),
            "shop_db has 0 of 1 tasks running",
        ),
    ],
)
def test_what_is_missing_first_is_said(observations: tuple[Observation, ...], reason: str) -> None:
    health = missing(*observations)
    assert health is not None
    assert health.startswith(reason)


def test_the_last_probe_decides() -> None:
    assert missing(*UP, probe(2, ok=False), probe(3)) is None


def test_old_tasks_hide_a_head_that_never_came_up() -> None:
    """What start-first hides behind: the claim C5."""
    head_fails = listed(task("old", BASE), task("new", HEAD, "starting"))
    assert missing(seen(service(HEAD, BASE, "updating")), head_fails, probe()) is None


def test_a_rolled_back_service_is_healthy_too() -> None:
    assert missing(*UP, seen(service(BASE, None, "rollback_completed"))) is None


@pytest.mark.parametrize(
    "other_service", [seen(service(BASE, name="shopping_app"), name="shopping_app"), deployed()]
)
def test_other_stacks_and_other_records_are_ignored(other_service: Observation) -> None:
    assert missing(other_service, *UP) is None


def test_a_global_service_needs_one_task_and_a_scaled_down_one_none() -> None:
    assert missing(seen(service(spec(mode="global"))), listed(task("a")), probe()) is None
    assert missing(seen(service(spec(mode="global"))), listed(), probe()) is not None
    assert missing(seen(service(spec(replicas=0))), probe()) is None
