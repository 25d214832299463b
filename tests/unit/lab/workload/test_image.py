"""The image: the same programs give the same bytes, and what is in them can start."""

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from stamplab.lab.errors import LabError
from stamplab.lab.live.engine import tools_in
from stamplab.lab.workload.image import image_tag, is_static, rootfs_tar
from tests.unit.lab.workload.running import free_port, wait_until


def test_the_same_programs_give_the_same_bytes(stampload: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copyfile(stampload, tmp_path / "copy"))
    copy.chmod(0o600)
    os.utime(copy, (1, 1))
    first, second = rootfs_tar(stampload, stampload), rootfs_tar(copy, copy)
    assert first == second
    assert image_tag(first) == image_tag(second)
    assert re.fullmatch("stampload:[0-9a-f]{12}", image_tag(first))


def test_another_program_is_another_image(stampload: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(stampload.read_bytes() + b"\0")
    assert image_tag(rootfs_tar(stampload, stampload)) != image_tag(rootfs_tar(other, stampload))


def test_what_is_in_the_image(stampload: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(rootfs_tar(stampload, stampload))) as tar:
        members = tar.getmembers()
    names = [member.name for member in members]
    assert names == sorted(names)
    assert {"bin/stampload", "bin/busybox", "bin/sh", "bin/nslookup", "etc/passwd"} <= set(names)
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in members} == {(0, 0, 0, "", "")}
    by_name = {member.name: member for member in members}
    assert by_name["bin/ls"].linkname == "busybox"
    assert by_name["bin/curl"].linkname == "/bin/stand-in"
    assert (by_name["tmp"].mode, by_name["bin/stampload"].mode) == (0o1777, 0o755)
    assert by_name["bin/stampload"].size == stampload.stat().st_size


def test_a_program_that_needs_libraries_is_refused(stampload: Path, tmp_path: Path) -> None:
    shell = Path("/bin/sh")
    if not shell.exists() or is_static(shell.read_bytes()):
        pytest.skip("no dynamic program at hand")
    with pytest.raises(LabError, match="not a static program"):
        rootfs_tar(stampload, shell)


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF" + b"\xff" * 96])
def test_what_is_no_program_is_not_static(content: bytes) -> None:
    assert not is_static(content)


def test_a_program_that_is_not_there(stampload: Path, tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"the image needs the program .*/gone: No such file"):
        rootfs_tar(stampload, tmp_path / "gone")


def test_the_python_of_this_test_shows_that_dynamic_is_seen() -> None:
    content = Path(sys.executable).read_bytes()
    if content[:4] != b"\x7fELF":
        pytest.skip("this Python is no ELF program")
    assert not is_static(content)


# What is in the image, started and asked in a root of its own.

CALLED = ("/bin/traefik", "/bin/wget", "/bin/redis-cli", "/bin/bash", "/bin/grep", "/opt/x/check")
ASKED: tuple[tuple[str, ...], ...] = (
    ("traefik", "healthcheck"),
    ("/opt/x/check",),
    ("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9000; grep UP <&3"),
    ("sh", "-c", "wget -q -O /dev/null http://127.0.0.1/ || exit 1"),
    ("sh", "-ec", "redis-cli ping | grep PONG"),
    ("sh", "-c", '[ "$(redis-cli ping)" = PONG ]'),
)


@pytest.fixture
def root(stampload: Path, tmp_path: Path) -> Path:
    if os.geteuid() != 0:
        pytest.skip("not root: no other root can be entered")
    busybox = tools_in(None)[0].get("busybox")
    if busybox is None or not is_static(busybox.read_bytes()):
        pytest.skip("there is no static busybox here")
    with tarfile.open(fileobj=io.BytesIO(rootfs_tar(stampload, busybox, CALLED))) as tar:
        tar.extractall(tmp_path / "root")  # noqa: S202 - made a line above
    return tmp_path / "root"


def within(root: Path, *command: str, prefix: tuple[str, ...] = ()) -> list[str]:
    return [*prefix, "chroot", str(root), *command]


def environment(port: int) -> dict[str, str]:
    shape = {"STAMPLOAD_PEAK_BYTES": "1", "STAMPLOAD_STEADY_BYTES": "1", "STAMPLOAD_BOOT_S": "0"}
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "STAMPLOAD_PORT": str(port), **shape}


@pytest.mark.parametrize("command", ASKED)
def test_a_recipes_health_check_asks_the_workload(root: Path, command: tuple[str, ...]) -> None:
    settings = environment(free_port())

    def is_healthy() -> bool:
        asked = subprocess.run(within(root, *command), env=settings, capture_output=True)
        return asked.returncode == 0

    assert not is_healthy()
    serving = within(root, "/bin/stampload", "serve")
    with subprocess.Popen(serving, env=settings, stdout=subprocess.DEVNULL) as process:
        try:
            wait_until(is_healthy, f"{command} to find it healthy")
        finally:
            process.kill()


@pytest.mark.parametrize(
    "command", [("/bin/stand-in", "server", "--a"), ("sh", "-c", "nope"), ("traefik",)]
)
def test_a_containers_first_process_serves(root: Path, command: tuple[str, ...]) -> None:
    settings = environment(free_port())
    prefix = ("unshare", "--pid", "--fork", "--kill-child")
    health = within(root, "/bin/stampload", "probe")
    with subprocess.Popen(
        within(root, *command, prefix=prefix), env=settings, stdout=subprocess.DEVNULL
    ) as process:
        try:
            wait_until(
                lambda: subprocess.run(health, env=settings, capture_output=True).returncode == 0,
                "the first process to serve",
            )
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("command", "given", "ended"),
    [
        (("sh", "-c", 'echo "$0 $1 $((1 + 1))"', "a", "b"), "", (0, "/bin/sh b 2\n")),
        (("sh",), "echo it; exit 3\n", (3, "it\n")),
    ],
)
def test_shells_keep_working(
    root: Path, command: tuple[str, ...], given: str, ended: tuple[int, str]
) -> None:
    done = subprocess.run(
        within(root, *command), env=environment(1), input=given, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == ended
