"""Engines: where their programs are looked for, and what is said of those that do not run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stamplab.lab.errors import LabError, NotPossibleHere
from stamplab.lab.live.daemon import Daemon
from stamplab.lab.live.engine import REQUIRED, DockerEngine, find_engine, link_tools
from stamplab.lab.live.lease import LabFolder
from tests.scripts import put, script


def make_engine(root: Path, *, without: str = "", version: str = "20.10.24") -> Path:
    """An engine whose programs answer to --version and do nothing else."""
    names = [spellings[-1] for spellings in REQUIRED.values() if spellings[-1] != without]
    put(root / "usr" / "bin", *names, lines=f"echo 'Docker version {version}, build abc'")
    return root


def test_an_engine_is_found_in_the_folder_given(bare: Path) -> None:
    engine = find_engine(make_engine(bare / "engine"))
    assert engine.version == "20.10.24"
    assert engine.source == str(bare / "engine")
    assert engine.tools["iptables"].name == "xtables-nft-multi"


def test_an_engine_is_found_in_the_cache(bare: Path) -> None:
    make_engine(bare / "cache" / "engine", version="26.1.5")
    assert find_engine().version == "26.1.5"


def test_an_engine_on_path_precedes_the_cache(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_engine(bare / "cache" / "engine", version="26.1.5")
    make_engine(bare / "host", version="28.5.2")
    monkeypatch.setenv("PATH", str(bare / "host" / "usr" / "bin"))
    engine = find_engine()
    assert (engine.version, engine.source) == ("28.5.2", "PATH")


def test_the_static_busybox_is_preferred(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_engine(bare / "host")
    static = script(bare / "cache" / "engine" / "bin" / "busybox", "")
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


def test_all_that_is_missing_is_named_at_once(bare: Path) -> None:
    put(bare / "host", "sh", "mount", "ip")
    with pytest.raises(NotPossibleHere) as raised:
        find_engine()
    named = str(raised.value).partition(": ")[2].partition(" not found")[0].split(", ")
    assert named == [name for name in REQUIRED if name not in {"sh", "mount", "ip"}]


def test_what_a_folder_lacks_is_taken_from_path(bare: Path) -> None:
    put(bare / "host", *REQUIRED)
    put(bare / "engine" / "sbin", "dockerd")
    engine = find_engine(bare / "engine")
    assert engine.tools["dockerd"] == bare / "engine" / "sbin" / "dockerd"
    assert engine.tools["mount"] == bare / "host" / "mount"
    assert engine.source == str(bare / "engine")


def test_a_folder_without_an_engine_does_not_pass_for_the_one_on_path(bare: Path) -> None:
    put(bare / "host", *REQUIRED)
    (bare / "engine").mkdir()
    with pytest.raises(NotPossibleHere, match=r"there is no dockerd in .*engine"):
        find_engine(bare / "engine")


def test_an_engine_may_have_a_relative_path(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(bare / "engine" / "bin", *REQUIRED)
    monkeypatch.chdir(bare)
    engine = find_engine(Path("engine"))
    assert all(tool.is_absolute() and tool.exists() for tool in engine.tools.values())


def test_what_cannot_be_executed_is_not_found(bare: Path) -> None:
    put(bare / "host", *REQUIRED)
    (bare / "host" / "runc").chmod(0o644)
    with pytest.raises(NotPossibleHere, match=": runc not found"):
        find_engine()


def test_optional_tools_may_be_absent_or_go_by_another_name(bare: Path) -> None:
    put(bare / "host", *REQUIRED)
    assert "docker-init" not in find_engine().tools
    put(bare / "host", "tini")
    assert find_engine().tools["docker-init"].name == "tini"


def test_a_tool_of_many_names_is_called_by_the_name_that_is_meant(bare: Path) -> None:
    names = set(REQUIRED) - {"iptables", "ip6tables"}
    put(bare / "host", *names)
    put(bare / "host", "xtables-nft-multi", lines="echo ${0##*/}")
    links = link_tools(find_engine(), bare / "bin")
    for name in ("iptables", "ip6tables", "iptables-save"):
        ran = subprocess.run([links / name], capture_output=True, text=True, check=True)
        assert ran.stdout == f"{name}\n"


def test_without_libraries_beside_it_an_engine_needs_no_environment(bare: Path) -> None:
    put(bare / "engine" / "bin", *REQUIRED)
    (bare / "engine" / "lib" / "x86_64-linux-gnu").mkdir(parents=True)
    assert find_engine(bare / "engine").environment == {}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("echo libdevmapper.so.1: cannot open >&2; exit 127", r"libdevmapper\.so\.1: cannot open"),
        ("exit 3", "exit status 3"),
    ],
)
def test_an_engine_that_does_not_run_is_quoted(bare: Path, lines: str, message: str) -> None:
    put(bare / "host", *REQUIRED)
    put(bare / "host", "dockerd", lines=lines)
    with pytest.raises(LabError, match=rf"dockerd does not run: .*{message}"):
        find_engine()


def test_an_engine_of_another_machine_is_said_not_to_run(bare: Path) -> None:
    put(bare / "host", *REQUIRED)
    (bare / "host" / "dockerd").write_bytes(b"\x7fELF of another machine")
    with pytest.raises(LabError, match=r"dockerd does not run: .*Exec format error"):
        find_engine()
