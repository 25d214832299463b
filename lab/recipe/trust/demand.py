"""A recipe's demands, and the names by which the user allows them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum

import msgspec

from stamplab.lab.errors import RecipeRefused


class Grant(StrEnum):
    """A kind of demand that ``--trust`` allows; `GRANT_MEANINGS` describes each."""

    HOST_PATHS = "host-paths"
    PRIVILEGES = "privileges"
    CAPABILITIES = "capabilities"
    DEVICES = "devices"
    HOST_NAMESPACES = "host-namespaces"
    HOST_NETWORK = "host-network"
    SYSCTLS = "sysctls"
    SECURITY_OPTIONS = "security-options"
    PLUGINS = "plugins"
    OUTSIDE_FILES = "outside-files"


GRANT_MEANINGS: Mapping[Grant, str] = {
    Grant.HOST_PATHS: "mounts of the host's paths, or volumes made of them, of devices or shares",
    Grant.PRIVILEGES: "privileged containers, and being spared by the kernel's OOM killer",
    Grant.CAPABILITIES: "capabilities beyond the engine's own set (cap_add)",
    Grant.DEVICES: "devices of the host, GPUs included",
    Grant.HOST_NAMESPACES: "the host's or another container's pid, ipc, uts, user or cgroup",
    Grant.HOST_NETWORK: "the host's network, or a network put on the host's links",
    Grant.SYSCTLS: "kernel parameters (sysctls)",
    Grant.SECURITY_OPTIONS: "other security profiles, credential specs or runtimes",
    Grant.PLUGINS: "volume, network, log and secret drivers that are not the engine's own",
    Grant.OUTSIDE_FILES: "files outside the recipe's folder: absolute, by .. or through a link",
}


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """A request of a recipe for more than an ordinary container gets."""

    file: str
    place: str
    """Path in the file, e.g. ``services.app.volumes[0]``."""
    value: str
    """The value there, after interpolation."""
    reason: str
    """Why an ordinary container does not get this, as a clause."""
    grant: Grant | None
    """The grant that allows the demand; None where nothing does."""

    def __str__(self) -> str:
        value = f" ({self.value})" if self.value else ""
        return f"{self.file}, {self.place}{value} {self.reason}"


def require_trusted(demands: Iterable[Demand], trust: Collection[Grant]) -> None:
    """Raise RecipeRefused with every demand that is not allowed, and the options to allow it."""
    refused = [demand for demand in demands if demand.grant not in trust]
    if not refused:
        return
    listed = "; ".join(map(str, refused))
    names = sorted({demand.grant for demand in refused if demand.grant is not None})
    options = " ".join(f"--trust {name}" for name in names)
    remedy = f"{options} would allow that" if names else "nothing would allow that"
    if names and any(demand.grant is None for demand in refused):
        remedy = f"{options} would allow the rest, but nothing allows what is not understood"
    raise RecipeRefused(f"the recipe is refused, and nothing was deployed: {listed}: {remedy}")


_SHOWN_MAX_CHARACTERS = 200


def printable(text: str) -> str:
    """Escape control characters and shorten a text, so that terminals and logs can show it."""
    safe = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    if len(safe) <= _SHOWN_MAX_CHARACTERS:
        return safe
    return safe[:_SHOWN_MAX_CHARACTERS] + "…"
