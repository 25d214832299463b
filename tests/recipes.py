"""Recipes as other people write them, in miniature: each has something that ours has not."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import msgspec

from stamplab.lab.recipe import git
from stamplab.lab.recipe.repository import RecipeCommit, RecipeHistory, build_repository
from stamplab.lab.recipe.source import RecipeSource

_FOLDER = Path(__file__).parent / "data" / "recipes"
"""A folder for each: the files at the base, and in ``head`` those that the upgrade changes.

``@VERSION@`` and ``@TAG@`` in a compose file are the release's and its image's.
"""


def _history(name: str, base: str, head: str) -> RecipeHistory:
    """Read a recipe's upgrade from one version to the next."""
    files, changed = _files_in(_FOLDER / name), _files_in(_FOLDER / name / "head")
    upgraded = {"compose.yml": files["compose.yml"], **changed}
    return RecipeHistory(
        name=name,
        commits=(
            RecipeCommit(
                message="chore: publish the first release", files=_released(files, base), tag=base
            ),
            RecipeCommit(message="feat: upgrade", files=_released(upgraded, head)),
        ),
    )


def _files_in(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.glob("*") if path.is_file()}


def _released(files: dict[str, str], version: str) -> dict[str, str]:
    tag = version.partition("+")[2]
    return {
        name: text.replace("@VERSION@", version).replace("@TAG@", tag)
        for name, text in files.items()
    }


KEYCLOAK = _history("keycloak", "1.0.0+25.0.1", "2.0.0+26.0.0")
"""With a database, secrets, a network of the reverse proxy's, and a health check by bash itself."""
N8N = _history("n8n", "2.0.0+1.60.0", "2.1.0+1.70.0")
"""Two files, images by variables, a user of the image's own, limits, and an unquoted version."""
TRAEFIK = _history("traefik", "2.0.0+v2.10.1", "2.1.0+v2.11.0")
"""Ports, a host path, and a program of its own that is a config."""
WIKI = _history("wiki", "0.1.0+1.0", "0.2.0+1.1")
"""Not armed; anchors, a place of its own, no health check for one service."""

ALL = (KEYCLOAK, N8N, TRAEFIK, WIKI)


class Cloned(msgspec.Struct, frozen=True):
    """A recipe's bare clone, and its commits, oldest first."""

    path: Path
    shas: tuple[str, ...]

    @property
    def origin(self) -> Path:
        """The repository that it is a clone of, with a work tree."""
        return self.path.parent / "built" / self.path.stem

    def source(
        self, base: str | None = None, head: str = "main", upstream: Path | None = None
    ) -> RecipeSource:
        """The upgrade from its first commit to its last."""
        return RecipeSource(
            recipe=str(self.path),
            upstream=str(upstream) if upstream else None,
            base=base or self.shas[0],
            head=head,
        )


def head_files(history: RecipeHistory) -> dict[str, str]:
    """The files of a recipe's last commit, text by path."""
    return {name: text for commit in history.commits for name, text in commit.files.items()}


def write_head(history: RecipeHistory, folder: Path) -> Path:
    """Write the files of a recipe's last commit into a folder, without git."""
    for name, text in head_files(history).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def repository(history: RecipeHistory, path: Path) -> tuple[str, ...]:
    """As `build_repository`, which each process asks once for a recipe: ``path`` is a copy."""
    template, shas = _template(msgspec.json.encode(history))
    shutil.copytree(template / "built" / history.name, path, symlinks=True)
    return shas


def bare_clone(history: RecipeHistory, folder: Path) -> Cloned:
    """A recipe in ``built/<name>``, and its bare clone ``<name>.git``; both are copies."""
    template, shas = _template(msgspec.json.encode(history))
    shutil.copytree(template, folder, symlinks=True, dirs_exist_ok=True)
    return Cloned(folder / f"{history.name}.git", shas)


@cache
def _template(encoded: bytes) -> tuple[Path, tuple[str, ...]]:
    """What `bare_clone` copies, in a folder that goes with this process; and the SHAs."""
    history = msgspec.json.decode(encoded, type=RecipeHistory)
    folder = Path(tempfile.mkdtemp(prefix="stamplab-recipes-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shas = build_repository(history, folder / "built" / history.name)
    git.mirror(str(folder / "built" / history.name), folder / f"{history.name}.git")
    return folder, shas
