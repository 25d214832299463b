"""A schedule's deploys are what docker/cli would make of its overlays, not what we believe."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from stamplab.lab.recipe.resolver import ResolvedStack
from stamplab.runner.worlds import Virtual
from stamplab.search.explorable import EXPLORABLE, REFERENCE
from stamplab.search.rehearsal import Rehearsal, rehearse, tailored
from stamplab.search.schedule import Schedule
from stamplab.search.strategies import schedules
from tests.property.drawing import drawn_by

DISCOURSE = EXPLORABLE["discourse"]


def specs(resolved: ResolvedStack) -> list[object]:
    return [msgspec.json.decode(raw) for raw in resolved.services]


@pytest.mark.timeout(1800)
def test_a_rehearsed_deploy_is_the_very_one_of_its_overlays(
    virtual: Virtual, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    deep = pytestconfig.getoption("--deep")

    def rehearsed(schedule: Schedule, name: str) -> Rehearsal:
        place = tmp_path / name
        place.mkdir()
        return rehearse(DISCOURSE, schedule, place, virtual.resolver.resolve)

    reference = rehearsed(REFERENCE, "reference")
    label = reference.setup.app.stamp_label
    for number, schedule in enumerate(drawn_by(schedules(label), 200 if deep else 6)):
        own = rehearsed(schedule, str(number))
        for ref in (DISCOURSE.subject.base, own.setup.head):
            deployable = own.deployables[ref]
            ours = tailored(reference, schedule, ref, deployable.stamp)
            assert specs(ours) == specs(deployable.resolved), schedule
