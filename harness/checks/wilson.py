"""How sure k of N makes one: the Wilson score interval of a proportion."""

from __future__ import annotations

import math

import msgspec

_Z_95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


class Proportion(msgspec.Struct, frozen=True, kw_only=True):
    """k successes in n trials."""

    successes: int
    trials: int

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % score interval of Wilson (JASA 22, 1927, 209), sound for k = 0 and k = n."""
        n = self.trials
        if n == 0:
            return 0.0, 1.0
        share = self.successes / n
        squared = _Z_95**2
        middle = (share + squared / (2 * n)) / (1 + squared / n)
        half = (
            _Z_95 / (1 + squared / n) * math.sqrt(share * (1 - share) / n + squared / (4 * n * n))
        )
        return max(0.0, middle - half), min(1.0, middle + half)

    def __str__(self) -> str:
        """As ``10/10 (95 % interval 72%-100%)``."""
        low, high = self.interval
        return f"{self.successes}/{self.trials} (95 % interval {low:.0%}-{high:.0%})"
