"""Where the golden inputs are; their README says what they come from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stamplab.lab.model.docker_json import parse_service
from stamplab.lab.model.swarm import Service

GOLDEN = Path(__file__).parents[2] / "golden"


def swarm_json(name: str) -> bytes:
    """An answer of a real engine."""
    return (GOLDEN / "swarm" / f"{name}.json").read_bytes()


def service(name: str) -> Service:
    """A real service, parsed."""
    return parse_service(swarm_json(name))


def changed(name: str, change: Callable[[dict[str, Any]], object]) -> bytes:
    """An answer of a real engine, with a change."""
    answer = json.loads(swarm_json(name))
    change(answer)
    return json.dumps(answer).encode()
