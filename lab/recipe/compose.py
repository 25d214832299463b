"""The fields of a recipe's compose files that the lab needs, merged over all files.

Nothing is deployed from here: `docker stack deploy` loads and merges the files itself.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import yaml

from stamplab.lab.errors import LabError, os_errors_as
from stamplab.lab.model.history import PolicyRead
from stamplab.lab.recipe.containment import require_inside
from stamplab.lab.recipe.trust.template import InvalidTemplate, substitute
from stamplab.lab.recipe.yaml_text import yaml_value

DEFAULT_FILE = "compose.yml"

YamlMapping = dict[str, object]
"""A mapping of untrusted YAML: the type of every value is checked where it is read."""


class Healthcheck(msgspec.Struct, frozen=True, kw_only=True):
    """A service's health check; its values are the file's texts."""

    test: tuple[str, ...] = ()
    interval: str | None = None
    retries: str | None = None
    start_period: str | None = None


class ComposeService(msgspec.Struct, frozen=True, kw_only=True):
    """One service; its values are the file's texts, interpolated."""

    image: str = ""
    programs: tuple[str, ...] = ()
    """The first word of each file's ``entrypoint``."""
    working_dir: str = "/"
    has_user: bool = False
    healthcheck: Healthcheck = Healthcheck()
    stop_grace_period: str | None = None
    update_config: Mapping[str, str] = {}
    limits: frozenset[str] = frozenset()
    reservations: frozenset[str] = frozenset()
    constraints: tuple[str, ...] = ()
    config_targets: Mapping[str, str] = {}
    """Mount paths by the configs' keys."""
    bind_sources: tuple[str, ...] = ()
    """Absolute paths only: where a relative path begins is the client's decision."""
    has_ingress_ports: bool = False


class Compose(msgspec.Struct, frozen=True, kw_only=True):
    """A stack's compose files; a later file overrides an earlier one."""

    version: str | None = None
    """The version of the first file; docker wants the same version in all files of a stack."""
    services: Mapping[str, ComposeService] = {}
    internal_configs: Mapping[str, str] = {}
    """Names by keys of the configs that are not external; the names are not interpolated."""
    external_networks: tuple[str, ...] = ()


def read_texts(folder: Path, files: tuple[str, ...]) -> dict[str, str]:
    """Read files of a work tree. Raises LabError; RecipeRefused for a link out of the folder."""
    texts = {}
    for file in files:
        require_inside(folder, folder / file)
        try:
            with os_errors_as(f"{folder / file} cannot be read"):
                texts[file] = (folder / file).read_text()
        except UnicodeDecodeError as error:
            raise LabError(f"{folder / file} cannot be read: {error}") from error
    return texts


def parse_compose(texts: Mapping[str, str], variables: Mapping[str, str]) -> Compose:
    """Parse compose files, given as texts by name; a later file overrides. Raises LabError."""
    trees = {name: _load_mapping(name, text) for name, text in texts.items()}
    merged: YamlMapping = {}
    for name, tree in trees.items():
        merged = _merge_mappings(merged, _normalize_lists(tree, name))
    first = next(iter(trees.values()), {})
    try:
        return _compose(_Section(merged, variables), _Section(first, {}).text("version"))
    except InvalidTemplate as error:
        raise LabError(f"{' and '.join(texts)} cannot be read: {error}") from error


def compose_version(name: str, text: str) -> str | None:
    """Return the version that a compose file states. Raises LabError."""
    return _Section(_load_mapping(name, text), {}).text("version")


def overlay_text(version: str | None, content: Mapping[str, object]) -> str:
    """Return an overlay's YAML; ``version`` must be that of the stack's other files."""
    stated = {} if version is None else {"version": version}
    return yaml.safe_dump({**stated, **content}, sort_keys=False)


def policy_of(compose: Compose, service: str, *, commit: str, path: str) -> PolicyRead:
    """Return a service's rollout policy. Raises LabError where the service is missing."""
    definition = compose.services.get(service)
    if definition is None:
        raise LabError(f"{path} at {commit[:12]} has no service {service}")
    return PolicyRead(
        commit=commit,
        path=path,
        service=service,
        failure_action=definition.update_config.get("failure_action"),
        order=definition.update_config.get("order"),
        monitor=definition.update_config.get("monitor"),
        start_period=definition.healthcheck.start_period,
    )


def _load_mapping(name: str, text: str) -> YamlMapping:
    try:
        tree = yaml_value(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise LabError(f"{name} is no compose file that can be read: {reason}") from error
    if not isinstance(tree, dict):
        raise LabError(f"{name} is no compose file that can be read: it is no mapping")
    return tree


def _normalize_lists(tree: YamlMapping, name: str) -> YamlMapping:
    """Turn texts that may also be lists into lists: merging appends lists and replaces texts."""
    services = tree.get("services") or {}
    if not isinstance(services, dict) or not all(
        isinstance(service, dict | None) for service in services.values()
    ):
        raise LabError(f"{name} is no compose file that can be read: its services are no mappings")
    normal = {key: _normalize_service(service or {}) for key, service in services.items()}
    return {**tree, "services": normal}


def _normalize_service(service: YamlMapping) -> YamlMapping:
    check = service.get("healthcheck")
    if isinstance(check, dict) and isinstance(check.get("test"), str):
        service = {**service, "healthcheck": {**check, "test": ["CMD-SHELL", check["test"]]}}
    entrypoint = service.get("entrypoint")
    return {**service, "entrypoint": [_first_word(entrypoint)] if entrypoint else []}


def _first_word(entrypoint: object) -> object:
    if isinstance(entrypoint, list):
        return entrypoint[0]
    if not isinstance(entrypoint, str):
        return None
    try:
        return next(iter(shlex.split(entrypoint)), None)
    except ValueError:
        return None


def _merge_mappings(below: YamlMapping, above: YamlMapping) -> YamlMapping:
    """Merge as the docker client does: mappings by key, lists by appending, texts by replacing."""
    both = below.keys() & above.keys()
    return {**below, **above, **{key: _merge(below[key], above[key]) for key in both}}


def _merge(below: object, above: object) -> object:
    if isinstance(below, dict) and isinstance(above, dict):
        return _merge_mappings(below, above)
    if isinstance(below, list) and isinstance(above, list):
        return [*below, *above]
    return below if above is None else above


class _Section:
    """A mapping of a compose file, whose values are interpolated with the client's variables."""

    def __init__(self, tree: object, variables: Mapping[str, str]) -> None:
        self._tree: YamlMapping = tree if isinstance(tree, dict) else {}
        self._variables = variables

    def text(self, key: str) -> str | None:
        """Return an interpolated scalar; None where the key holds none."""
        value = self._tree.get(key)
        return None if value is None or isinstance(value, dict | list) else self._interpolate(value)

    def section(self, key: str) -> _Section:
        """Return the mapping at a key; an empty one where the key holds none."""
        return _Section(self._tree.get(key), self._variables)

    def sections(self) -> Iterator[tuple[str, _Section]]:
        """Yield keys with their mappings."""
        for key in self._tree:
            yield str(key), self.section(key)

    def items(self, key: str) -> Iterator[_Section | str]:
        """Yield a list's mappings and interpolated texts."""
        value = self._tree.get(key)
        for item in value if isinstance(value, list) else ():
            if isinstance(item, dict):
                yield _Section(item, self._variables)
            elif item is not None and not isinstance(item, list):
                yield self._interpolate(item)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list's interpolated texts."""
        return tuple(item for item in self.items(key) if isinstance(item, str))

    def scalars(self) -> dict[str, str]:
        """Return all scalars by key."""
        texts = ((str(key), self.text(key)) for key in self._tree)
        return {key: text for key, text in texts if text is not None}

    def is_true(self, key: str) -> bool:
        """Tell whether the value is a mapping or any text but a plain no."""
        value = self._tree.get(key)
        if isinstance(value, dict):
            return True
        return (self.text(key) or "").lower() not in ("", "false", "no", "off", "n")

    def raw(self, key: str) -> str | None:
        """Return a text without interpolation."""
        value = self._tree.get(key)
        return value if isinstance(value, str) else None

    def _interpolate(self, value: object) -> str:
        return substitute(str(value), self._variables)


def _compose(whole: _Section, version: str | None) -> Compose:
    return Compose(
        version=version,
        services={
            name: _service(section) for name, section in whole.section("services").sections()
        },
        internal_configs={
            key: config.raw("name") or ""
            for key, config in whole.section("configs").sections()
            if not config.is_true("external")
        },
        external_networks=tuple(
            network.text("name") or network.section("external").text("name") or key
            for key, network in whole.section("networks").sections()
            if network.is_true("external")
        ),
    )


def _service(section: _Section) -> ComposeService:
    check, deploy = section.section("healthcheck"), section.section("deploy")
    resources = deploy.section("resources")
    return ComposeService(
        image=section.text("image") or "",
        programs=tuple(word for word in section.texts("entrypoint") if word),
        working_dir=section.text("working_dir") or "/",
        has_user=section.text("user") is not None,
        healthcheck=Healthcheck(
            test=check.texts("test"),
            interval=check.text("interval"),
            retries=check.text("retries"),
            start_period=check.text("start_period"),
        ),
        stop_grace_period=section.text("stop_grace_period"),
        update_config=deploy.section("update_config").scalars(),
        limits=frozenset(resources.section("limits").scalars()),
        reservations=frozenset(resources.section("reservations").scalars()),
        constraints=deploy.section("placement").texts("constraints"),
        config_targets=dict(_config_targets(section)),
        bind_sources=tuple(_bind_sources(section)),
        has_ingress_ports=any(
            isinstance(port, str) or port.text("mode") != "host" for port in section.items("ports")
        ),
    )


def _config_targets(service: _Section) -> Iterator[tuple[str, str]]:
    for config in service.items("configs"):
        if isinstance(config, str):
            yield config, f"/{config}"
        else:
            source = config.text("source") or ""
            yield source, config.text("target") or f"/{source}"


def _bind_sources(service: _Section) -> Iterator[str]:
    for mount in service.items("volumes"):
        if isinstance(mount, str):
            source = mount.partition(":")[0]
        else:
            source = mount.text("source") or "" if mount.text("type") == "bind" else ""
        if source.startswith("/") and ":" not in source:
            yield source
