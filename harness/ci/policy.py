"""The rollout policy that the harness's overlay lays over the recipe's own."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from stamplab.lab.recipe.durations import in_milliseconds


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Rollout policy of the overlay; None leaves the recipe's own, or the engine's default.

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

    def deploy(self) -> Mapping[str, object]:
        """Return the compose file's ``deploy`` section; empty where all is left to the recipe."""
        delay = None if self.delay_s is None else in_milliseconds(self.delay_s)
        update = {
            "order": self.order,
            "failure_action": self.failure_action,
            "delay": delay,
            "max_failure_ratio": self.max_failure_ratio,
            "parallelism": self.parallelism,
        }
        rollback = {"order": self.rollback_order, "failure_action": self.rollback_failure_action}
        section = {
            "replicas": self.replicas,
            "update_config": _without_none(update) or None,
            "rollback_config": _without_none(rollback) or None,
            "restart_policy": _without_none({"max_attempts": self.max_attempts}) or None,
        }
        return _without_none(section)


def _without_none(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}
