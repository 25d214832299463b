"""An app's settings: its env file, and the versions that its recipe's ``abra.sh`` exports.

Env files are read as abra reads them, by the rules of godotenv (github.com/joho/godotenv v1.5.1
parser.go): ``export``, inline comments, quotes, ``$NAME`` of lines above. What abra adds to them is
in the comments: ``SECRET_X_VERSION=v1  # length=64 generate=false``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

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
    """One line of an env file."""

    name: str
    value: str
    modifiers: dict[str, str] = {}
    """What its comment says to abra: ``length=64``, ``generate=false``."""


def parse_settings(text: str) -> tuple[Setting, ...]:
    """Read an env file's settings, in order; lines that set nothing are passed over."""
    values: dict[str, str] = {}
    found = []
    for line in text.splitlines():
        match = None if line.lstrip().startswith("#") else _LINE.fullmatch(line)
        if match is None:
            continue
        values[match["name"]] = _value(match, values)
        modifiers = dict(_MODIFIER.findall(match["comment"] or ""))
        found.append(Setting(name=match["name"], value=values[match["name"]], modifiers=modifiers))
    return tuple(found)


def parse_env(text: str) -> dict[str, str]:
    """The values of an env file by their names; of a name that is set twice, the last."""
    return {setting.name: setting.value for setting in parse_settings(text)}


def _value(line: re.Match[str], above: Mapping[str, str]) -> str:
    if line["literal"] is not None:
        return line["literal"].replace("\\'", "'")
    if line["text"] is not None:
        return _expanded(_ESCAPE.sub(_unescaped, line["text"]), above)
    return _expanded(line["bare"] if line["bare"] is not None else line["unclosed"], above)


def _unescaped(escape: re.Match[str]) -> str:
    return {"n": "\n", "r": "\r"}.get(escape[1], escape[1])


def _expanded(value: str, above: Mapping[str, str]) -> str:
    def replaced(variable: re.Match[str]) -> str:
        if variable["escape"] or variable["call"]:
            return variable[0].removeprefix("\\")
        return above.get(variable["name"], "") if variable["name"] else variable[0]

    return _VARIABLE.sub(replaced, value)


def written(name: str, value: str) -> str:
    """Give the line of an env file that sets this value."""
    if _SAFE.fullmatch(value):
        return f"{name}={value}"
    if "'" not in value and "\\" not in value:
        return f"{name}='{value}'"
    escaped = re.sub(r'([\\"$])', r"\\\1", value)
    return f'{name}="{escaped}"'


def with_value(text: str, name: str, value: str) -> str:
    """Give an env file's text with one setting changed where it stands, or added at its end."""
    lines = text.splitlines()
    places = [number for number, line in enumerate(lines) if _sets(line, name)]
    if not places:
        return "".join(f"{line}\n" for line in [*lines, written(name, value)])
    for number in places:
        lines[number] = written(name, value) + _comment_of(lines[number])
    return "".join(f"{line}\n" for line in lines)


def with_values(text: str, values: Mapping[str, str]) -> str:
    """The same for several settings."""
    for name, value in values.items():
        text = with_value(text, name, value)
    return text


def _sets(line: str, name: str) -> bool:
    return any(setting.name == name for setting in parse_settings(line))


def _comment_of(line: str) -> str:
    match = _LINE.fullmatch(line)
    return "" if match is None or match["comment"] is None else f" #{match['comment']}"


def exported(script: str) -> dict[str, str]:
    """The variables that an ``abra.sh`` exports: the versions of the recipe's configs.

    abra reads the script, it does not run it: lines ``export NAME=value`` (unverified). Neither do
    we: a value that a shell would have to work out (``$(…)``) is no value.
    """
    return {name: value for name, value in _exports(script) if "$(" not in value}


def _exports(script: str) -> Iterator[tuple[str, str]]:
    for line in script.splitlines():
        words = line.split()
        if words[:1] == ["export"]:
            for setting in parse_settings(line):
                yield setting.name, setting.value
