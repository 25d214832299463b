"""The claims that need no daemon: C2, how abra stamps, and C12, that abra did not change."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from stamplab.claims import stamping as stamping
from stamplab.claims.abra_unchanged import abra_is_unchanged
from stamplab.claims.discourse import Claim
from stamplab.lab.abra.driver import AbraProgram
from stamplab.lab.errors import NotPossibleHere
from stamplab.lab.recipe.repository import build_repository
from stamplab.runner.stamping.repositories import make_repositories
from stamplab.scenarios.discourse.recipe import BASE_TAG, RECIPE, asking_for_a_secret
from stamplab.scenarios.stamping.experiment import StampingRepositories

STAMPING, CONSTANT = "C2", "C12"
OFFLINE = (STAMPING, CONSTANT)


def discourse_repositories(folder: Path) -> StampingRepositories:
    """Build our own recipe's repository for the stamping experiments. Raises LabError."""
    folder.mkdir(parents=True, exist_ok=True)
    build_repository(asking_for_a_secret(RECIPE), folder / "recipe")
    return make_repositories(RECIPE.name, folder / "recipe", BASE_TAG, "HEAD", folder)


def require_possible(asked: Collection[str]) -> None:
    """Raise NotPossibleHere when C12 alone was asked for, and this machine cannot show it."""
    if set(asked) == {CONSTANT} and (reason := abra_is_unchanged().not_possible_here):
        raise NotPossibleHere(f"{CONSTANT} cannot be shown here: {reason}")


def judge_offline(asked: Collection[str], program: AbraProgram, folder: Path) -> tuple[Claim, ...]:
    """Play and judge the claims of `OFFLINE` that were asked for. Raises LabError."""
    claims = []
    if STAMPING in asked:
        place = folder / "stamping"
        stamped = stamping.play_all(
            stamping.C2, discourse_repositories(place / "ground"), program, place
        )
        claims.append(stamping.claim(stamped, program.whose, "stamping/*.json"))
    if CONSTANT in asked:
        claims.append(abra_is_unchanged())
    return tuple(claims)
