"""However much of the evidence is lost, the incident is never made out of what is left."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stamplab.harness.checks.attribution import attribute, explain
from stamplab.harness.checks.signature import read_signature
from stamplab.harness.verdict import Verdict
from tests.builders import NAME, STAMP, Story
from tests.unit.harness.incident import INCIDENT

NEEDED = {
    "base seen",
    "base tasks",
    "head seen",
    "oom",
    "new ends",
    "rollback ends",
}
WHO_FAILED = {"rollback starts", "new failed", "last tasks"}
"""Each of these tells which task failed: the first by its message, the others by the listing."""
moderate = settings(max_examples=80, deadline=None)


@moderate
@given(missing=st.sets(st.sampled_from(sorted(INCIDENT))))
def test_reproduced_needs_every_kind_of_evidence(missing: set[str]) -> None:
    story = Story(*(moment for name, moment in INCIDENT.items() if name not in missing))
    attribution = attribute(story.records, NAME)
    signature = read_signature(attribution, STAMP)
    if signature.verdict is Verdict.PASS:
        assert not missing & NEEDED
        assert WHO_FAILED - missing
        assert missing.isdisjoint({"probe", "second probe"}) or len(
            {"probe", "second probe"} - missing
        )
    else:
        assert signature.missing
        assert str(signature).startswith("not reproduced: ")


@moderate
@given(missing=st.sets(st.sampled_from(sorted(INCIDENT))))
def test_whatever_is_lost_there_is_an_explanation_or_none(missing: set[str]) -> None:
    story = Story(*(moment for name, moment in INCIDENT.items() if name not in missing))
    attribution = attribute(story.records, NAME)
    if attribution is not None:
        assert explain(attribution)
        assert set(attribution.kept_tasks).isdisjoint(attribution.lost_tasks)
        assert 0 <= attribution.probes.failed <= attribution.probes.sent
