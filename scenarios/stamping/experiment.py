"""A stamping experiment is a value: the commands that a person could paste, and what they show.

Words are written as for a shell in which ``$ABRA_DIR`` is set; ``{head}`` and the like stand for
what the ground gives (`StampingRepositories`).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import msgspec

ABRA_DIR = "$ABRA_DIR"
RECIPE = f"{ABRA_DIR}/recipes/{{recipe}}"
OVERLAY = "compose.ccci.yml"


class CommitRole(StrEnum):
    """Whose commit a stamp names: what an experiment tells apart."""

    HEAD = "the head's"
    BASE = "the base's, by its tag of the upstream"
    MIRRORS_TAG = "of another commit, which the mirror's tag of the base names"
    MIRRORS_TIP = "the tip's of a mirror that is behind its upstream"
    NOBODYS = "of no commit that was in question"


class Step(msgspec.Struct, frozen=True):
    """One command: its words, and the file that its output goes to, if any."""

    words: tuple[str, ...]
    into: str | None = None

    def filled(self, values: Mapping[str, str]) -> Step:
        """Return the same with what the ground gives in its place."""
        into = None if self.into is None else self.into.format_map(values)
        return Step(tuple(word.format_map(values) for word in self.words), into)

    def pasted(self) -> str:
        """Return the command as a person would paste it."""
        words = " ".join(map(_quoted, self.words))
        return words if self.into is None else f"{words} > {_quoted(self.into)}"


def _quoted(word: str) -> str:
    """Return a word for a shell, in which ``$ABRA_DIR`` alone is a variable."""
    if not word.startswith(ABRA_DIR):
        return shlex.quote(word)
    rest = word.removeprefix(ABRA_DIR)
    return f'"{ABRA_DIR}"{shlex.quote(rest) if rest else ""}'


class StampingRepositories(msgspec.Struct, frozen=True, kw_only=True):
    """What the experiments stand on: repositories, and what is in question in them."""

    recipe: str
    domain: str
    canonical: Path
    """A clone of the upstream, as an operator has it."""
    upstream: Path
    mirror: Path
    mirror_behind: Path
    """A mirror whose branch ends at a release before the head."""
    mirror_repointed: Path
    """A mirror whose tag of the base names another commit."""
    base: str
    """The tag that is deployed first."""
    head: str
    """The intended head, 40 hex digits."""
    commits: dict[CommitRole, str]
    """What each of the commits in question is, 40 hex digits."""
    settings: tuple[str, ...]
    """The lines of the app's env file, but for COMPOSE_FILE."""
    compose_files: str = "compose.yml"
    asks_secrets: bool = True
    """Whether the recipe asks for any; where not, a deploy ends when the swarm refuses it."""

    def values(self, *, pinned: bool) -> dict[str, str]:
        """Return what stands in the places of the experiments' words."""
        return {
            **{name: str(getattr(self, name)) for name in self.__struct_fields__},
            "type": f"{self.recipe}:{self.base}" if pinned else self.recipe,
            "env": f"{ABRA_DIR}/servers/default/{self.domain}.env",
        }


# What is printed to be pasted is what was played (ADR 0023).
class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """One way to a chaos deploy, and the stamp that it must have."""

    name: str
    title: str
    steps: tuple[Step, ...]
    whose: CommitRole = CommitRole.HEAD
    is_dirty: bool = False
    is_pinned: bool = False
    """The app's env file names the base's version."""
    is_counter: bool = False
    """It shows that the experiment can fail: its stamp is another than the head's should be."""

    def commands(self, repositories: StampingRepositories) -> tuple[Step, ...]:
        """All commands, in order, for this ground."""
        values = repositories.values(pinned=self.is_pinned)
        files = (
            f"{repositories.compose_files}:{OVERLAY}"
            if self.is_dirty
            else repositories.compose_files
        )
        lines = ("TYPE={type}", "DOMAIN={domain}", f"COMPOSE_FILE={files}")
        own = tuple(line.replace("{", "{{").replace("}", "}}") for line in repositories.settings)
        env = Step(("printf", r"%s\n", *own, *lines), "{env}")
        return tuple(step.filled(values) for step in (env, *self.steps))

    def stamp(self, repositories: StampingRepositories) -> str:
        """Return the stamp that it must have."""
        return repositories.commits[self.whose][:8] + ("+U" if self.is_dirty else "")
