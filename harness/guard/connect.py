"""Attaches to a swarm that is somebody's, for as long as a guard watches it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from stamplab.lab.remote.client import Client
from stamplab.lab.remote.endpoint import find_endpoint
from stamplab.lab.remote.watcher import ForeignSwarm


@contextmanager
def attached(
    context: str | None, environment: Mapping[str, str], targets: Sequence[str]
) -> Iterator[ForeignSwarm]:
    """Watch targets on the engine that ``docker`` would talk to. Raises LabError."""
    client = Client(find_endpoint(context, environment))
    try:
        swarm = ForeignSwarm(client, targets)
        try:
            yield swarm
        finally:
            swarm.close()
    finally:
        client.close()
