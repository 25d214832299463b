"""The secrets that a recipe's services ask for, by the names that abra gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import yaml

from stamplab.lab.errors import LabError
from stamplab.lab.recipe.env_file import Setting
from stamplab.lab.recipe.trust.template import InvalidTemplate, substitute

_LENGTH = 32
"""Of a generated secret whose line says nothing (unverified; abra makes passphrases then)."""


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """One secret of an app."""

    name: str
    """As the compose files call it; abra's messages too."""
    remote_name: str
    """As the swarm calls it: ``<stack>_<name>_<version>``."""
    version: str
    length: int = _LENGTH
    is_generated: bool = True
    """False where the env file's line says ``# generate=false``: a person inserts it."""


class _Declared(msgspec.Struct):
    external: object = False
    name: str | None = None


class _Use(msgspec.Struct):
    source: str | None = None


class _Service(msgspec.Struct):
    secrets: list[str | _Use] | None = None


class _Compose(msgspec.Struct):
    services: dict[str, _Service | None] | None = None
    secrets: dict[str, _Declared | None] | None = None


def secrets_of(
    files: Mapping[str, str], settings: Sequence[Setting], stack: str
) -> tuple[Secret, ...]:
    """List what must be on the swarm before the stack is deployed, in the order of the names.

    ``files`` are the texts of the compose files by their names, the last one wins. Only external
    secrets that a service uses count. Raises LabError for a file that cannot be read.
    """
    declared: dict[str, _Declared] = {}
    used: set[str] = set()
    for name, text in files.items():
        compose = _parse(text, name)
        declared |= {key: one or _Declared() for key, one in (compose.secrets or {}).items()}
        for service in (compose.services or {}).values():
            used |= set(_sources(service.secrets or [] if service else []))
    values = {**{one.name: one.value for one in settings}, "STACK_NAME": stack}
    by_name = {one.name: one for one in settings}
    return tuple(
        _secret(name, declared[name], values, by_name, stack)
        for name in sorted(used & declared.keys())
        if declared[name].external
    )


def _sources(uses: Iterable[str | _Use]) -> Iterable[str]:
    return (use if isinstance(use, str) else use.source or "" for use in uses)


def _secret(
    name: str,
    declared: _Declared,
    values: Mapping[str, str],
    settings: Mapping[str, Setting],
    stack: str,
) -> Secret:
    try:
        remote_name = substitute(declared.name or name, values)
    except InvalidTemplate as error:
        raise LabError(f"the name of the secret {name} cannot be read: {error}") from error
    line = settings.get(f"SECRET_{name.upper()}_VERSION")
    version = remote_name.removeprefix(f"{stack}_{name}").lstrip("_")
    modifiers = line.modifiers if line else {}
    length = modifiers.get("length", "")
    return Secret(
        name=name,
        remote_name=remote_name,
        version=version or (line.value if line else ""),
        length=int(length) if length.isdecimal() else _LENGTH,
        is_generated=modifiers.get("generate") != "false",
    )


def _parse(text: str, name: str) -> _Compose:
    try:
        return msgspec.convert(yaml.safe_load(text) or {}, _Compose)
    except (yaml.YAMLError, msgspec.ValidationError, ValueError) as error:
        said = " ".join(str(error).split())
        raise LabError(f"{name} is no compose file that can be read: {said}") from error
