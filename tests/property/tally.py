"""How many states were tried, for the end of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator


class Tally:
    """Counts of different states, of their features, and of those that git sees otherwise."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._features: Counter[str] = Counter()
        self._differing: Counter[str] = Counter()
        self._done: set[str] = set()

    def add(self, features: Iterable[str], state: str, *, differs: bool) -> None:
        """Count a state, unless it was there before."""
        if hash(state) not in self._seen:
            self._seen.add(hash(state))
            self._features.update(features)
            self._differing.update(features if differs else ())

    def done(self, feature: str) -> None:
        """Say that a feature was tried to its end."""
        self._done.add(feature)

    def is_complete(self, features: Iterable[str]) -> bool:
        """Whether all of these were tried to their end."""
        return self._done >= set(features)

    @property
    def states(self) -> int:
        """How many different states there were."""
        return len(self._seen)

    def of(self, feature: str) -> int:
        """How many different states had a feature."""
        return self._features[feature]

    def lines(self) -> Iterator[str]:
        """All of it, for a person."""
        yield f"{self.states} different repository states, by feature"
        yield "(in brackets: in which git does not say the same as go-git):"
        counts = sorted(self._features.items())
        yield ", ".join(f"{name} {count} ({self._differing[name]})" for name, count in counts)
