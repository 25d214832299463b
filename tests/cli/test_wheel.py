"""The wheel: what it holds, and a project of somebody's that uses it beside packages of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from stamplab.lab.support.cache import cache_folder
from tests import unpack
from tests.unit.lab.remote.conftest import engine
from tests.unit.lab.remote.engine import Engine, container, task

__all__ = ["engine"]
ROOT = Path(__file__).parents[2]
APP = "shop_app"
OWN_PACKAGES = ("lab", "harness", "scenarios", "tests")
"""Packages of the project that once were names of ours."""
PROJECT_TEST = f"""\
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from stamplab.lab.support.cache import cache_folder
import harness
import lab
import scenarios
import tests
from stamplab import NotConverged, guarding

PROJECT = Path(__file__).parents[1]


def test_the_packages_are_the_projects_own() -> None:
    for package in (lab, harness, scenarios, tests):
        assert Path(package.__file__ or "").parents[1] == PROJECT


def test_the_upgrade_converges(swarm_guard: Callable[..., AbstractContextManager[object]]) -> None:
    with swarm_guard("{APP}", image="image:base") as guard:
        pass
    assert guard.check().is_success  # type: ignore[attr-defined]


def test_another_image_does_not_converge() -> None:
    with guarding("{APP}", image="image:head") as guard:
        pass
    assert guard.verdict().is_success is False
    with pytest.raises(NotConverged, match="stamp mismatch"):
        guard.check()
"""


def build(kind: str, checkout: Path, folder: Path) -> Path:
    """Build an sdist or a wheel, and return its file."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a Python that has the wheel's files, and nothing of this checkout.

    A wheel of pure Python is installed by unpacking it, so this needs no pip.
    """
    site = tmp_path_factory.mktemp("site-packages")
    zipfile.ZipFile(wheel).extractall(site)
    libraries = [path for path in sys.path if path and Path(path).resolve() != ROOT]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *libraries])}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody's project, whose packages are named as folders of this checkout are."""
    folder = tmp_path_factory.mktemp("project")
    for name in OWN_PACKAGES:
        (folder / name).mkdir()
        (folder / name / "__init__.py").touch()
    (folder / "tests" / "test_upgrade.py").write_text(PROJECT_TEST)
    return folder


def run(arguments: list[str], folder: Path, environment: dict[str, str]) -> str:
    """Run a module of Python in a folder; return what it printed. It must succeed."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_one_package_with_its_data_and_no_tests(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "stamplab/lab/live/init.sh",
        "stamplab/lab/cgroup/enter.sh",
        "stamplab/lab/workload/serve.c",
        "stamplab/lab/recipe/stackspec/go.sum",
        "stamplab/lab/recipe/stackspec/main.go",
        "stamplab/lab/virtual/swarmsim/main.go",
        "stamplab/py.typed",
    } <= names
    assert [name for name in names if name.endswith("_test.go")] == []
    dist_info = f"{'-'.join(wheel.name.split('-')[:2])}.dist-info"
    assert {name.split("/")[0] for name in names} == {"stamplab", dist_info}


def test_the_wheel_of_the_sdist_is_that_of_the_checkout(wheel: Path, tmp_path: Path) -> None:
    sdist = build("sdist", ROOT, tmp_path / "sdist")
    unpack(sdist, tmp_path)
    rebuilt = build("wheel", tmp_path / sdist.name.removesuffix(".tar.gz"), tmp_path / "wheel")
    assert rebuilt.name == wheel.name
    assert rebuilt.read_bytes() == wheel.read_bytes()


def test_a_projects_own_packages_and_the_fixture_do_not_meet(
    project: Path, installed: dict[str, str], engine: Engine
) -> None:
    engine.tasks = [task("old", engine.put(APP))]
    engine.containers = {"container-old": container("old")}
    environment = {**installed, "DOCKER_HOST": engine.address}
    assert "3 passed" in run(["pytest", "-p", "no:cacheprovider"], project, environment)


def test_mypy_follows_a_project_into_the_package(
    project: Path, installed: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "wrong.py").write_text("from stamplab import guarding\n\nguarding(timeout_s='1')\n")
    cache = f"--cache-dir={cache_folder() / 'mypy-wheel'}"
    assert "no issues" in run(["mypy", "--strict", cache, "."], project, installed)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", cache, "wrong.py"],
        cwd=tmp_path,
        env=installed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert 'expected "float"' in done.stdout
