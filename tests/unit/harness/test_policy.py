"""The rollout policy of the harness's overlay: what it says, and what it leaves to the recipe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stamplab.harness.ci.app import CI_OVERLAY_NAME, ci_overlays
from stamplab.harness.ci.policy import Policy
from stamplab.lab.recipe.compose import overlay_text
from stamplab.lab.recipe.resolver import Resolver
from stamplab.lab.world import Stack

RECIPE = """\
version: "3.8"
services:
  app:
    image: a:1
    deploy:
      replicas: 2
      update_config: {order: start-first, failure_action: rollback, monitor: 7s}
      rollback_config: {parallelism: 3}
"""
ALL = Policy(
    order="stop-first",
    failure_action="continue",
    delay_s=1.5,
    max_failure_ratio=0.3,
    parallelism=0,
    replicas=5,
    rollback_order="start-first",
    rollback_failure_action="continue",
    max_attempts=2,
)


@pytest.fixture(scope="module")
def resolver(stackspec: Path) -> Iterator[Resolver]:
    with Resolver(stackspec) as resolver:
        yield resolver


def resolved(resolver: Resolver, folder: Path, policy: Policy) -> dict[str, Any]:
    """The service's spec, as docker/cli makes it of the recipe and the overlay."""
    texts = {"compose.yml": RECIPE}
    for overlay in ci_overlays("app", policy):
        texts[overlay.name] = overlay_text("3.8", {"services": overlay.services})
    files = tuple(folder / name for name in texts)
    for file in files:
        file.write_text(texts[file.name])
    stack = Stack(name="shop", directory=folder, compose_files=files, environment={})
    (service,) = resolver.resolve(stack).services
    return msgspec.json.decode(service, type=dict[str, Any])


def test_a_policy_that_says_nothing_lays_no_overlay() -> None:
    assert Policy().deploy() == {}
    assert ci_overlays("app", Policy()) == ()


@pytest.mark.parametrize("name", Policy.__struct_fields__)
def test_what_is_not_said_is_not_written(name: str) -> None:
    """Not as null either, nor as an empty section, which docker/cli would take for something."""
    policy = msgspec.structs.replace(Policy(), **{name: getattr(ALL, name)})
    (overlay,) = ci_overlays("app", policy)
    (deploy,) = overlay.services.values()
    written = [deploy["deploy"]]
    for level in written:
        assert isinstance(level, dict)
        assert len(level) == 1
        written.extend(value for value in level.values() if isinstance(value, dict))


def test_docker_takes_all_that_it_says(resolver: Resolver, tmp_path: Path) -> None:
    spec = resolved(resolver, tmp_path, ALL)
    assert spec["Mode"] == {"Replicated": {"Replicas": 5}}
    assert spec["UpdateConfig"] == {
        "Parallelism": 0,
        "Delay": 1_500_000_000,
        "FailureAction": "continue",
        "Monitor": 7_000_000_000,
        "MaxFailureRatio": pytest.approx(0.3),
        "Order": "stop-first",
    }
    assert spec["RollbackConfig"] == {
        "Parallelism": 3,
        "FailureAction": "continue",
        "MaxFailureRatio": 0,
        "Order": "start-first",
    }


def test_the_order_alone_leaves_all_else_to_the_recipe(resolver: Resolver, tmp_path: Path) -> None:
    own = resolved(resolver, tmp_path, Policy())
    fixed = resolved(resolver, tmp_path, Policy(order="stop-first"))
    assert own["UpdateConfig"]["Order"] == "start-first"
    assert fixed == {**own, "UpdateConfig": {**own["UpdateConfig"], "Order": "stop-first"}}


@pytest.mark.parametrize(
    ("policy", "keys", "value"),
    [
        (Policy(parallelism=0), ("UpdateConfig", "Parallelism"), 0),
        (Policy(replicas=0), ("Mode", "Replicated", "Replicas"), 0),
        (Policy(delay_s=0.0), ("UpdateConfig", "Monitor"), 7_000_000_000),
        (Policy(delay_s=0.001), ("UpdateConfig", "Delay"), 1_000_000),
        (Policy(max_failure_ratio=0.0), ("UpdateConfig", "MaxFailureRatio"), 0),
        (Policy(rollback_order="start-first"), ("RollbackConfig", "Parallelism"), 3),
    ],
)
def test_nought_is_something_that_is_said(
    resolver: Resolver, tmp_path: Path, policy: Policy, keys: tuple[str, ...], value: object
) -> None:
    assert policy.deploy() != {}
    section: Any = resolved(resolver, tmp_path, policy)
    for key in keys:
        section = section[key]
    assert section == value


def test_it_is_laid_over_the_one_service() -> None:
    (overlay,) = ci_overlays("web", Policy(order="stop-first"))
    assert overlay.name == CI_OVERLAY_NAME
    assert overlay.services == {"web": {"deploy": {"update_config": {"order": "stop-first"}}}}
