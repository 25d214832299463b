"""Why an upgrade ended as it did: `facts` finds out, `sentence` tells it. Pure."""

from stamplab.harness.checks.attribution.facts import (
    Attribution,
    ProbeSummary,
    ServiceSnapshot,
    TaskFailure,
    attribute,
)
from stamplab.harness.checks.attribution.sentence import explain, memory_at_oom

__all__ = [
    "Attribution",
    "ProbeSummary",
    "ServiceSnapshot",
    "TaskFailure",
    "attribute",
    "explain",
    "memory_at_oom",
]
