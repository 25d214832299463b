"""The abra under contract: `--abra PATH`, else the one on PATH, else the stand-in."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from stamplab.lab.abra.driver import Abra, AbraProgram, AbraRun, abra_environment, find_abra
from stamplab.lab.abra.empty_swarm import EmptySwarm, empty_swarm
from stamplab.lab.abra.folder import AbraFolder
from stamplab.lab.abra.standin.cli import run_abra
from stamplab.lab.recipe import checkout, git
from stamplab.lab.recipe.env_file import with_values
from stamplab.lab.recipe.repository import build_repository
from stamplab.scenarios.discourse.recipe import RECIPE, asking_for_a_secret

DOMAIN = "app.example.org"


class InProcess(Abra, frozen=True):
    """The stand-in, run by this process."""

    def run(self, *arguments: str, timeout_s: float = 0) -> AbraRun:
        environment = abra_environment(self.folder, self.engine)
        output = io.StringIO()
        with (
            patch.dict(os.environ, environment, clear=True),
            contextlib.chdir(self.folder.path),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(output),
        ):
            exit_code = run_abra(arguments)
        return AbraRun(
            arguments=arguments, exit_code=exit_code, output=output.getvalue(), took_s=0.0
        )


@pytest.fixture(scope="session")
def program(pytestconfig: pytest.Config) -> AbraProgram:
    path = pytestconfig.getoption("--abra")
    return find_abra(Path(path) if path else None)


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The upstream of the recipe that is deployed."""
    path = tmp_path_factory.mktemp("recipes") / RECIPE.name
    build_repository(asking_for_a_secret(RECIPE), path)
    return path


@pytest.fixture(scope="session")
def clone(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the recipe, at head: each test gets a copy."""
    path = tmp_path_factory.mktemp("clones") / RECIPE.name
    git.clone(recipe, path)
    return path


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder with a short name: a socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="stamplab-test-") as folder:
        yield Path(folder)


@pytest.fixture
def swarm(scratch: Path) -> Iterator[EmptySwarm]:
    with empty_swarm(scratch / "docker.sock") as swarm:
        yield swarm


@pytest.fixture
def process(program: AbraProgram, scratch: Path, clone: Path, swarm: EmptySwarm) -> Abra:
    """abra with an ABRA_DIR in which the recipe is checked out at head, and an app of it."""
    folder = AbraFolder(scratch / "abra")
    folder.create()
    shutil.copytree(clone, folder.recipe("discourse"), symlinks=True)
    settings = {"TYPE": "discourse", "DOMAIN": DOMAIN, "SECRET_DB_PASSWORD_VERSION": "v1"}
    folder.write_env_text(DOMAIN, with_values("", settings))
    return Abra(program, folder, swarm.address)


@pytest.fixture
def abra(process: Abra) -> Abra:
    """The same; the stand-in without a process of its own, which takes most of a run's time."""
    if process.program.is_real:
        return process
    return InProcess(process.program, process.folder, process.engine)


def head_of(abra: Abra) -> str:
    return checkout.resolve(abra.folder.recipe("discourse"), "HEAD")
