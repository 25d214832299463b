"""The program ``stamplab guard``, at work in a process of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Self

from tests.live.remote_swarm import RemoteSwarm
from tests.programs import start_python


class RunningGuard:
    """The guard runs until the ``with`` block ends, and watches ``host``, by default the swarm."""

    def __init__(
        self,
        swarm: RemoteSwarm,
        *words: str,
        host: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        program = ("-P", "-m", "stamplab", "guard", "--json")
        given = {"DOCKER_HOST": host or swarm.url, "ENGINE": swarm.url, **(env or {})}
        self._process = start_python(*program, *words, folder=None, **given)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def end(self) -> dict[str, Any]:
        """Wait for its end; return its document."""
        out, err = self._process.communicate(timeout=200)
        assert out, err
        document: dict[str, Any] = json.loads(out)
        assert document["exit_code"] == self._process.returncode
        assert document["reason"]
        return document
