"""How many states were tried, for the end of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator


class Tally:
    """Counts of different states, of their features, and of the predicates that held."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._features: Counter[str] = Counter()
        self._held: Counter[str] = Counter()
        self._needed: Counter[str] = Counter()
        self._done: set[str] = set()

    def add(self, features: Iterable[str], state: str) -> None:
        """Count a state, unless it was there before."""
        if hash(state) not in self._seen:
            self._seen.add(hash(state))
            self._features.update(features)

    def held(self, predicates: Iterable[str]) -> None:
        """Count predicates that hold."""
        self._held.update(predicates)

    def needed(self, predicates: Iterable[str]) -> None:
        """Count predicates that explain a difference."""
        self._needed.update(predicates)

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
        yield f"{self.states} different repository states, by feature:"
        yield _joined(self._features)
        yield "predicates that held (in brackets: that explained a difference from go-git):"
        names = sorted(self._held | self._needed)
        yield ", ".join(f"{name} {self._held[name]} ({self._needed[name]})" for name in names)


def _joined(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
