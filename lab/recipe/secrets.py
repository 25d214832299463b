"""The secrets that a recipe's services use, under the names that abra gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import yaml

from stamplab.lab.errors import LabError
from stamplab.lab.recipe.env_file import Setting
from stamplab.lab.recipe.trust.template import InvalidTemplate, substitute
from stamplab.lab.recipe.yaml_text import yaml_value

_LENGTH = 32
"""Characters of a generated secret without ``length=`` (unverified; abra makes passphrases)."""


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """A secret of an app."""

    name: str
    """The key in the compose files, and the name in abra's messages."""
    remote_name: str
    """The name on the swarm: ``<stack>_<name>_<version>``."""
    version: str
    length: int = _LENGTH
    is_generated: bool = True
    """False for ``# generate=false`` in the env file: a person inserts the secret."""


class _SecretDeclaration(msgspec.Struct):
    external: object = False
    name: str | None = None


class _SecretUse(msgspec.Struct):
    source: str | None = None


class _ServiceSecrets(msgspec.Struct):
    secrets: list[str | _SecretUse] | None = None


class _SecretsFile(msgspec.Struct):
    services: dict[str, _ServiceSecrets | None] | None = None
    secrets: dict[str, _SecretDeclaration | None] | None = None


def secrets_of(
    files: Mapping[str, str], settings: Sequence[Setting], stack: str
) -> tuple[Secret, ...]:
    """List the external secrets that services use, sorted by name.

    ``files`` are the compose files' texts by name; a later file overrides. Raises LabError.
    """
    declared: dict[str, _SecretDeclaration] = {}
    used: set[str] = set()
    for name, text in files.items():
        compose = _parse(text, name)
        for key, declaration in (compose.secrets or {}).items():
            declared[key] = declaration or _SecretDeclaration()
        for service in (compose.services or {}).values():
            uses = (service and service.secrets) or []
            used |= {use if isinstance(use, str) else use.source or "" for use in uses}
    values = {**{setting.name: setting.value for setting in settings}, "STACK_NAME": stack}
    by_name = {setting.name: setting for setting in settings}
    return tuple(
        _secret(name, declared[name], values, by_name, stack)
        for name in sorted(used & declared.keys())
        if declared[name].external
    )


def _secret(
    name: str,
    declared: _SecretDeclaration,
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


def _parse(text: str, name: str) -> _SecretsFile:
    try:
        return msgspec.convert(yaml_value(text) or {}, _SecretsFile)
    except (yaml.YAMLError, msgspec.ValidationError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise LabError(f"{name} is no compose file that can be read: {reason}") from error
