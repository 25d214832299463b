"""The one table of a service's fields: docker's flag, the API's JSON path, the compose file's path.

A `ServiceRequest`, the overlays that the harness and the stand-in lay over a recipe, and the specs
that a search tailors all give their fields as `SpecValues`. Here these are written out in each of
the three languages; `stamplab.lab.model.docker_json` reads the JSON back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from stamplab.lab.model.swarm import UpdatePolicy
from stamplab.lab.recipe.durations import format_milliseconds

SpecValues = Mapping[str, object]
"""Values by the names of `FIELDS`. A name that is left out is left to the recipe or the engine."""
_NANOSECONDS_PER_MILLISECOND = 1_000_000
_SECTIONS_WRITTEN_OUT = {"Parallelism": 1, "MaxFailureRatio": 0}
"""What docker/cli writes into an update section in which a compose file is silent."""


class Codec(msgspec.Struct, frozen=True):
    """How one kind of value is written in each language."""

    flag: Callable[[Any], str] = str
    json: Callable[[Any], object] = lambda value: value
    compose: Callable[[Any], object] = lambda value: value


def _nanoseconds(seconds: float) -> int:
    """Whole milliseconds, as docker's flags and compose files are given them."""
    return round(seconds * 1000) * _NANOSECONDS_PER_MILLISECOND


def _shell(command: str) -> object:
    return ["CMD-SHELL", command]


_PLAIN = Codec()
_DURATION = Codec(format_milliseconds, _nanoseconds, format_milliseconds)
_BYTES = Codec(compose=str)
_SHELL = Codec(json=_shell, compose=_shell)
_MODE = Codec(json=lambda mode: {mode.capitalize(): {}})
_WORDS = Codec(json=list, compose=list)


class SpecField(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a service."""

    name: str
    flag: str
    """Of ``docker service create`` and ``update``; one that repeats is ``…-add`` in an update."""
    json: str
    """Dotted path in the Docker API's ServiceSpec."""
    compose: str
    """Dotted path in a compose file's service; empty for the service's own key."""
    codec: Codec = _PLAIN
    is_argument: bool = False
    """Whether ``create`` takes the value as an argument; ``update`` has a flag for it."""
    is_repeated: bool = False
    is_fixed: bool = False
    """Whether no update can change the value."""


def _field(name: str, flag: str, json: str, compose: str, **more: Any) -> SpecField:
    return SpecField(name=name, flag=flag, json=json, compose=compose, **more)


def _section(name: str, json: str, compose: str, fields: Iterable[str]) -> Iterator[SpecField]:
    """Yield the fields of a section whose three languages differ in the way of writing alone."""
    for field in fields:
        option = field.removesuffix("_s")
        yield SpecField(
            name=f"{name}.{field}",
            flag=f"--{name}-{option.replace('_', '-')}",
            json=f"{json}.{option.title().replace('_', '')}",
            compose=f"{compose}.{option}",
            codec=_PLAIN if option == field else _DURATION,  # by its unit (ADR 0014)
        )


_POLICY = UpdatePolicy.__struct_fields__
_RESTART = ("condition", "delay_s", "max_attempts")
_HEALTH = ("interval_s", "timeout_s", "start_period_s", "retries")
_CONTAINER = "TaskTemplate.ContainerSpec"
_CHECK = f"{_CONTAINER}.Healthcheck"
_ENV = f"{_CONTAINER}.Env"

FIELDS: Mapping[str, SpecField] = {
    field.name: field
    for field in (
        _field("name", "--name", "Name", "", is_fixed=True),
        _field("labels", "--label", "Labels", "deploy.labels", is_repeated=True),
        _field("mode", "--mode", "Mode", "deploy.mode", codec=_MODE, is_fixed=True),
        _field("replicas", "--replicas", "Mode.Replicated.Replicas", "deploy.replicas"),
        *_section("update", "UpdateConfig", "deploy.update_config", _POLICY),
        *_section("rollback", "RollbackConfig", "deploy.rollback_config", _POLICY),
        *_section("restart", "TaskTemplate.RestartPolicy", "deploy.restart_policy", _RESTART),
        _field("environment", "--env", _ENV, "environment", codec=_WORDS, is_repeated=True),
        _field("health.test", "--health-cmd", f"{_CHECK}.Test", "healthcheck.test", codec=_SHELL),
        *_section("health", _CHECK, "healthcheck", _HEALTH),
        _field(
            "stop_grace_s",
            "--stop-grace-period",
            f"{_CONTAINER}.StopGracePeriod",
            "stop_grace_period",
            codec=_DURATION,
        ),
        _field(
            "reserved_bytes",
            "--reserve-memory",
            "TaskTemplate.Resources.Reservations.MemoryBytes",
            "deploy.resources.reservations.memory",
            codec=_BYTES,
        ),
        _field(
            "constraints",
            "--constraint",
            "TaskTemplate.Placement.Constraints",
            "deploy.placement.constraints",
            codec=_WORDS,
            is_repeated=True,
        ),
        _field("image", "--image", f"{_CONTAINER}.Image", "image", is_argument=True),
        _field(
            "arguments", "--args", f"{_CONTAINER}.Args", "command", codec=_WORDS, is_argument=True
        ),
    )
}
"""In the order in which flags are given."""


def create_flags(values: SpecValues) -> tuple[str, ...]:
    """Return the flags of ``docker service create``, without the image and its arguments."""
    flags: list[str] = []
    for field, value in _stated(values):
        if field.is_repeated:
            flags += [word for text in _texts(value) for word in (field.flag, text)]
        elif not field.is_argument:
            flags += [field.flag, field.codec.flag(value)]
    return tuple(flags)


def update_flags(before: SpecValues, after: SpecValues) -> tuple[str, ...]:
    """Return the flags of ``docker service update`` for what differs.

    Raises ValueError for a change that no update can make, or that takes a value back.
    """
    flags: list[str] = []
    for field in FIELDS.values():
        old, new = before.get(field.name), after.get(field.name)
        if old == new:
            continue
        if field.is_repeated:
            flags += _changes(field.flag, _texts(old), _texts(new))
        elif field.is_fixed or new is None:
            raise ValueError(f"a deploy does not change {field.name} from {old} to {new}")
        else:
            flags += [field.flag, field.codec.flag(new)]
    return tuple(flags)


def to_json(values: SpecValues, spec: dict[str, Any] | None = None) -> dict[str, Any]:
    """Write values into a spec of the Docker API, a new one where none is given; return it."""
    written = {} if spec is None else spec
    for field, value in _stated(values):
        section = field.json.partition(".")[0]
        if section.endswith("Config") and not written.get(section):
            written[section] = dict(_SECTIONS_WRITTEN_OUT)
        _put(written, field.json, field.codec.json(value))
    return written


def to_compose(values: SpecValues) -> dict[str, Any]:
    """Return the values as a compose file's service."""
    written: dict[str, Any] = {}
    for field, value in _stated(values):
        if field.compose:
            _put(written, field.compose, field.codec.compose(value))
    return written


def _stated(values: SpecValues) -> Iterator[tuple[SpecField, object]]:
    """Give the fields that have a value. Raises KeyError for an unknown name."""
    unknown = values.keys() - FIELDS.keys()
    if unknown:
        raise KeyError(f"no field of a service is called {', '.join(sorted(unknown))}")
    for field in FIELDS.values():
        if values.get(field.name) is not None:
            yield field, values[field.name]


def _put(tree: dict[str, Any], path: str, value: object) -> None:
    *sections, last = path.split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
    tree[last] = value


def _texts(value: object) -> list[str]:
    match value:
        case dict():
            return [f"{name}={text}" for name, text in value.items()]
        case tuple() | list():
            return [str(text) for text in value]
        case _:
            return []


def _changes(flag: str, old: list[str], new: list[str]) -> list[str]:
    """Take away what has no successor of its name; add or replace the rest."""
    kept = {_key(text) for text in new}
    gone = sorted(_key(text) for text in old if _key(text) not in kept)
    added = sorted(text for text in new if text not in old)
    return [
        *(word for name in gone for word in (f"{flag}-rm", name)),
        *(word for text in added for word in (f"{flag}-add", text)),
    ]


def _key(text: str) -> str:
    """Return the name in ``name=value``; a constraint (``a==b``) is known by its whole text."""
    name, _, value = text.partition("=")
    return text if value.startswith("=") or name.endswith("!") else name
