"""The rollout policy that the harness's overlay lays over the recipe's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from stamplab.lab.model.service_spec import SpecValues, to_compose


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What the overlay says; None leaves what the recipe says, or the engine's default.

    Pre-fix and fixed differ in ``order`` only (claim C7). Under ``start-first`` OLD and NEW are in
    memory together, about twice as much; under ``stop-first`` NEW boots with full memory and really
    becomes healthy, at the price of a short outage.
    """

    order: str | None = None
    failure_action: str | None = None
    delay_s: float | None = None
    max_failure_ratio: float | None = None
    parallelism: int | None = None
    replicas: int | None = None
    rollback_order: str | None = None
    rollback_failure_action: str | None = None
    max_attempts: int | None = None
    """How often a task that failed is replaced, before its slot stays empty."""

    @property
    def values(self) -> SpecValues:
        """What it says, by the names of the table of a service's fields."""
        return {
            "update.order": self.order,
            "update.failure_action": self.failure_action,
            "update.delay_s": self.delay_s,
            "update.max_failure_ratio": self.max_failure_ratio,
            "update.parallelism": self.parallelism,
            "replicas": self.replicas,
            "rollback.order": self.rollback_order,
            "rollback.failure_action": self.rollback_failure_action,
            "restart.max_attempts": self.max_attempts,
        }

    def deploy(self) -> Mapping[str, object]:
        """Return the compose file's ``deploy`` section; empty where nothing is said."""
        section: dict[str, Any] = to_compose(self.values).get("deploy", {})
        return section
