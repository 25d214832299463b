"""The docker engine that a lab runs: found on PATH, in the cache, or given by a folder.

A lab finds its tools in a folder of links of its own alone: the tools that run are those that were
recorded, and no other program (``modprobe``, say) is found by accident.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from stamplab.lab.errors import LabError, NotPossibleHere
from stamplab.lab.support import programs
from stamplab.lab.support.cache import cache_folder

_BIN_FOLDERS = ("bin", "sbin", "usr/bin", "usr/sbin", "usr/libexec/docker", "libexec/docker")
_SYSTEM_FOLDERS = (Path("/usr/sbin"), Path("/sbin"))
"""Folders of daemons, which root's PATH does not always name."""
_LIB_FOLDERS = ("lib", "usr/lib", "lib64")
_TIMEOUT_S = 60.0

REQUIRED = {
    "dockerd": ("dockerd",),
    "docker": ("docker",),
    "containerd": ("containerd",),
    "containerd-shim-runc-v2": ("containerd-shim-runc-v2",),
    "runc": ("runc",),
    # Debian's `iptables` is a link made on installation; unpacked, only the program behind it is
    # there.
    "iptables": ("iptables", "xtables-nft-multi"),
    "ip6tables": ("ip6tables", "xtables-nft-multi"),
    "busybox": ("busybox",),
    "unshare": ("unshare",),
    "mount": ("mount",),
    "ip": ("ip",),
    "sh": ("sh",),
}
OPTIONAL = {
    "docker-proxy": ("docker-proxy",),
    "docker-init": ("docker-init", "tini"),
    "iptables-save": ("iptables-save", "xtables-nft-multi"),
    "iptables-restore": ("iptables-restore", "xtables-nft-multi"),
    "setpriv": ("setpriv",),
    "systemd-run": ("systemd-run",),
}


class DockerEngine(msgspec.Struct, frozen=True, kw_only=True):
    """A docker engine with all the programs that it runs."""

    tools: dict[str, Path]
    environment: dict[str, str]
    """Variables that name the engine's libraries, where those are not the system's."""
    version: str
    source: str
    """The place where the engine was found, for a person."""


def find_engine(given: Path | None = None) -> DockerEngine:
    """Find an engine: in ``given`` if there is one, else on PATH, else in the cache.

    A tool that the folder lacks (``ip`` or ``mount``, mostly) is taken from PATH. Raises
    NotPossibleHere with the names of what is missing.
    """
    if given is not None and not given.is_dir():
        raise NotPossibleHere(f"there is no engine folder {given}")
    unpacked = cache_folder() / "engine"
    usable = unpacked.is_dir() and not programs.has_tools_folders()
    candidates: list[Path | None] = [given] if given else [None, unpacked if usable else None]
    missing: list[str] = []
    for root in dict.fromkeys(candidates):
        tools, missing = tools_in(root)
        if given and "dockerd" in tools and not tools["dockerd"].is_relative_to(given.absolute()):
            raise NotPossibleHere(f"there is no dockerd in {given}")
        if not missing:
            return _engine(root, tools)
    raise NotPossibleHere(
        f"no docker engine that the lab could run: {', '.join(missing)} not found "
        f"{f'in {given} or ' if given else ''}{programs.places_text()}; a checkout's ./run setup "
        "fetches it on Debian and Ubuntu, elsewhere install them or give --engine FOLDER"
    )


def _engine(root: Path | None, tools: dict[str, Path]) -> DockerEngine:
    environment = _library_environment(root) if root else {}
    version = _version(tools["dockerd"], environment)
    return DockerEngine(
        tools=tools,
        environment=environment,
        version=version,
        source=_source(root, tools),
    )


def _source(root: Path | None, tools: dict[str, Path]) -> str:
    if root:
        return str(root)
    return str(programs.link_target(tools["dockerd"])) if programs.has_tools_folders() else "PATH"


def link_tools(engine: DockerEngine, folder: Path) -> Path:
    """Fill a folder with links to the engine's tools: the whole PATH of the lab's daemon."""
    folder.mkdir()
    # Nothing else is on the daemon's PATH (ADR 0002).
    for name, target in engine.tools.items():
        (folder / name).symlink_to(target)
    return folder


def tools_in(root: Path | None) -> tuple[dict[str, Path], list[str]]:
    """Look for each tool in an engine's folder, then on PATH; return the found and the missing."""
    own = [root / folder for folder in _BIN_FOLDERS] if root else []
    places = [*own, *map(Path, programs.search_path().split(os.pathsep))]
    unpacked: list[Path] = []
    if not programs.has_tools_folders():
        places += _SYSTEM_FOLDERS
        unpacked += [cache_folder() / "engine" / folder for folder in _BIN_FOLDERS]
    tools: dict[str, Path] = {}
    missing: list[str] = []
    for name, spellings in {**REQUIRED, **OPTIONAL}.items():
        # A host's busybox is often dynamic, and an image has no loader: the set-up's is static.
        tool = _find(spellings, [*unpacked, *places] if name == "busybox" else places)
        if name == "systemd-run":
            tool = tool or programs.find_systemd_client(name)
        if tool:
            tools[name] = tool
        elif name in REQUIRED:
            missing.append(name)
    return tools, missing


def _find(spellings: Iterable[str], places: Iterable[Path]) -> Path | None:
    search_path = os.pathsep.join(str(place) for place in places)
    paths = (programs.find(spelling, search_path) for spelling in spellings)
    return next(filter(None, paths), None)


def _library_environment(root: Path) -> dict[str, str]:
    """Return variables that name the libraries and iptables extensions of an unpacked engine."""
    folders: list[Path] = []
    extensions: list[Path] = []
    for library in (root / folder for folder in _LIB_FOLDERS):
        for folder in (library, *sorted(library.glob("*-linux-gnu*"))):
            if any(folder.glob("*.so*")):
                folders.append(folder)
            if (folder / "xtables").is_dir():
                extensions.append(folder / "xtables")
    environment = {"LD_LIBRARY_PATH": os.pathsep.join(map(str, folders))} if folders else {}
    if extensions:
        environment["XTABLES_LIBDIR"] = os.pathsep.join(map(str, extensions))
    return environment


def _version(dockerd: Path, environment: dict[str, str]) -> str:
    done = programs.run([str(dockerd), "--version"], _TIMEOUT_S, {**os.environ, **environment})
    if done.returncode != 0:
        message = done.stderr.strip() or f"exit status {done.returncode}"
        raise LabError(f"{dockerd} does not run: {message}")
    # "Docker version 20.10.24+dfsg1, build 5d6db84"
    return done.stdout.removeprefix("Docker version ").split(",")[0].strip()
