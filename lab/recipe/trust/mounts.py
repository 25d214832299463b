"""Rules for a service's mounts and a stack's volumes."""

from __future__ import annotations

from collections.abc import Iterator

from stamplab.lab.recipe.trust.demand import Demand, Grant
from stamplab.lab.recipe.trust.document import ComposeValue
from stamplab.lab.recipe.trust.folder import RecipeFolder
from stamplab.lab.recipe.trust.rules import (
    by_key,
    demand_nothing,
    demands,
    demands_unless,
    each_value,
    external_object,
    ordinary_keys,
)

_HOST_PATH = "mounts a path of the host"
_HOST_VOLUME = "makes the volume of a path, a device or a share"
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
    """Return the source of a volume in the short syntax; "" for an anonymous volume.

    Source: docker/cli v28.5.2 internal/volumespec/volumespec.go. Raises ValueError where the client
    would refuse the volume.
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
    """Tell whether the client takes a source for a path. Source: volumespec.go, isFilePath."""
    if source.startswith((".", "/", "~", "\\\\")):
        return True
    return source[:1].isalpha() and source[1:2] == ":"


def mount_rule(node: ComposeValue, folder: RecipeFolder) -> Iterator[Demand]:
    """Judge one entry of a service's ``volumes``."""
    if node.is_mapping:
        yield from _long_mount(node, folder)
        return
    try:
        source = source_of(node.text())
    except ValueError as error:
        raise node.cannot_judge("is no volume (a variable without a value?)") from error
    if is_host_path(source):
        yield node.demand(Grant.HOST_PATHS, _HOST_PATH)


def _long_mount(whole: ComposeValue, folder: RecipeFolder) -> Iterator[Demand]:
    def kind(node: ComposeValue, _: RecipeFolder) -> Iterator[Demand]:
        name = node.text()
        if name not in _KINDS:
            raise node.cannot_judge("is a type of mount that the lab does not know")
        grant = _KINDS[name]
        if grant is not None:
            is_cluster = grant is Grant.PLUGINS
            yield whole.demand(grant, "mounts a cluster volume" if is_cluster else _HOST_PATH)

    def source(node: ComposeValue, _: RecipeFolder) -> Iterator[Demand]:
        if is_host_path(node.text()):
            yield whole.demand(Grant.HOST_PATHS, _HOST_PATH)

    def subpath(node: ComposeValue, _: RecipeFolder) -> Iterator[Demand]:
        text = node.text()
        if text.startswith("/") or ".." in text.split("/"):
            yield whole.demand(Grant.HOST_PATHS, "leaves its volume")

    options = by_key({"subpath": subpath, **ordinary_keys("nocopy labels")})
    yield from by_key(
        {
            "type": kind,
            "source": source,
            "volume": options,
            "image": options,
            **ordinary_keys("target read_only consistency bind tmpfs"),
        }
    )(whole, folder)


def _volume_name(node: ComposeValue, _: RecipeFolder) -> Iterator[Demand]:
    if is_host_path(node.text()) or "/" in node.text():
        yield node.demand(Grant.HOST_PATHS, "is a path of the host in a volume's place")


def _mount_options(node: ComposeValue, _: RecipeFolder) -> Iterator[Demand]:
    names = {option.partition("=")[0] for option in node.text().split(",")}
    if not names <= _TMPFS_OPTIONS | {""}:
        yield node.demand(Grant.HOST_PATHS, _HOST_VOLUME)


def _driver_options(node: ComposeValue, folder: RecipeFolder) -> Iterator[Demand]:
    """Judge a volume's options: only those of a tmpfs mount nothing of the host.

    Each option is judged alone: compose files are merged option by option.
    """
    tmpfs = demands_unless(("", "tmpfs"), Grant.HOST_PATHS, _HOST_VOLUME)
    rules = {"type": tmpfs, "device": tmpfs, "o": _mount_options}
    other = demands(Grant.HOST_PATHS, "is an option of a volume driver that the lab does not know")
    for key, value in node.fields():
        yield from rules.get(key, other)(value, folder)


volumes_rule = each_value(
    by_key(
        {
            "name": _volume_name,
            "driver": demands_unless(
                ("", "local"), Grant.PLUGINS, "is a volume driver that is not the engine's own"
            ),
            "driver_opts": _driver_options,
            "x-cluster-spec": demands(Grant.PLUGINS, "asks for a cluster volume"),
            "labels": demand_nothing,
            "external": external_object(_volume_name),
        }
    )
)
