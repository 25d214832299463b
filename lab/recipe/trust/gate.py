"""The gate before a world: every stack is judged, and the decision is put into the history."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stamplab.lab.errors import RecipeRefused
from stamplab.lab.model.history import Finding, Note, Observation
from stamplab.lab.recipe.trust.demand import Demand, Grant, require_trusted
from stamplab.lab.recipe.trust.judge import demands_of
from stamplab.lab.world import Stack


class TrustGate:
    """Admits a stack if its demands are trusted, and records each trusted demand once."""

    def __init__(self, trust: frozenset[Grant], record: Callable[[Observation], None]) -> None:
        self._trust = trust
        self._record = record
        self._recorded: set[Demand] = set()

    def admit(self, stack: Stack, environment: Mapping[str, str]) -> None:
        """Judge a stack, interpolated with ``environment``. Raises RecipeRefused."""
        demands = demands_of(stack, environment, self._trust)
        try:
            require_trusted(demands, self._trust)
        except RecipeRefused as refusal:
            self._record(Finding(step="require_trusted", passed=False, text=str(refusal)))
            raise
        for demand in demands:
            if demand not in self._recorded:
                self._recorded.add(demand)
                self._record(Note(text=f"trusted ({demand.grant}): {demand}"))
