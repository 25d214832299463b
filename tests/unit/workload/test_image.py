"""The image: the same programs give the same bytes, and what is in them can start."""

import io
import os
import re
import shutil
import sys
import tarfile
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.workload.image import image_tag, is_static, rootfs_tar


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
