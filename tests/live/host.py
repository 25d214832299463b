"""The whole host as a value, to show that a lab leaves it as it was.

Reading changes nothing: no module is loaded for it and no table is made. Others may be at work on
the same machine: what is held by their labs or processes is marked as theirs, and does not count;
what nobody holds does.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from stamplab.lab.cgroup.host import read_cgroup_host
from stamplab.lab.errors import LabError
from stamplab.lab.live.engine import find_engine
from stamplab.lab.live.lease import labs_root
from tests.live.traces import engine_files, labs_of_others

Snapshot = dict[str, str]
"""What there is, by name; a list has an entry an item, so that a difference names it."""

Differences = dict[str, tuple[str | None, str | None]]
"""Values before and after, by name; None where there was none."""

THEIRS = "somebody else's"
"""The value of what is held by processes that are neither ours nor our labs'."""

_SETTLE_S = 20.0
_POLL_S = 0.5

CHANGES_BY_ITSELF = {
    "/proc/sys/net/netfilter/nf_conntrack_count": "counts the connections of the whole host",
    "/proc/sys/vm/stat_refresh": "has no value: reading it is an action (mm/vmstat.c)",
}
"""Sysctls that are left out, each with the reason; no other changed in an idle minute."""

_COUNTS_DOWN = {"valid_life_time", "preferred_life_time", "expires"}
"""Seconds that are left of an address or a route from DHCP or a router (ip-address(8))."""

_LAB = re.compile(r"/(?:stamplab|lab)-([0-9a-f]{8})\b")


# Everything, not a list of what a lab might touch (ADR 0012).
def snapshot() -> Snapshot:
    """Read all of it."""
    others = labs_of_others()
    values = dict(_everything(_Owners(others)))
    others |= labs_of_others()  # one may have come while we looked
    return {name: THEIRS if _lab_in(name) in others else value for name, value in values.items()}


def differences(before: Snapshot, after: Snapshot) -> Differences:
    """What is not the same; what is, or was, somebody else's may change."""
    pairs = {name: (before.get(name), after.get(name)) for name in sorted({*before, *after})}
    return {
        name: (was, now)
        for name, (was, now) in pairs.items()
        if was != now and THEIRS not in (was, now)
    }


def differences_since(
    before: Snapshot, *, but: Callable[[str], bool] = lambda _: False
) -> Differences:
    """What is different now and stays so, ``but`` for the names that this is true of.

    What others put up and take away meanwhile does not stay.
    """
    deadline_s = time.monotonic() + _SETTLE_S
    while True:
        changes = differences(before, snapshot())
        changes = {name: values for name, values in changes.items() if not but(name)}
        if not changes or time.monotonic() >= deadline_s:
            return changes
        time.sleep(_POLL_S)


def _everything(owners: _Owners) -> Iterator[tuple[str, str]]:
    for root in (Path("/proc/sys/net"), Path("/proc/sys/vm")):
        yield from _sysctls(root)
    yield from _modules()
    yield from _files_of_netfilter()
    yield from _rules()
    yield from _links()
    for family in ("-4", "-6"):
        for thing in ("route", "rule"):
            yield from _routing(family, thing)
    yield "docker0", str(Path("/sys/class/net/docker0").exists())
    yield "apparmor", _read(Path("/sys/kernel/security/apparmor/profiles")) or ""
    yield from _control_groups(owners)
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        yield f"mount {line}", ""
    yield from _sockets(owners)
    yield from _net_namespaces(owners)
    yield from _files()


def _sysctls(root: Path) -> Iterator[tuple[str, str]]:
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            if str(path) not in CHANGES_BY_ITSELF:
                yield str(path), _read(path) or ""


def _modules() -> Iterator[tuple[str, str]]:
    for line in (_read(Path("/proc/modules")) or "").splitlines():
        yield f"module {line.split()[0]}", ""
    for path in Path("/sys/module").iterdir():  # what is built in shows here, and only here
        yield f"module {path.name}", ""


def _files_of_netfilter() -> Iterator[tuple[str, str]]:
    for pattern in ("*_tables_names", "*_tables_targets", "*_tables_matches", "netfilter/*"):
        for path in Path("/proc/net").glob(pattern):
            yield str(path), _read(path) or ""


def _rules() -> Iterator[tuple[str, str]]:
    """Read the rules with whatever tool is there.

    The nft tools have the kernel load nf_tables (nfnetlink asks for it), so they are asked only
    where it is in the kernel already or nothing can be loaded: without it there are no rules of it.
    The legacy tools read no table that is not named in /proc/net/ip_tables_names.
    """
    is_there = Path("/sys/module/nf_tables").exists() or not Path("/proc/modules").exists()
    for name, command, environment in _rule_readers():
        if is_there:
            output = _run(command, environment)
            # The date in comments and the packets that a chain has counted say nothing of rules.
            rules = [re.sub(r"\[\d+:\d+\]", "", line) for line in output.splitlines()]
            yield name, "\n".join(line for line in rules if not line.startswith("#"))


def _rule_readers() -> Iterator[tuple[str, list[str], dict[str, str]]]:
    try:
        engine = find_engine()
    except LabError:
        return
    program = engine.tools.get("iptables-save")
    if program is not None:
        multi = program.name.startswith("xtables")
        for name in ("iptables-save", "ip6tables-save"):
            spelled = [str(program), name] if multi else [str(program.with_name(name))]
            yield name, spelled, engine.environment
    nft = shutil.which("nft", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if nft is not None:
        yield "nft", [nft, "--stateless", "list", "ruleset"], {}


def _links() -> Iterator[tuple[str, str]]:
    for link in _ip("link", "show"):
        yield f"link {link['ifname']}", json.dumps(link, sort_keys=True)
    for link in _ip("addr", "show"):
        yield f"addresses of {link['ifname']}", json.dumps(link["addr_info"], sort_keys=True)


def _routing(family: str, thing: str) -> Iterator[tuple[str, str]]:
    for item in _ip(family, thing, "show", *(["table", "all"] if thing == "route" else [])):
        yield f"{thing} {family} {json.dumps(item, sort_keys=True)}", ""


def _ip(*arguments: str) -> list[Any]:
    output = _run(["ip", "-json", *arguments], {})
    items = _without_countdowns(json.loads(output or "[]"))
    assert isinstance(items, list)
    return items


def _without_countdowns(value: object) -> object:
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if key not in _COUNTS_DOWN}
        return {key: _without_countdowns(item) for key, item in kept.items()}
    if isinstance(value, list):
        return [_without_countdowns(item) for item in value]
    return value


def _control_groups(owners: _Owners) -> Iterator[tuple[str, str]]:
    host = read_cgroup_host()
    for root in {*host.v1.values(), *([host.unified] if host.unified else [])}:
        for folder, _, _ in os.walk(root):
            pids = (_read(Path(folder, "cgroup.procs")) or "").split()
            yield f"control group {folder}", owners.mark({f"pid:{pid}" for pid in pids})


def _sockets(owners: _Owners) -> Iterator[tuple[str, str]]:
    """Listening sockets and bound ones of udp; their inodes tell whose they are."""
    for kind, state in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        for line in (_read(Path("/proc/net", kind)) or "").splitlines()[1:]:
            fields = line.split()
            if fields[3] == state:
                yield f"socket {kind} {fields[1]}", owners.mark({f"socket:[{fields[9]}]"})
    for line in (_read(Path("/proc/net/unix")) or "").splitlines()[1:]:
        fields = line.split(maxsplit=7)
        is_listening = len(fields) == 8 and int(fields[3], 16) & 0x10000  # __SO_ACCEPTCON
        if is_listening:
            yield f"socket unix {fields[7]}", owners.mark({f"socket:[{fields[6]}]"})


def _net_namespaces(owners: _Owners) -> Iterator[tuple[str, str]]:
    for link in owners.net_namespaces():
        yield f"net namespace {link}", owners.mark({link})


def _files() -> Iterator[tuple[str, str]]:
    """Where a dockerd, a containerd and our own labs would leave something."""
    usual = [Path(name) for name in ("/run", "/run/netns", "/etc", "/opt", "/var/lib")]
    inside = [
        path for folder in (*usual, labs_root()) if folder.is_dir() for path in folder.iterdir()
    ]
    for path in (*inside, *engine_files()):
        yield f"file {path}", ""


class _Owners:
    """Whose processes hold a socket, a net namespace, a control group: ours and our labs', or not.

    What is held goes by the names of the links in /proc: ``socket:[1234]``, ``net:[5678]``.
    """

    def __init__(self, others: set[str]) -> None:
        self._others = others
        self._ours = {
            os.getpid(),
            *(child.pid for child in psutil.Process().children(recursive=True)),
        }
        self._holders: dict[str, set[bool]] = {}
        for process in Path("/proc").glob("[0-9]*"):
            is_other = self._is_other(process)
            for link in (f"pid:{process.name}", *_links_of(process)):
                self._holders.setdefault(link, set()).add(is_other)

    def mark(self, links: set[str]) -> str:
        """THEIRS where somebody else's processes hold these, and none of ours."""
        holders = set().union(*(self._holders.get(link, set()) for link in links))
        return THEIRS if holders == {True} else ""

    def net_namespaces(self) -> list[str]:
        """All net namespaces that a process is in."""
        return [link for link in self._holders if link.startswith("net:")]

    def _is_other(self, process: Path) -> bool:
        """A process that is in no lab and no child of ours, or that is in a lab of others.

        A lab shows in its processes' command line, environment (HOME) or control groups.
        """
        marks = [_read(process / name) or "" for name in ("cmdline", "environ", "cgroup")]
        lab = _lab_in("\n".join(marks))
        if lab is not None:
            return lab in self._others
        return int(process.name) not in self._ours


def _links_of(process: Path) -> set[str]:
    """The sockets and the net namespace of a process; nothing where it has just ended."""
    held = set()
    try:
        held.add(str((process / "ns/net").readlink()))
        for descriptor in (process / "fd").iterdir():
            held.add(str(descriptor.readlink()))
    except OSError:
        pass  # it ends, or closes something, while we look
    return {link for link in held if link.startswith(("socket:", "net:"))}


def _lab_in(text: str) -> str | None:
    match = _LAB.search(text)
    return match.group(1) if match else None


def _read(path: Path) -> str | None:
    """Read a file of the kernel; some can only be written, or have no value yet."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None


def _run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return f"{done.stdout}" if done.returncode == 0 else f"failed: {done.stderr}"
