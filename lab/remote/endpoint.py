"""Finds the engine that ``docker`` itself would talk to, by the same rules.

Source: docker/cli v28.5.2 cli/command/cli.go:461 (resolveContextName), cli/context/docker/load.go,
and docker/docker client/options.go (WithHostFromEnv, WithTLSClientConfigFromEnv). The SDK's own
reading of contexts is not used: where a context does not exist the SDK takes the default one, so
the deploy would go to one swarm, and the guard would watch another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from stamplab.lab.errors import LabError, UsageError

DEFAULT_HOST = "unix:///var/run/docker.sock"
_DEFAULT = "default"
_SCHEMES = ("unix", "tcp", "http", "https", "ssh")


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """The files of a TLS connection; ``verify`` says whether the engine must prove its identity."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    verify: bool = True


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The address of an engine, and who named it."""

    host: str
    named_by: str
    tls: Tls | None = None

    def __str__(self) -> str:
        """Return both for a sentence."""
        return f"{self.host} ({self.named_by})"


# The SDK would take another context (ADR 0038).
def find_endpoint(context: str | None, environment: Mapping[str, str]) -> Endpoint:
    """Find the engine: ``context`` first, then as the environment and the docker config say.

    Raises UsageError where there is no such context, or where it names what cannot be reached.
    """
    folder = _config_folder(environment)
    host = environment.get("DOCKER_HOST", "")
    name = context or ("" if host else environment.get("DOCKER_CONTEXT", ""))
    if not name and not host:
        name = _current_context(folder)
    if name and name != _DEFAULT:
        endpoint = _of_context(folder, name)
    else:
        endpoint = _of_environment(folder, host, environment)
    scheme = endpoint.host.partition("://")[0]
    if scheme not in _SCHEMES or "://" not in endpoint.host:
        raise UsageError(
            f"{endpoint} is no address that can be talked to from here: "
            f"it must begin with one of {', '.join(f'{scheme}://' for scheme in _SCHEMES)}"
        )
    return endpoint


def for_children(context: str | None, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which a deploy command talks to the swarm that is watched."""
    if context is None:
        return dict(environment)
    rest = {**environment, "DOCKER_CONTEXT": context}
    if context != _DEFAULT:  # which means what DOCKER_HOST says, if it says anything
        rest.pop("DOCKER_HOST", None)
    return rest


def _config_folder(environment: Mapping[str, str]) -> Path:
    named = environment.get("DOCKER_CONFIG")
    return Path(named) if named else Path(environment.get("HOME") or Path.home()) / ".docker"


def _current_context(folder: Path) -> str:
    config = folder / "config.json"
    try:
        read = msgspec.json.decode(config.read_bytes())
    except FileNotFoundError:
        return ""
    except (OSError, msgspec.DecodeError) as error:
        raise LabError(f"the docker configuration {config} cannot be read: {error}") from error
    name = read.get("currentContext", "") if isinstance(read, dict) else ""
    return name if isinstance(name, str) else ""


def _of_environment(folder: Path, host: str, environment: Mapping[str, str]) -> Endpoint:
    if not host:
        return Endpoint(host=DEFAULT_HOST, named_by="the default address")
    verify = bool(environment.get("DOCKER_TLS_VERIFY"))
    tls = None
    if verify or environment.get("DOCKER_TLS"):
        certificates = environment.get("DOCKER_CERT_PATH")
        tls = _tls_in(Path(certificates) if certificates else folder, verify=verify)
    return Endpoint(host=host, named_by="DOCKER_HOST", tls=None if _is_plain(host) else tls)


def _of_context(folder: Path, name: str) -> Endpoint:
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / key / "meta.json"
    named_by = f"docker context {name}"
    try:
        read: Any = msgspec.json.decode(meta.read_bytes())
        docker = read["Endpoints"]["docker"]
        host, skip_verify = str(docker["Host"]), bool(docker.get("SkipTLSVerify", False))
    except FileNotFoundError as error:
        raise UsageError(
            f"there is no docker context {name!r} in {folder}: see docker context ls"
        ) from error
    except (OSError, msgspec.DecodeError, KeyError, TypeError, AttributeError) as error:
        raise LabError(f"the {named_by} ({meta}) cannot be read: {error!r}") from error
    files = folder / "contexts" / "tls" / key / "docker"
    has_tls = files.is_dir() or skip_verify or host.startswith("https://")
    tls = _tls_in(files, verify=not skip_verify) if has_tls else None
    return Endpoint(host=host, named_by=named_by, tls=None if _is_plain(host) else tls)


def _is_plain(host: str) -> bool:
    """Whether TLS has no part in the connection: a socket of this machine, or ssh."""
    return host.startswith(("unix://", "ssh://"))


def _tls_in(folder: Path, *, verify: bool) -> Tls:
    files = {name: folder / f"{name}.pem" for name in ("ca", "cert", "key")}
    present = {name: path for name, path in files.items() if path.is_file()}
    return Tls(verify=verify, **present)
