"""Programs come from PATH, or from the folders that a package names and from nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stamplab.lab.abra import driver as abra
from stamplab.lab.abra.folder import AbraFolder
from stamplab.lab.cgroup.host import choose_driver
from stamplab.lab.errors import NotPossibleHere
from stamplab.lab.live.engine import OPTIONAL, REQUIRED, find_engine
from stamplab.lab.live.inventory import GO_PROGRAMS, Item, inventory
from stamplab.lab.support import programs
from tests import PYTHON_PATH
from tests.scripts import put, script

PLAIN = ("git", "abra", "cp", "ln", "printf", "true")
ROOT = Path(__file__).parents[4]


@pytest.fixture
def callers(bare: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A caller's PATH with everything on it, and a cache with an engine as well."""
    everything = (*REQUIRED, *OPTIONAL, "git", "abra")
    path = put(bare / "host", *everything, lines="echo Docker version 1.0.0, callers")
    monkeypatch.setattr("stamplab.lab.live.engine._SYSTEM_FOLDERS", (path,))
    put(bare / "cache/engine/usr/bin", *everything, lines="echo Docker version 1.5.0, cache")
    return path


@pytest.fixture
def tools(callers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package's own folder; in it whatever a test puts there."""
    folder = tmp_path / "given"
    folder.mkdir()
    monkeypatch.setenv("STAMPLAB_TOOLS", str(folder))
    return folder


def test_without_a_package_programs_are_on_path(callers: Path) -> None:
    assert programs.find("git") == callers / "git"
    assert programs.search_path() == str(callers)
    assert programs.places_text() == "on PATH"
    assert find_engine().source == "PATH"


def test_a_packages_engine_is_all_its_own(tools: Path) -> None:
    put(tools, *REQUIRED, lines="echo Docker version 2.0.0, given")
    engine = find_engine()
    assert (engine.version, engine.source) == ("2.0.0", str(tools / "dockerd"))
    assert {path.parent for path in engine.tools.values()} - {Path("/usr/bin")} == {tools}


@pytest.mark.parametrize("missing", sorted(REQUIRED))
def test_what_a_package_lacks_is_not_the_callers(tools: Path, missing: str) -> None:
    put(tools, *REQUIRED.keys() - {missing}, lines="echo Docker version 2.0.0, given")
    with pytest.raises(NotPossibleHere, match=rf"{missing} not found in \$STAMPLAB_TOOLS"):
        find_engine()


def test_an_engine_given_by_hand_goes_first(tools: Path, tmp_path: Path) -> None:
    put(tools, *REQUIRED, lines="echo Docker version 2.0.0, given")
    put(tmp_path / "mine/bin", "dockerd", lines="echo Docker version 3.0.0, mine")
    engine = find_engine(tmp_path / "mine")
    assert engine.version == "3.0.0"
    assert engine.tools["runc"] == tools / "runc"


def test_a_packages_abra_and_no_other(tools: Path) -> None:
    assert not abra.find_abra().is_real
    put(tools, "abra", lines="echo abra")
    assert abra.find_abra().argv == (str(tools / "abra"),)
    assert abra.find_abra(Path(os.environ["PATH"]) / "abra").is_real


def test_abra_runs_programs_of_the_package(tools: Path, tmp_path: Path) -> None:
    folder = AbraFolder(tmp_path / "abra")
    assert abra.abra_environment(folder, "unix:///x")["PATH"] == str(tools)


def test_the_stand_in_finds_our_packages(tmp_path: Path) -> None:
    """A packaged Python may bring its libraries by other means than its own folder."""
    environment = abra.abra_environment(AbraFolder(tmp_path), "unix:///x")
    done = subprocess.run(
        [sys.executable, "-I", "-c", "import sys; print(sys.path)"], capture_output=True, check=True
    )
    assert done.returncode == 0
    assert set(filter(None, sys.path)) <= set(environment["PYTHONPATH"].split(os.pathsep))


def test_systemd_is_the_hosts(tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tools, *REQUIRED, lines="echo Docker version 2.0.0, given")
    system = put(tmp_path / "system", "systemd-run", lines="echo systemd 257")
    monkeypatch.setattr(programs, "_SYSTEM_PATH", str(system))
    monkeypatch.delenv("STAMPLAB_CGROUP_DRIVER", raising=False)
    assert find_engine().tools["systemd-run"] == system / "systemd-run"
    assert choose_driver(tmp_path) == "systemd"
    (system / "systemd-run").unlink()
    assert "systemd-run" not in find_engine().tools
    assert choose_driver(tmp_path) == "cgroupfs"


@pytest.mark.parametrize("has_one", [True, False])
def test_git_is_the_packages_or_none(tools: Path, tmp_path: Path, *, has_one: bool) -> None:
    """Asked in a process of its own, for GitPython looks for git when it is imported."""
    logging = 'echo "$0" git version 2.47.0 >>"$LOG"; echo git version 2.47.0'
    if has_one:
        put(tools, "git", lines=logging)
    put(tools.parent / "host", "git", lines=logging)
    code = (
        "from pathlib import Path\nfrom stamplab.lab.errors import LabError\n"
        "from stamplab.lab.recipe import git\nfrom git.exc import GitError\n"
        f"for act in (lambda: git.create(Path({str(tmp_path / 'made')!r})),"
        f" lambda: git.plumbing(Path({str(tmp_path)!r}), {{}}, 'version')):\n"
        "    try:\n        act()\n    except (LabError, OSError, GitError) as error:\n"
        "        print(type(error).__name__)\n"
    )
    log = tmp_path / "log"
    subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": PYTHON_PATH, "LOG": str(log)},
        check=True,
    )
    ran = log.read_text().splitlines() if log.exists() else []
    assert {line.split()[0] for line in ran} == ({str(tools / "git")} if has_one else set())
    assert len(ran) >= 3 * has_one


def test_an_inventory_names_each_program_its_version_and_its_place(tools: Path) -> None:
    put(tools, *REQUIRED, lines="echo Docker version 2.0.0, given")
    script(tools / "ip", "exit 3")
    put(tools, "stackspec", lines="echo stackspec of docker/cli v28.5.2+incompatible")
    items = {item.name: item for item in inventory()}
    assert set(items) == {
        "python",
        *REQUIRED,
        *OPTIONAL,
        *PLAIN,
        "stampload",
        *(program.name for program in GO_PROGRAMS),
    }
    assert items["dockerd"] == Item(name="dockerd", path=tools / "dockerd", version="2.0.0")
    assert items["ip"] == Item(name="ip", path=tools / "ip", version=None)
    assert items["git"] == Item(name="git", path=None, version=None)
    assert items["stackspec"].version == "28.5.2+incompatible"
    assert items["swarmsim"] == Item(name="swarmsim", path=None, version=None)
    (tools / "runc").unlink()  # an incomplete engine is listed all the same
    items = {item.name: item for item in inventory()}
    assert (items["runc"].path, items["dockerd"].version) == (None, "2.0.0")
