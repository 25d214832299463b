"""The program, built once for all tests, and one application that a test can look at."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stamplab.lab.errors import NotPossibleHere
from stamplab.lab.workload import build
from tests.unit.lab.workload.running import Application, free_port


@pytest.fixture(scope="session")
def stampload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return build.build_program(tmp_path_factory.mktemp("cache"))
    except NotPossibleHere as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def sanitized(stampload: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with the compiler's own checks on memory; the plain one where there are none."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    program = tmp_path_factory.mktemp("sanitized") / "stampload"
    checks = ["-std=c11", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    sources = [str(build.SOURCE_DIR / name) for name in build.SOURCES]
    if compiler is None:
        return stampload
    built = subprocess.run([compiler, *checks, *sources, "-o", program], capture_output=True)
    runs = built.returncode == 0 and subprocess.run([program, "--version"], capture_output=True)
    return program if runs and runs.returncode == 0 else stampload


Serve = Callable[..., Application]


@pytest.fixture
def serve(stampload: Path, tmp_path: Path) -> Iterator[Serve]:
    """Start `stampload serve` with settings such as peak_bytes=1; what still runs is killed."""
    started: list[Application] = []

    def start(**settings: object) -> Application:
        settings = {"port": free_port(), **settings}
        environment = {f"STAMPLOAD_{name.upper()}": str(value) for name, value in settings.items()}
        log = tmp_path / f"serve-{len(started)}.jsonl"
        started.append(Application(stampload, environment, log))
        return started[-1]

    yield start
    for application in started:
        application.process.kill()
        application.process.wait(timeout=30)


@pytest.fixture
def app(serve: Serve) -> Application:
    """One that leads the plainest life, and is ready."""
    application = serve()
    application.wait_for("ready")
    return application
