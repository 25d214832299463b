"""What all tests share: how deep they go, and whether this machine can run live ones."""

from __future__ import annotations

import gc
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from stamplab.lab.abra.go_git import GOGIT, GoGit
from stamplab.lab.errors import LabError
from stamplab.lab.live.lab import Apparatus, prepare
from stamplab.lab.recipe.resolver import STACKSPEC
from stamplab.lab.support.cache import cache_folder
from stamplab.lab.support.garbage import collect_rarely
from stamplab.lab.support.go_build import GoProgram, get_program
from stamplab.runner import worlds
from stamplab.runner.worlds import Virtual
from tests import cannot_run
from tests.programs import Command

_REAPING = ("test_host_untouched.py", "test_kills.py")
"""The files that use `reaping_alone`."""
BUILD_TIMEOUT_S = 280
"""Less than a test may take: what was compiled by then stays, and the next one goes on."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--deep", action="store_true", help="run every count that is promised")
    parser.addoption("--engine", type=Path, help="the folder of the engine that live tests run on")
    parser.addoption("--abra", help="the abra that tests/contract holds to its contract")
    parser.addoption("--nix", help="the nix that tests/nix runs the README's commands by")


def pytest_configure() -> None:
    """Collect garbage as our commands do, and hear Ctrl-C.

    A shell makes what it starts in the background deaf to it, and all its children too.
    """
    collect_rarely()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    settings.register_profile("unhurried", deadline=None)  # no test asserts an absolute time
    settings.load_profile("unhurried")


def pytest_collection_finish() -> None:
    """Never look through the thousands of tests again for garbage: they stay to the end."""
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadFileScheduling | None:
    return _WithReapingTogether(config, log) if config.getvalue("dist") == "loadfile" else None


class _WithReapingTogether(LoadFileScheduling):  # type: ignore[misc]
    """Gives one worker all that takes `reaping_alone`: two would wait for each other."""

    def _split_scope(self, nodeid: str) -> str:
        scope: str = super()._split_scope(nodeid)
        return "reaping" if Path(scope).name in _REAPING else scope


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove what Python has compiled of files in temporary folders: `./run` keeps that apart."""
    factory: pytest.TempPathFactory = session.config._tmp_path_factory  # type: ignore[attr-defined]
    if sys.pycache_prefix:
        base = factory.getbasetemp()
        shutil.rmtree(Path(sys.pycache_prefix) / base.relative_to(base.anchor), ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--deep"):
        return
    for item in items:
        if item.get_closest_marker("deep"):
            item.add_marker(pytest.mark.skip(reason="counts in full: run with --deep"))


@pytest.fixture(scope="session")
def apparatus(pytestconfig: pytest.Config) -> Apparatus:
    """The live world's means; where it cannot run, the reason is printed, and under CI it fails."""
    try:
        return prepare(pytestconfig.getoption("--engine"))
    except LabError as error:
        reason = f"live tests cannot run here: {error}"
    raise cannot_run(reason)


@pytest.fixture(scope="session")
def virtual() -> Virtual:
    """The virtual world's means; where they cannot be built, the reason is printed; see above."""
    try:
        return worlds.virtual()
    except LabError as error:
        reason = f"there is no virtual world here: {error}"
    raise cannot_run(reason)


@pytest.fixture
def stamplab(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run our command in the test's own process, as if at a wide terminal."""
    monkeypatch.setenv("COLUMNS", "400")
    return Command(capsys)


@pytest.fixture(scope="session")
def gogit() -> Iterator[GoGit]:
    """go-git itself, in the default version."""
    running = GoGit(built(GOGIT))
    yield running
    running.end()


@pytest.fixture(scope="session")
def stackspec() -> Path:
    """The program that resolves compose files."""
    return built(STACKSPEC)


def built(program: GoProgram) -> Path:
    """A program in Go; where it cannot be built, the reason is printed, and under CI it fails."""
    try:
        return get_program(program, cache_folder(), timeout_s=BUILD_TIMEOUT_S)
    except LabError as error:
        reason = f"{program.name} cannot be asked here: {error}"
    raise cannot_run(reason)
