"""The incident as a made history, with every part of its evidence by name, so as to take one away.

Base serves from the start. Head is applied at 10 s; its task's container starts at 11 s and is
OOM-killed at 12.5 s while OLD serves on; the swarm starts the rollback at 13 s and ends it at 14 s.
"""

from __future__ import annotations

from collections.abc import Mapping

from stamplab.lab.model.history import LimitSet, Observation
from tests.builders import (
    BASE,
    HEAD,
    MIB,
    Story,
    container_event,
    deployed,
    ended,
    listed,
    memory,
    oom_kill,
    probe,
    seen,
    service,
    task,
)

LIMIT = 350 * MIB
OLD = task("old", BASE)
NEW_STARTING = task("new", HEAD, "starting")
NEW_FAILED = task("new", HEAD, "failed", error="task: non-zero exit (137)", exit_code=137)

INCIDENT: Mapping[str, tuple[float, Observation]] = {
    "base seen": (0.0, seen(service(BASE))),
    "base tasks": (0.0, listed(OLD)),
    "early probe": (5.0, probe(1)),
    "limit": (9.0, LimitSet(limit_bytes=LIMIT, usage_bytes=100 * MIB, reason="squeeze")),
    "base sample": (9.5, memory(LIMIT)),
    "deployed": (10.0, deployed()),
    "head seen": (10.0, seen(service(HEAD, BASE, "updating"))),
    "new starts": (10.5, listed(OLD, NEW_STARTING)),
    "container starts": (11.0, container_event("new", "start")),
    "probe": (11.5, probe(2)),
    "sample": (12.4, memory(LIMIT, old=100 * MIB, new=240 * MIB)),
    "oom": (12.5, oom_kill("new", rss_bytes=245 * MIB, limit_bytes=LIMIT)),
    "new ends": (12.5, ended("new", 137, began_s=11.0, ended_s=12.5)),
    "sample after": (12.6, memory(LIMIT, old=100 * MIB)),
    "rollback starts": (13.0, seen(service(BASE, None, "rollback_started"))),
    "new failed": (13.0, listed(OLD, NEW_FAILED)),
    "second probe": (13.5, probe(3)),
    "rollback ends": (14.0, seen(service(BASE, None, "rollback_completed"))),
    "late probe": (20.0, probe(4, ok=False)),
    "last tasks": (21.0, listed(OLD, NEW_FAILED)),
}


def incident(**instead: Observation | None) -> Story:
    """The incident, with some of its records replaced, or (None) left out.

    Names are INCIDENT's, with underscores for blanks.
    """
    changes = {name.replace("_", " "): what for name, what in instead.items()}
    assert changes.keys() <= INCIDENT.keys()
    story = Story()
    for name, (at_s, what) in INCIDENT.items():
        observation = changes.get(name, what)
        if observation is not None:
            story.at(at_s, observation)
    return story
