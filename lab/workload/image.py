"""The image of the workload: the root file system of two static programs, as a tar.

The lab's daemon imports the tar, so no registry is needed. The same programs give the same bytes,
and the image's name is a hash of them.
"""

import hashlib
import io
import re
import struct
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from stamplab.lab.errors import LabError, os_errors_as

COMMANDS = frozenset({"/bin/curl"})
"""Paths of programs for entrypoints and health checks.

A recipe's own commands are added to these; see `stamplab.lab.recipe.commands`.
"""

ENTRYPOINT = "/bin/stand-in"
"""The entrypoint of every container of the workload, whatever the recipe's arguments are."""

APPLETS = ("cat", "ls", "nslookup", "sleep")
PASSWD = b"root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"

# The container's first process, or the only child of the engine's own small init.
_IS_FIRST = '[ "$$" = 1 ] || [ "$PPID" = 1 ]'

COMMAND_SCRIPT = f"""\
#!/bin/busybox sh
# The first process of a container serves; any other asks whether it does.
if {_IS_FIRST}; then exec /bin/stampload serve; fi
/bin/stampload probe || exit 1
case ${{0##*/}} in
redis-cli|valkey-cli|keydb-cli) echo PONG ;;
mysqladmin|mariadb-admin) echo "mysqld is alive" ;;
esac
"""
"""The program behind all of a recipe's commands; some health checks expect a certain output."""

_SHELL = f"""\
#!/bin/busybox sh
# A shell as any other, but busybox prefers its own applets to the programs on PATH.
if {_IS_FIRST}; then exec /bin/stampload serve; fi
case $1 in
-*c) shift ;;
*) exec /bin/busybox sh "$@" ;;
esac
%s
command_text=$1
shift $(($# > 1 ? 2 : 1))
eval "$command_text"
"""
_FUNCTION = '{name}() {{ {path} "$@"; }}'
_FUNCTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHELL_WORDS = (
    ". : [ alias bg break case cd command continue do done echo elif else esac eval exec exit "
    "export false fg fi for function getopts hash help if in jobs kill let local printf pwd read "
    "readonly return set shift source test then time times trap true type ulimit umask unalias "
    "unset until wait while"
)
"""The shell's keywords and builtins: no function may have such a name."""

_PT_INTERP = 3


def rootfs_tar(stampload: Path, busybox: Path, commands: Iterable[str] = COMMANDS) -> bytes:
    """Return the image's root file system as a tar: the two programs and a shell's needs.

    The image holds no library, so both programs must be static. ``commands`` are absolute paths of
    the programs that a recipe calls. Raises `LabError` when a program cannot be read or is not
    static.
    """
    own = {
        "bin/busybox": _program(busybox),
        "bin/stampload": _program(stampload),
        ENTRYPOINT[1:]: _script(COMMAND_SCRIPT),
        "etc/passwd": _entry(tarfile.REGTYPE, 0o644, PASSWD),
        "tmp": _entry(tarfile.DIRTYPE, 0o1777),
        **{f"bin/{name}": _entry(tarfile.SYMTYPE, 0o777, linkname="busybox") for name in APPLETS},
    }
    called = sorted({path[1:] for path in commands} - own.keys() - {"bin/sh", "bin"})
    entries = {
        **{path: _entry(tarfile.SYMTYPE, 0o777, linkname=ENTRYPOINT) for path in called},
        "bin/sh": _script(_SHELL % "\n".join(_functions(called))),
        **own,
    }
    for folder in {parent for path in entries for parent in PurePosixPath(path).parents}:
        if folder.name:
            entries[str(folder)] = _entry(tarfile.DIRTYPE, 0o755)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, (info, content) in sorted(entries.items()):
            info.name = name
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _functions(called: Iterable[str]) -> Iterator[str]:
    """Yield a shell function for each command; without one, ``sh`` would be busybox's own."""
    for path in [*called, "bin/sh"]:
        name = path.removeprefix("bin/")
        if _FUNCTION_NAME.fullmatch(name) and name not in _SHELL_WORDS.split():
            yield _FUNCTION.format(name=name, path=f"/{path}")


def image_tag(tar: bytes) -> str:
    """Return the image's name for a root file system: `stampload:<12 hex digits>`."""
    return f"stampload:{hashlib.sha256(tar).hexdigest()[:12]}"


def is_static(program: bytes) -> bool:
    """Tell whether an ELF program needs no loader and no library."""
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


def _script(text: str) -> tuple[tarfile.TarInfo, bytes]:
    return _entry(tarfile.REGTYPE, 0o755, text.encode())


def _program(path: Path) -> tuple[tarfile.TarInfo, bytes]:
    with os_errors_as(f"the image needs the program {path}"):
        content = path.read_bytes()
    if not is_static(content):
        raise LabError(
            f"{path} is not a static program: in an image without libraries it could not start"
        )
    return _entry(tarfile.REGTYPE, 0o755, content)


def _entry(
    kind: bytes, mode: int, content: bytes = b"", linkname: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    """Return a tar entry without times or owners, which would change the image's hash."""
    info = tarfile.TarInfo()
    info.type, info.mode, info.size, info.linkname = kind, mode, len(content), linkname
    return info, content
