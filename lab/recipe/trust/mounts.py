"""Mounts of a service, and the volumes behind them."""

from __future__ import annotations

from collections.abc import Iterator

from stamplab.lab.recipe.trust.demand import Demand, Grant
from stamplab.lab.recipe.trust.document import Part
from stamplab.lab.recipe.trust.folder import Folder
from stamplab.lab.recipe.trust.rules import (
    by_key,
    each,
    external,
    harmless,
    harmless_keys,
    needs,
    needs_unless,
)

_HOST_PATH = "mounts a path of the host"
_OF_THE_HOST = "makes the volume of a path, a device or a share"
_KINDS = {
    "": None,
    "volume": None,
    "tmpfs": None,
    "image": None,
    "bind": Grant.HOST_PATHS,
    "npipe": Grant.HOST_PATHS,
    "cluster": Grant.PLUGINS,
}
_TMPFS_OPTIONS = {"size", "mode", "uid", "gid", "nr_inodes", "nosuid", "nodev", "noexec"}


def source_of(spec: str) -> str:
    """The source of a volume in the short syntax, "" where it is anonymous.

    Source: docker/cli v28.5.2 internal/volumespec/volumespec.go. Raises ValueError where it is none
    that the client would take.
    """
    if len(spec.encode()) <= 2 and spec:
        return ""
    sections = [""]
    for char in spec:
        is_drive = len(sections[-1]) == 1 and sections[-1].isalpha()
        if char == ":" and not is_drive:
            sections.append("")
        else:
            sections[-1] += char
    if "" in sections or len(sections) > 3:
        raise ValueError(spec)
    return sections[0] if len(sections) > 1 else ""


def is_host_path(source: str) -> bool:
    """Whether the client takes a source for a path. Source: volumespec.go, isFilePath."""
    if source.startswith((".", "/", "~", "\\\\")):
        return True
    return source[:1].isalpha() and source[1:2] == ":"


def mount(part: Part, folder: Folder) -> Iterator[Demand]:
    """One entry of a service's ``volumes``."""
    if part.is_mapping:
        yield from _mount_in_long(part, folder)
        return
    try:
        source = source_of(part.text())
    except ValueError as error:
        raise part.not_understood("is no volume (a variable without a value?)") from error
    if is_host_path(source):
        yield part.demand(Grant.HOST_PATHS, _HOST_PATH)


def _mount_in_long(whole: Part, folder: Folder) -> Iterator[Demand]:
    def kind(part: Part, _: Folder) -> Iterator[Demand]:
        name = part.text()
        if name not in _KINDS:
            raise part.not_understood("is a type of mount that the lab does not know")
        grant = _KINDS[name]
        if grant is not None:
            is_cluster = grant is Grant.PLUGINS
            yield whole.demand(grant, "mounts a cluster volume" if is_cluster else _HOST_PATH)

    def source(part: Part, _: Folder) -> Iterator[Demand]:
        if is_host_path(part.text()):
            yield whole.demand(Grant.HOST_PATHS, _HOST_PATH)

    def subpath(part: Part, _: Folder) -> Iterator[Demand]:
        text = part.text()
        if text.startswith("/") or ".." in text.split("/"):
            yield whole.demand(Grant.HOST_PATHS, "leaves its volume")

    options = by_key({"subpath": subpath, **harmless_keys("nocopy labels")})
    yield from by_key(
        {
            "type": kind,
            "source": source,
            "volume": options,
            "image": options,
            **harmless_keys("target read_only consistency bind tmpfs"),
        }
    )(whole, folder)


def _volume_name(part: Part, _: Folder) -> Iterator[Demand]:
    if is_host_path(part.text()) or "/" in part.text():
        yield part.demand(Grant.HOST_PATHS, "is a path of the host in a volume's place")


def _mount_options(part: Part, _: Folder) -> Iterator[Demand]:
    names = {option.partition("=")[0] for option in part.text().split(",")}
    if not names <= _TMPFS_OPTIONS | {""}:
        yield part.demand(Grant.HOST_PATHS, _OF_THE_HOST)


def _driver_options(part: Part, folder: Folder) -> Iterator[Demand]:
    """Only memory is harmless: what is neither ``type: tmpfs`` nor a size of it is mounted.

    Each option is judged alone, for files are merged option by option.
    """
    tmpfs = needs_unless(("", "tmpfs"), Grant.HOST_PATHS, _OF_THE_HOST)
    rules = {"type": tmpfs, "device": tmpfs, "o": _mount_options}
    other = needs(Grant.HOST_PATHS, "is an option of a volume driver that the lab does not know")
    for key, value in part.fields():
        yield from rules.get(key, other)(value, folder)


volumes = each(
    by_key(
        {
            "name": _volume_name,
            "driver": needs_unless(
                ("", "local"), Grant.PLUGINS, "is a volume driver that is not the engine's own"
            ),
            "driver_opts": _driver_options,
            "x-cluster-spec": needs(Grant.PLUGINS, "asks for a cluster volume"),
            "labels": harmless,
            "external": external(_volume_name),
        }
    )
)
