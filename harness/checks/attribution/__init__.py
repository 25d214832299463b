"""Why an upgrade ended as it did: `facts` finds out, `sentence` tells it. Pure."""

from stamplab.harness.checks.attribution.facts import (
    Attribution,
    Clients,
    Death,
    Sighting,
    attribute,
)
from stamplab.harness.checks.attribution.sentence import explain, memory_at_oom

__all__ = [
    "Attribution",
    "Clients",
    "Death",
    "Sighting",
    "attribute",
    "explain",
    "memory_at_oom",
]
