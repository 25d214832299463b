"""The image of the workload: a root file system of two static programs, made here.

No registry is asked: the daemon of the lab imports this tar. The same programs give the same bytes,
so an image's name says exactly what is in it.
"""

import hashlib
import io
import struct
import tarfile
from pathlib import Path

from lab.errors import LabError

HEALTH_COMMAND = "curl"
"""What recipes' health checks call; here it asks the workload, whatever it is called with.

An overlay cannot replace a recipe's own health check: docker/cli's loader *appends* lists when it
merges files, so the recipe's command must work as it stands.
"""

_ASK_THE_WORKLOAD = b"#!/bin/sh\nexec /bin/stampload probe\n"

APPLETS = ("cat", "ls", "nslookup", "sh", "sleep", "wget")
PASSWD = b"root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"

_PT_INTERP = 3


def rootfs_tar(stampload: Path, busybox: Path) -> bytes:
    """Return the image's root file system as a tar: the two programs and what a shell needs.

    Both must be static programs of the machine, since the image holds no library. Raises `LabError`
    when one cannot be read or is not static.
    """
    entries = {
        "bin": _entry(tarfile.DIRTYPE, 0o755),
        "bin/busybox": _program(busybox),
        "bin/stampload": _program(stampload),
        f"bin/{HEALTH_COMMAND}": _entry(tarfile.REGTYPE, 0o755, _ASK_THE_WORKLOAD),
        "etc": _entry(tarfile.DIRTYPE, 0o755),
        "etc/passwd": _entry(tarfile.REGTYPE, 0o644, PASSWD),
        "tmp": _entry(tarfile.DIRTYPE, 0o1777),
    }
    for applet in APPLETS:
        entries[f"bin/{applet}"] = _entry(tarfile.SYMTYPE, 0o777, linkname="busybox")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, (info, content) in sorted(entries.items()):
            info.name = name
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def image_tag(tar: bytes) -> str:
    """Return the name to import this root file system under: `stampload:<12 hex digits>`."""
    return f"stampload:{hashlib.sha256(tar).hexdigest()[:12]}"


def is_static(program: bytes) -> bool:
    """Say whether these are the bytes of a Linux program that needs no loader and no library."""
    if program[:4] != b"\x7fELF" or len(program) < 64:
        return False
    order = "<" if program[5] == 1 else ">"
    if program[4] == 2:  # 64 bit
        (table,) = struct.unpack_from(order + "Q", program, 32)
        size, count = struct.unpack_from(order + "HH", program, 54)
    else:
        (table,) = struct.unpack_from(order + "I", program, 28)
        size, count = struct.unpack_from(order + "HH", program, 42)
    if size == 0 or table + size * count > len(program):
        return False
    segments = (struct.unpack_from(order + "I", program, table + i * size)[0] for i in range(count))
    return _PT_INTERP not in segments


def _program(path: Path) -> tuple[tarfile.TarInfo, bytes]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LabError(f"the image needs the program {path}: {error.strerror}") from error
    if not is_static(content):
        raise LabError(
            f"{path} is not a static program: in an image without libraries it could not start"
        )
    return _entry(tarfile.REGTYPE, 0o755, content)


def _entry(
    kind: bytes, mode: int, content: bytes = b"", linkname: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    """Describe an entry by nothing but what it is: no time, no owner's name."""
    info = tarfile.TarInfo()
    info.type, info.mode, info.size, info.linkname = kind, mode, len(content), linkname
    return info, content
