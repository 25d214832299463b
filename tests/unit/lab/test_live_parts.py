"""The live lab's parts that need no daemon: processes by identity, leases, engines, recorders."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from stamplab.lab.errors import LabError, NotPossibleHere, UsageError
from stamplab.lab.live.daemon import Daemon
from stamplab.lab.live.engine import REQUIRED, DockerEngine, find_engine, link_tools
from stamplab.lab.live.lease import LabFolder, claim_folder, end_lease
from stamplab.lab.support.processes import ProcessId, boot_id
from tests.unit.lab.fake_group import FakeGroup


def own() -> ProcessId:
    identity = ProcessId.of(os.getpid())
    assert identity is not None
    return identity


def test_we_are_alive_and_identified() -> None:
    assert own().is_alive()
    assert own() == own()


def test_a_pid_that_was_reused_is_another_process() -> None:
    later = msgspec.structs.replace(own(), started_ticks=own().started_ticks + 1)
    assert not later.is_alive()
    assert later.kill(timeout_s=0)
    assert own().is_alive()


def test_a_pid_of_an_earlier_boot_is_another_process() -> None:
    earlier = msgspec.structs.replace(own(), boot_id="not-" + boot_id())
    assert not earlier.is_alive()


def test_a_process_is_killed_and_then_gone() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        identity = ProcessId.of(process.pid)
        assert identity is not None
        assert identity.kill(timeout_s=20)
        process.wait(20)
    assert not identity.is_alive()
    assert ProcessId.of(process.pid) != identity


def test_a_zombie_is_dead() -> None:
    with subprocess.Popen(["true"]) as process:
        identity = ProcessId.of(process.pid)
        deadline_s = time.monotonic() + 20
        while identity is not None and identity.is_alive():
            assert time.monotonic() < deadline_s
            time.sleep(0.01)


def test_a_command_may_have_brackets_and_blanks_in_its_name(tmp_path: Path) -> None:
    odd = tmp_path / "a) S (b 1 2"
    odd.symlink_to(sys.executable)
    with subprocess.Popen([odd, "-I", "-c", "import time; time.sleep(60)"]) as process:
        identity = ProcessId.of(process.pid)
        assert identity is not None
        assert identity.is_alive()
        process.kill()


def test_a_lease_is_there_from_the_first_moment_and_nothing_after_the_last(tmp_path: Path) -> None:
    root = tmp_path / "labs"
    folder, lease = claim_folder(root, kept=False)
    assert folder.read_lease() == lease
    assert lease.owner == own()
    assert lease.cgroup == f"/stamplab-{lease.lab_id}"
    assert folder.scratch.is_dir()
    group = FakeGroup()
    end_lease(folder, lease, group)
    assert group.removed == 1
    assert not root.exists()


def test_the_labs_root_stays_while_another_lab_is_in_it(tmp_path: Path) -> None:
    first, lease = claim_folder(tmp_path / "labs", kept=False)
    second, _ = claim_folder(tmp_path / "labs", kept=False)
    end_lease(first, lease, FakeGroup())
    assert second.read_lease().lab_id == second.lab_id


def test_a_socket_path_too_long_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    root = tmp_path / ("long" * 25)
    with pytest.raises(LabError, match="STAMPLAB_DIR to a shorter folder"):
        claim_folder(root, kept=False)
    assert not root.exists()


def test_a_relative_root_is_refused() -> None:
    with pytest.raises(UsageError, match="absolute"):
        claim_folder(Path("labs"), kept=False)


def test_a_root_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match="Not a directory"):
        claim_folder(tmp_path / "file" / "labs", kept=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_root_of_another_user_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "labs"
    root.mkdir()
    os.chown(root, 12345, 12345)
    with pytest.raises(LabError, match="belongs to another user"):
        claim_folder(root, kept=False)
    assert not list(root.glob("lab-*"))


def test_a_lease_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = LabFolder(tmp_path / "lab-1")
    with pytest.raises(LabError, match="cannot be read"):
        folder.read_lease()
    folder.path.mkdir()
    folder.lease_file.write_text("{")
    with pytest.raises(LabError, match="cannot be read"):
        folder.read_lease()


def make_engine(root: Path, *, without: str = "", version: str = "20.10.24") -> Path:
    """An engine whose programs answer to --version and do nothing else."""
    folder = root / "usr" / "bin"
    folder.mkdir(parents=True)
    for spellings in REQUIRED.values():
        program = folder / spellings[-1]
        if spellings[-1] != without:
            program.write_text(f"#!/bin/sh\necho 'Docker version {version}, build abc'\n")
            program.chmod(0o755)
    return root


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on PATH and an empty cache."""
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setenv("STAMPLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("stamplab.lab.live.engine._SYSTEM_FOLDERS", ())
    return tmp_path


def test_an_engine_is_found_in_the_folder_given(bare: Path) -> None:
    engine = find_engine(make_engine(bare / "engine"))
    assert engine.version == "20.10.24"
    assert engine.source == str(bare / "engine")
    assert engine.tools["iptables"].name == "xtables-nft-multi"


def test_an_engine_is_found_in_the_cache(bare: Path) -> None:
    make_engine(bare / "cache" / "engine", version="26.1.5")
    assert find_engine().version == "26.1.5"


def test_an_engine_on_path_comes_before_the_cache(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_engine(bare / "cache" / "engine", version="26.1.5")
    make_engine(bare / "host", version="28.5.2")
    monkeypatch.setenv("PATH", str(bare / "host" / "usr" / "bin"))
    engine = find_engine()
    assert (engine.version, engine.source) == ("28.5.2", "PATH")


def test_the_static_busybox_of_the_set_up_comes_before_the_hosts(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_engine(bare / "host")
    static = bare / "cache" / "engine" / "bin" / "busybox"
    static.parent.mkdir(parents=True)
    static.write_text("#!/bin/sh\n")
    static.chmod(0o755)
    monkeypatch.setenv("PATH", str(bare / "host" / "usr" / "bin"))
    assert find_engine().tools["busybox"] == static


def test_what_is_missing_is_named(bare: Path) -> None:
    with pytest.raises(NotPossibleHere, match=r": runc not found .* \./run setup fetches"):
        find_engine(make_engine(bare / "engine", without="runc"))
    with pytest.raises(NotPossibleHere, match="there is no engine folder"):
        find_engine(bare / "none")


def test_libraries_beside_an_unpacked_engine_are_found(bare: Path) -> None:
    root = make_engine(bare / "engine")
    library = root / "usr" / "lib" / "x86_64-linux-gnu"
    (library / "xtables").mkdir(parents=True)
    (library / "libnftnl.so.11").write_text("")
    assert find_engine(root).environment == {
        "LD_LIBRARY_PATH": str(library),
        "XTABLES_LIBDIR": str(library / "xtables"),
    }


def test_the_daemons_path_is_one_folder_of_links(bare: Path) -> None:
    engine = find_engine(make_engine(bare / "engine"))
    links = link_tools(engine, bare / "bin")
    assert {link.name for link in links.iterdir()} == set(engine.tools)
    assert "modprobe" not in engine.tools


def test_an_apps_settings_reach_the_client_but_do_not_steer_it(tmp_path: Path) -> None:
    """They may come from a recipe, and the client runs as root outside the lab's namespaces."""
    engine = DockerEngine(
        tools={}, environment={"LD_LIBRARY_PATH": "/own"}, version="0", source="x"
    )
    daemon = Daemon(engine, LabFolder(tmp_path / "lab-0"))
    settings = {"DOMAIN": "a.org", "PATH": "/evil", "HOME": "/evil", "LD_PRELOAD": "/evil"}
    settings |= {"LD_LIBRARY_PATH": "/evil", "DOCKER_HOST": "tcp://evil", "DOCKER_CONTEXT": "evil"}
    environment = daemon.client_environment(settings)
    assert environment["DOMAIN"] == "a.org"
    assert environment["LD_LIBRARY_PATH"] == "/own"
    assert environment["DOCKER_HOST"] == daemon.url
    assert not any("evil" in value for value in environment.values())
