"""What the search knows of the pre-fix harness happens on a real engine, too."""

from __future__ import annotations

import pytest

from stamplab.cli.replay import play_again
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.staging import Stage
from stamplab.search.explorable import EXPLORABLE
from stamplab.search.schedule import Kept, read_kept

pytestmark = pytest.mark.live
KNOWN = [
    kept
    for law in ("true-reason", "no-false-green")
    for kept in map(read_kept, EXPLORABLE["discourse"].known_for(law))
    if not kept.guard
]


@pytest.mark.parametrize("kept", KNOWN, ids=lambda kept: f"{kept.law}-{kept.schedule.id}")
def test_the_old_harness_is_wrong_on_a_real_engine_in_the_same_way(
    kept: Kept, stage: Stage, evidence: EvidenceFolder
) -> None:
    replayed = play_again(kept, stage, evidence)
    assert replayed.world == "live"
    assert replayed.broken, f"it held: {replayed.end} {replayed.reason}"
    if kept.law == "true-reason":
        assert "re-checkout failed" in replayed.reason
        assert "(HC1)" in replayed.reason
    else:
        assert replayed.end == "pass"


def test_both_faces_are_known() -> None:
    assert {kept.law for kept in KNOWN} == {"true-reason", "no-false-green"}
