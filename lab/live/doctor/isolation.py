"""Whether a lab can be set apart from this machine: root, namespaces, ports, the host's docker."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from stamplab.lab.errors import LabError
from stamplab.lab.live import sandbox
from stamplab.lab.live.doctor.check import Check, lack, note, ok, sentence
from stamplab.lab.support import programs

_PROC = Path("/proc")
_TIMEOUT_S = 60
_CAP_SYS_ADMIN = 1 << 21
"""capabilities(7); the bit's number is of the kernel's include/uapi/linux/capability.h."""
_LISTENS = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}
"""The state of a socket that waits for others (kernel: include/net/tcp_states.h)."""
SWARM_PORTS = (2377, 4789, 7946)
"""Swarm's management, its overlay networks, and its gossip."""
_BIND_ALL = f"""
import socket
for port in {SWARM_PORTS}:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        socket.socket(socket.AF_INET, kind).bind(("", port))
"""


def root() -> Check:
    """Whether we are root."""
    found = f"user {os.geteuid()}"
    try:
        sandbox.require_root()
    except LabError as error:
        return lack("root", found, f"{sentence(error)} Run the lab with sudo.")
    return ok("root", found)


def namespaces(unshare: Path | None, proc: Path = _PROC) -> Check:
    """Really make a lab's namespaces, and say what a refusal means."""
    if unshare is None:
        return lack("namespaces", "no unshare", "It makes the namespaces: install util-linux.")
    said = _refusal([unshare, *sandbox.NAMESPACES, "--", "true"])
    if said is None:
        return ok("namespaces", "mount, net and pid can be made")
    return lack("namespaces", f"refused: {said}", _why_refused(said, proc))


def _why_refused(said: str, proc: Path) -> str:
    if os.geteuid() != 0:
        return "Only root may make them: run the lab with sudo."
    status = dict(_fields(proc / "self/status"))
    if not int(status.get("CapEff", "0"), 16) & _CAP_SYS_ADMIN:
        return (
            "This root lacks CAP_SYS_ADMIN, so it is probably a container's: run on the machine "
            "itself, or give the container --privileged."
        )
    absent = [kind for kind in ("mnt", "net", "pid") if not (proc / "self/ns" / kind).is_symlink()]
    if absent:
        return f"This kernel was built without namespaces of {', '.join(absent)}: use another."
    limits = [proc / f"sys/user/max_{kind}_namespaces" for kind in ("mnt", "net", "pid")]
    exhausted = [path.name for path in limits if path.exists() and path.read_text().strip() == "0"]
    if exhausted:
        return f"The machine allows none: user.{', user.'.join(exhausted)} = 0; raise that."
    if status.get("Seccomp") == "2":
        return (
            "A seccomp filter is on, and probably refuses: run on the machine itself, or give the "
            "container --security-opt seccomp=unconfined."
        )
    if "/proc" in said:
        return "A /proc of the lab's own is refused, probably for parts of ours are masked."
    return "The kernel's own words are all that is known."


def ports(unshare: Path | None, proc: Path = _PROC) -> Check:
    """Prove that a lab needs none of the host's ports: swarm's are free in a namespace of its own.

    Sockets of other namespaces are not in our ``/proc/net``.
    """
    taken = sorted({port for port in _listening(proc) if port in SWARM_PORTS})
    held = f"{', '.join(map(str, taken))} taken" if taken else "swarm's ports free"
    bind = ["--net", "--", sys.executable, "-I", "-S", "-c", _BIND_ALL]
    said = _refusal([unshare, *bind]) if unshare else "no unshare"
    if said is None:
        return ok(
            "ports",
            f"on the host {held}; in a net namespace of a lab's own all free",
            "A lab listens on no port of the host's, whatever holds them there.",
        )
    return note(
        "ports",
        f"on the host {held}; not tried in a namespace: {said}",
        "A lab listens on no port of the host's, which needs a namespace of its own to be shown.",
    )


def hosts_docker(
    links: Path = Path("/sys/class/net"), run: Path = Path("/run"), proc: Path = _PROC
) -> Check:
    """Whether the machine has a docker of its own, which a lab never touches."""
    found = [
        what
        for what, is_there in (
            ("dockerd runs", any(_commands(proc, "dockerd"))),
            (f"{run / 'docker.sock'}", (run / "docker.sock").exists()),
            ("docker0", (links / "docker0").exists()),
        )
        if is_there
    ]
    return ok(
        "host's docker",
        ", ".join(found) or "none",
        "A lab's engine has its own socket, links and files; the host's is never asked or touched.",
    )


def _refusal(command: Sequence[str | Path]) -> str | None:
    """Run a command; None when it succeeds, else its last words."""
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "PATH": programs.search_path()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"exit status {done.returncode}"


def _listening(proc: Path) -> Iterator[int]:
    for kind, state in _LISTENS.items():
        table = proc / "net" / kind
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            _, local, _, now, *_ = line.split()
            if now == state:
                yield int(local.rpartition(":")[2], 16)


def _commands(proc: Path, name: str) -> Iterator[Path]:
    """Processes of that name in our own pid namespace's root: not those of labs, which have one."""
    own = proc / "self/ns/pid"
    here = own.readlink() if own.is_symlink() else None
    for process in proc.glob("[0-9]*"):
        try:
            is_named = (process / "comm").read_text().strip() == name
            if is_named and (process / "ns/pid").readlink() == here:
                yield process
        except OSError:
            continue  # it has just ended, or is another user's


def _fields(status: Path) -> Iterator[tuple[str, str]]:
    for line in status.read_text().splitlines():
        name, _, value = line.partition(":")
        yield name, value.strip()
