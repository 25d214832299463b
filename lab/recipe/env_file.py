"""An app's settings: its env file, and the versions that its recipe's ``abra.sh`` exports.

Env files are read as abra reads them, by the rules of godotenv (github.com/joho/godotenv v1.5.1
parser.go): ``export``, inline comments, quotes, ``$NAME`` of lines above. Comments hold abra's
modifiers: ``SECRET_X_VERSION=v1  # length=64 generate=false``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from stamplab.lab.errors import UsageError

_LINE = re.compile(
    r"""
    \s*(?:export\s+)?(?P<name>[A-Za-z0-9_.]+)\s*[=:]\s*
    (?: '(?P<literal>(?:[^'\\]|\\.)*)'
      | "(?P<text>(?:[^"\\]|\\.)*)"
      | (?P<bare>(?!['"]).*?) (?=\s+\#|\s*$)
      | (?P<unclosed>['"].*?) (?=\s+\#|\s*$) )
    \s*(?:\#(?P<comment>.*))?\s*
    """,
    re.VERBOSE,
)
_VARIABLE = re.compile(r"(?P<escape>\\)?\$(?P<call>\()?\{?(?P<name>[A-Z0-9_]+)?\}?")
_ESCAPE = re.compile(r"\\([^$])")
_SAFE = re.compile(r"[A-Za-z0-9_./:@%+,=^~-]*")
_MODIFIER = re.compile(r"(\w+)=(\S+)")


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an env file."""

    name: str
    value: str
    modifiers: dict[str, str] = {}
    """abra's modifiers from the comment: ``length=64``, ``generate=false``."""


def parse_settings(text: str) -> tuple[Setting, ...]:
    """Read an env file's settings in order; skip lines that set nothing."""
    values: dict[str, str] = {}
    settings = []
    for line in text.splitlines():
        match = None if line.lstrip().startswith("#") else _LINE.fullmatch(line)
        if match is None:
            continue
        values[match["name"]] = _value(match, values)
        name, modifiers = match["name"], dict(_MODIFIER.findall(match["comment"] or ""))
        settings.append(Setting(name=name, value=values[name], modifiers=modifiers))
    return tuple(settings)


def parse_env(text: str) -> dict[str, str]:
    """Return an env file's values by name; the last one of a name that is set twice."""
    return {setting.name: setting.value for setting in parse_settings(text)}


def _value(line: re.Match[str], above: Mapping[str, str]) -> str:
    if line["literal"] is not None:
        return line["literal"].replace("\\'", "'")
    if line["text"] is not None:
        return _expand(_ESCAPE.sub(_unescape, line["text"]), above)
    return _expand(line["bare"] if line["bare"] is not None else line["unclosed"], above)


def _unescape(escape: re.Match[str]) -> str:
    return {"n": "\n", "r": "\r"}.get(escape[1], escape[1])


def _expand(value: str, above: Mapping[str, str]) -> str:
    def replaced(variable: re.Match[str]) -> str:
        if variable["escape"] or variable["call"]:
            return variable[0].removeprefix("\\")
        return above.get(variable["name"], "") if variable["name"] else variable[0]

    return _VARIABLE.sub(replaced, value)


def env_line(name: str, value: str) -> str:
    """Return the line of an env file that sets a value. Raises UsageError for a line break."""
    if len(f"{name}={value}|".splitlines()) > 1:
        raise UsageError(f"the variable {name} holds a line break")
    if _SAFE.fullmatch(value):
        return f"{name}={value}"
    if "'" not in value and "\\" not in value:
        return f"{name}='{value}'"
    escaped = re.sub(r'([\\"$])', r"\\\1", value)
    return f'{name}="{escaped}"'


def with_value(text: str, name: str, value: str) -> str:
    """Return an env file's text with a setting changed in place, or added at the end.

    Raises UsageError for a line break in the value.
    """
    lines = text.splitlines()
    numbers = [number for number, line in enumerate(lines) if name in parse_env(line)]
    for number in numbers:
        lines[number] = env_line(name, value) + _comment_of(lines[number])
    if not numbers:
        lines.append(env_line(name, value))
    return "".join(f"{line}\n" for line in lines)


def with_values(text: str, values: Mapping[str, str]) -> str:
    """Return an env file's text with several settings changed, as `with_value` does."""
    for name, value in values.items():
        text = with_value(text, name, value)
    return text


def _comment_of(line: str) -> str:
    match = _LINE.fullmatch(line)
    return "" if match is None or match["comment"] is None else f" #{match['comment']}"


def exported_variables(script: str) -> dict[str, str]:
    """Return the variables that an ``abra.sh`` exports, mostly versions of the recipe's configs.

    The script is read and not run, as abra does (unverified): lines ``export NAME=value`` count,
    and a value with a command substitution ``$(…)`` does not.
    """
    exports = (line for line in script.splitlines() if line.split()[:1] == ["export"])
    settings = (setting for line in exports for setting in parse_settings(line))
    return {each.name: each.value for each in settings if "$(" not in each.value}
