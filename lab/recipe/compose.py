"""What a recipe's compose files say, taken together, as far as the lab must know it.

A reading, not a loader: `docker stack deploy` itself loads and merges the files that are deployed.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import yaml

from stamplab.lab.errors import LabError
from stamplab.lab.model.history import PolicyRead
from stamplab.lab.recipe.containment import require_inside
from stamplab.lab.recipe.trust.template import InvalidTemplate, substitute

DEFAULT_FILE = "compose.yml"

Tree = dict[str, object]
"""A mapping of YAML. What is in it is looked at field by field: nothing of it can be relied on."""


class Healthcheck(msgspec.Struct, frozen=True, kw_only=True):
    """A service's health check, in the texts of the file."""

    test: tuple[str, ...] = ()
    interval: str | None = None
    retries: str | None = None
    start_period: str | None = None


class ComposeService(msgspec.Struct, frozen=True, kw_only=True):
    """One service."""

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
    """Where configs are mounted, by their keys."""
    bind_sources: tuple[str, ...] = ()
    has_ingress_ports: bool = False


class Compose(msgspec.Struct, frozen=True, kw_only=True):
    """A stack's compose files, the last one winning."""

    version: str | None = None
    """Which all files of a stack must state alike; None where the first one states none."""
    services: Mapping[str, ComposeService] = {}
    own_configs: Mapping[str, str] = {}
    """The names of the configs that are not external, by their keys, not interpolated."""
    external_networks: tuple[str, ...] = ()


def read_texts(folder: Path, files: tuple[str, ...]) -> dict[str, str]:
    """Read compose files of a work tree, none of them through a link out of it.

    Raises LabError, RecipeRefused.
    """
    texts = {}
    for file in files:
        require_inside(folder, folder / file)
        try:
            texts[file] = (folder / file).read_text()
        except OSError as error:
            raise LabError(f"{folder / file} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise LabError(f"{folder / file} cannot be read: {error}") from error
    return texts


def parse(texts: Mapping[str, str], variables: Mapping[str, str]) -> Compose:
    """Read the texts of compose files by their names, the last one winning. Raises LabError."""
    trees = {name: _tree(name, text) for name, text in texts.items()}
    merged: Tree = {}
    for name, tree in trees.items():
        merged = _merged_trees(merged, _with_lists(tree, name))
    first = next(iter(trees.values()), {})
    try:
        return _compose(_Reader(merged, variables), _Reader(first, {}).text("version"))
    except InvalidTemplate as error:
        raise LabError(f"{' and '.join(texts)} cannot be read: {error}") from error


def stated_version(name: str, text: str) -> str | None:
    """The version that a compose file states. Raises LabError."""
    return _Reader(_tree(name, text), {}).text("version")


def overlay_text(version: str | None, content: Mapping[str, object]) -> str:
    """Write an overlay: the docker client wants the same version in all files of a stack."""
    stated = {} if version is None else {"version": version}
    return yaml.safe_dump({**stated, **content}, sort_keys=False)


def policy(compose: Compose, service: str, *, commit: str, path: str) -> PolicyRead:
    """The rollout policy that is stated for a service. Raises LabError where there is none."""
    found = compose.services.get(service)
    if found is None:
        raise LabError(f"{path} at {commit[:12]} has no service {service}")
    return PolicyRead(
        commit=commit,
        path=path,
        service=service,
        failure_action=found.update_config.get("failure_action"),
        order=found.update_config.get("order"),
        monitor=found.update_config.get("monitor"),
        start_period=found.healthcheck.start_period,
    )


def _tree(name: str, text: str) -> Tree:
    try:
        tree = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        said = " ".join(str(error).split())
        raise LabError(f"{name} is no compose file that can be read: {said}") from error
    if not isinstance(tree, dict):
        raise LabError(f"{name} is no compose file that can be read: it is no mapping")
    return tree


def _with_lists(tree: Tree, name: str) -> Tree:
    """Write as lists what may be a text, so that nothing is lost where files are merged."""
    services = tree.get("services") or {}
    if not isinstance(services, dict) or not all(
        isinstance(one, dict | None) for one in services.values()
    ):
        raise LabError(f"{name} is no compose file that can be read: its services are no mappings")
    listed = {key: _service_with_lists(one or {}) for key, one in services.items()}
    return {**tree, "services": listed}


def _service_with_lists(service: Tree) -> Tree:
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


def _merged_trees(below: Tree, above: Tree) -> Tree:
    """Merge as the docker client does: mappings by key, lists by appending, texts by replacing."""
    both = below.keys() & above.keys()
    return {**below, **above, **{key: _merged(below[key], above[key]) for key in both}}


def _merged(below: object, above: object) -> object:
    if isinstance(below, dict) and isinstance(above, dict):
        return _merged_trees(below, above)
    if isinstance(below, list) and isinstance(above, list):
        return [*below, *above]
    return below if above is None else above


class _Reader:
    """A mapping of unknown content, read with the variables that the client would have."""

    def __init__(self, tree: object, variables: Mapping[str, str]) -> None:
        self._tree: Tree = tree if isinstance(tree, dict) else {}
        self._variables = variables

    def text(self, key: str) -> str | None:
        """A scalar, interpolated; None where there is none."""
        value = self._tree.get(key)
        return None if value is None or isinstance(value, dict | list) else self._said(value)

    def part(self, key: str) -> _Reader:
        """A mapping below."""
        return _Reader(self._tree.get(key), self._variables)

    def parts(self) -> Iterator[tuple[str, _Reader]]:
        """All that is below, by keys."""
        for key in self._tree:
            yield str(key), self.part(key)

    def items(self, key: str) -> Iterator[_Reader | str]:
        """A list: its mappings as they are, its texts interpolated."""
        value = self._tree.get(key)
        for item in value if isinstance(value, list) else ():
            if isinstance(item, dict):
                yield _Reader(item, self._variables)
            elif item is not None and not isinstance(item, list):
                yield self._said(item)

    def texts(self, key: str) -> tuple[str, ...]:
        """The texts of a list."""
        return tuple(item for item in self.items(key) if isinstance(item, str))

    def scalars(self) -> dict[str, str]:
        """All texts below, by keys."""
        found = ((str(key), self.text(key)) for key in self._tree)
        return {key: text for key, text in found if text is not None}

    def is_true(self, key: str) -> bool:
        """Whether something stands there that is no plain no; a mapping is something."""
        value = self._tree.get(key)
        if isinstance(value, dict):
            return True
        return (self.text(key) or "").lower() not in ("", "false", "no", "off", "n")

    def raw(self, key: str) -> str | None:
        """A text as it stands there."""
        value = self._tree.get(key)
        return value if isinstance(value, str) else None

    def _said(self, value: object) -> str:
        return substitute(str(value), self._variables)


def _compose(whole: _Reader, version: str | None) -> Compose:
    return Compose(
        version=version,
        services={name: _service(part) for name, part in whole.part("services").parts()},
        own_configs={
            key: config.raw("name") or ""
            for key, config in whole.part("configs").parts()
            if not config.is_true("external")
        },
        external_networks=tuple(
            network.text("name") or network.part("external").text("name") or key
            for key, network in whole.part("networks").parts()
            if network.is_true("external")
        ),
    )


def _service(part: _Reader) -> ComposeService:
    check, deploy = part.part("healthcheck"), part.part("deploy")
    resources = deploy.part("resources")
    return ComposeService(
        image=part.text("image") or "",
        programs=tuple(word for word in part.texts("entrypoint") if word),
        working_dir=part.text("working_dir") or "/",
        has_user=part.text("user") is not None,
        healthcheck=Healthcheck(
            test=check.texts("test"),
            interval=check.text("interval"),
            retries=check.text("retries"),
            start_period=check.text("start_period"),
        ),
        stop_grace_period=part.text("stop_grace_period"),
        update_config=deploy.part("update_config").scalars(),
        limits=frozenset(resources.part("limits").scalars()),
        reservations=frozenset(resources.part("reservations").scalars()),
        constraints=deploy.part("placement").texts("constraints"),
        config_targets=dict(_config_targets(part)),
        bind_sources=tuple(_bind_sources(part)),
        has_ingress_ports=any(
            isinstance(port, str) or port.text("mode") != "host" for port in part.items("ports")
        ),
    )


def _config_targets(service: _Reader) -> Iterator[tuple[str, str]]:
    for config in service.items("configs"):
        if isinstance(config, str):
            yield config, f"/{config}"
        else:
            source = config.text("source") or ""
            yield source, config.text("target") or f"/{source}"


def _bind_sources(service: _Reader) -> Iterator[str]:
    """Absolute paths alone: where relative ones begin is the client's to say."""
    for mount in service.items("volumes"):
        if isinstance(mount, str):
            source = mount.partition(":")[0]
        else:
            source = mount.text("source") or "" if mount.text("type") == "bind" else ""
        if source.startswith("/") and ":" not in source:
            yield source
