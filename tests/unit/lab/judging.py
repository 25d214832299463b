"""Small recipes, judged."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stamplab.lab.recipe.trust import Demand, Grant, demands_of
from stamplab.lab.world import Stack


def write(folder: Path, **files: str) -> tuple[Path, ...]:
    """Write compose files, named ``compose.yml`` for ``compose`` and so on, and return them."""
    paths = tuple(folder / f"{name.replace('_', '.')}.yml" for name in files)
    for path, text in zip(paths, files.values(), strict=True):
        path.write_text(text)
    return paths


def judged(
    folder: Path,
    *files: Path,
    variables: Mapping[str, str] | None = None,
    trust: frozenset[Grant] = frozenset(),
) -> tuple[Demand, ...]:
    stack = Stack(name="s", directory=folder, compose_files=files, environment={})
    return demands_of(stack, variables or {}, trust)


def demands(folder: Path, compose: str, **variables: str) -> tuple[Demand, ...]:
    """What one compose file asks for."""
    return judged(folder, *write(folder, compose=compose), variables=variables)


def in_service(fragment: str) -> str:
    """A compose file whose one service, ``app``, has this besides its image."""
    lines = "".join(f"    {line}\n" for line in fragment.splitlines())
    return f"services:\n  app:\n    image: a:1\n{lines}"
