"""Compose files as docker/cli itself understands them, resolved without it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stamplab.lab.errors import LabError, RecipeRefused
from stamplab.lab.recipe.recipe_files import read_recipe
from stamplab.lab.recipe.repository import RecipeHistory
from stamplab.lab.recipe.resolver import ComposeRefused, ResolvedStack, Resolver
from stamplab.lab.world import Stack
from stamplab.scenarios.discourse.recipe import RECIPE
from tests import recipes
from tests.scripts import script
from tests.unit.lab.judging import in_service, write


@pytest.fixture(scope="module")
def resolver(stackspec: Path) -> Iterator[Resolver]:
    with Resolver(stackspec) as resolver:
        yield resolver


def stack(folder: Path, *files: Path, **environment: str) -> Stack:
    return Stack(name="shop", directory=folder, compose_files=files, environment=environment)


def specs(resolved: ResolvedStack) -> dict[str, Any]:
    """The service specs by name."""
    decoded = [msgspec.json.decode(spec) for spec in resolved.services]
    return {spec["Name"]: spec for spec in decoded}


class Resolving:
    """Resolves texts in a folder."""

    def __init__(self, resolver: Resolver, folder: Path) -> None:
        self._resolver = resolver
        self.folder = folder

    def all(self, *, environment: Mapping[str, str] | None = None, **files: str) -> ResolvedStack:
        written = write(self.folder, **files)
        return self._resolver.resolve(stack(self.folder, *written, **(environment or {})))

    def app(self, *fragments: str, **environment: str) -> dict[str, Any]:
        """The spec of the service ``app``, each file of which has one of these fragments."""
        files = {
            f"compose_{number}": in_service(fragment) for number, fragment in enumerate(fragments)
        }
        spec: dict[str, Any] = specs(self.all(environment=environment, **files))["shop_app"]
        return spec

    def container(self, *fragments: str, **environment: str) -> dict[str, Any]:
        container: dict[str, Any] = self.app(*fragments, **environment)["TaskTemplate"][
            "ContainerSpec"
        ]
        return container

    def refusal(self, **files: str) -> str:
        with pytest.raises(ComposeRefused) as raised:
            self.all(environment=None, **files)
        return raised.value.client_output


@pytest.fixture
def resolving(resolver: Resolver, tmp_path: Path) -> Resolving:
    return Resolving(resolver, tmp_path)


# The recipes of this repository.


@pytest.mark.parametrize("history", [RECIPE, *recipes.ALL], ids=lambda history: history.name)
def test_a_whole_recipe(history: RecipeHistory, resolver: Resolver, tmp_path: Path) -> None:
    contents = read_recipe(recipes.write_head(history, tmp_path / history.name), "shop")
    resolved = resolver.resolve(contents.stack)
    by_name = specs(resolved)
    assert set(by_name) == {f"shop_{name}" for name in contents.compose.services}
    assert list(by_name) == sorted(by_name)
    used = {
        network["Target"]
        for spec in by_name.values()
        for network in spec["TaskTemplate"]["Networks"]
    }
    assert used == {network.name for network in resolved.networks}
    for name, spec in by_name.items():
        definition = contents.compose.services[name.removeprefix("shop_")]
        container = spec["TaskTemplate"]["ContainerSpec"]
        assert container["Image"] == definition.image
        assert spec["Labels"]["com.docker.stack.image"] == definition.image
        assert spec["Labels"]["com.docker.stack.namespace"] == "shop"
        assert (
            tuple(container.get("Healthcheck", {}).get("Test", ())) == definition.healthcheck.test
        )
        names = {secret.id: secret.name for secret in resolved.secrets}
        for secret in container.get("Secrets", ()):
            assert names[secret["SecretID"]] == secret["SecretName"]


def test_the_policy_that_arms_our_recipe(resolver: Resolver, tmp_path: Path) -> None:
    tree = recipes.write_head(RECIPE, tmp_path / "discourse")
    resolved = resolver.resolve(read_recipe(tree, "shop").stack)
    app = specs(resolved)["shop_app"]
    assert app["UpdateConfig"] == {
        "Parallelism": 1,
        "FailureAction": "rollback",
        "Monitor": 5_000_000_000,
        "MaxFailureRatio": 0,
        "Order": "start-first",
    }
    assert "RollbackConfig" not in app
    assert app["Labels"]["coop-cloud.shop.version"] == "0.9.0+3.5.0"


# Several files.


@pytest.mark.parametrize(
    ("below", "above", "key", "merged"),
    [
        ("command: a b", "command: c", "Args", ["c"]),
        ("entrypoint: [a, b]", "entrypoint: [c]", "Command", ["c"]),
        ("cap_add: [CHOWN]", "cap_add: [KILL]", "CapabilityAdd", ["CAP_CHOWN", "CAP_KILL"]),
        ("environment: [A=1, B=1]", "environment: {B: 2}", "Env", ["A=1", "B=2"]),
        ("dns: [1.1.1.1]", "dns: [8.8.8.8]", "DNSConfig", {"Nameservers": ["1.1.1.1", "8.8.8.8"]}),
        ("stop_grace_period: 5s", "user: me", "StopGracePeriod", 5_000_000_000),
    ],
)
def test_merging(resolving: Resolving, below: str, above: str, key: str, merged: object) -> None:
    assert resolving.container(below, above)[key] == merged


def test_a_health_checks_test_is_appended(resolving: Resolving) -> None:
    """Why an overlay cannot replace a recipe's."""
    check = "healthcheck:\n  test: [CMD, {}]"
    merged = resolving.container(check.format("old"), check.format("new"))
    assert merged["Healthcheck"]["Test"] == ["CMD", "old", "CMD", "new"]


def test_mounts_and_ports_are_merged_by_target_and_number(resolving: Resolving) -> None:
    spec = resolving.app(
        "volumes: ['/one:/a', '/two:/b']\nports: ['80:1', '81:1']",
        "volumes: ['/three:/a']\nports: ['80:2']",
    )
    mounts = spec["TaskTemplate"]["ContainerSpec"]["Mounts"]
    assert [(mount["Target"], mount["Source"]) for mount in mounts] == [
        ("/a", "/three"),
        ("/b", "/two"),
    ]
    ports = spec["EndpointSpec"]["Ports"]
    assert [(port["PublishedPort"], port["TargetPort"]) for port in ports] == [(80, 2), (81, 1)]


def test_the_last_file_wins_the_policy(resolving: Resolving) -> None:
    order = "deploy: {{update_config: {{order: {}}}}}"
    spec = resolving.app(order.format("start-first"), order.format("stop-first"))
    assert spec["UpdateConfig"]["Order"] == "stop-first"


def test_files_of_two_versions_are_refused(resolving: Resolving) -> None:
    text, other = (f"version: '{number}'\n{in_service('user: me')}" for number in ("3.8", "3.7"))
    words = resolving.refusal(compose=text, compose_other=other)
    assert words == "version mismatched between two composefiles : 3.8 and 3.7"


# One file.


def test_anchors_and_merge_keys_are_followed(resolving: Resolving) -> None:
    text = (
        "x-policy: &policy\n  failure_action: rollback\n  order: start-first\n"
        "services:\n  app:\n    image: a:1\n    deploy:\n      update_config:\n"
        "        <<: *policy\n        order: stop-first\n"
    )
    policy = specs(resolving.all(compose=text))["shop_app"]["UpdateConfig"]
    assert (policy["FailureAction"], policy["Order"]) == ("rollback", "stop-first")


def test_an_image_without_a_tag_gets_one(resolving: Resolving) -> None:
    spec = specs(resolving.all(compose="services:\n  app:\n    image: nginx\n"))["shop_app"]
    assert spec["TaskTemplate"]["ContainerSpec"]["Image"] == "nginx:latest"
    assert spec["Labels"]["com.docker.stack.image"] == "nginx"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "user: me\nuser: you",
            'yaml: unmarshal errors:\n  line 5: mapping key "user" already defined at line 4',
        ),
        (
            "user: ${X:?say who}",
            "invalid interpolation format for services.app.user: "
            '"required variable X is missing a value: say who"; '
            "you may need to escape any $ with another $",
        ),
        ("nonsense: 1", "services.app Additional property nonsense is not allowed"),
        ("deploy: {replicas: many}", "services.app.deploy.replicas must be a integer"),
        ("networks: [nowhere]", 'service app: undefined network "nowhere"'),
        (
            "deploy: {mode: global, replicas: 2}",
            "service app: replicas can only be used with replicated or replicated-job mode",
        ),
        (
            "cpuset: '0'",
            "Compose file contains unsupported options:\n\n"
            "cpuset: Set resource limits using deploy.resources\n",
        ),
    ],
)
def test_what_docker_refuses_in_its_own_words(resolving: Resolving, text: str, words: str) -> None:
    assert resolving.refusal(compose=in_service(text)) == words


def test_a_refusal_is_the_command_lines_fault(resolving: Resolving) -> None:
    with pytest.raises(RecipeRefused, match="docker stack deploy refuses the stack shop: yaml: "):
        resolving.all(compose="{")


def test_a_missing_file_is_refused_in_dockers_words(resolver: Resolver, tmp_path: Path) -> None:
    with pytest.raises(ComposeRefused) as raised:
        resolver.resolve(stack(tmp_path, tmp_path / "absent.yml"))
    assert raised.value.client_output == f"open {tmp_path}/absent.yml: no such file or directory"


def test_a_missing_folder_is_the_apparatus_fault(resolver: Resolver, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="shop was not resolved: the stack's folder") as raised:
        resolver.resolve(stack(tmp_path / "absent", Path("compose.yml")))
    assert not isinstance(raised.value, RecipeRefused)


def test_what_docker_ignores_is_a_warning(resolving: Resolving) -> None:
    resolved_stack = resolving.all(
        compose=in_service("privileged: true\nrestart: always\nexpose: ['80']")
    )
    assert resolved_stack.warnings[0].startswith("Ignoring deprecated options:\n\nexpose: ")
    assert resolved_stack.warnings[1] == "Ignoring unsupported options: privileged, restart"


def test_what_a_stack_takes_for_granted_and_what_it_brings(resolving: Resolving) -> None:
    (resolving.folder / "page.html").write_text("hello")
    text = in_service("networks: [proxy, inner]\nsecrets: [token]\nconfigs: [page]") + (
        "networks: {proxy: {external: true}, inner: }\n"
        "secrets: {token: {external: true, name: 'token_${VERSION}'}}\n"
        "configs: {page: {file: page.html}}\n"
    )
    resolved_stack = resolving.all(compose=text, environment={"VERSION": "v1"})
    every = (*resolved_stack.networks, *resolved_stack.secrets, *resolved_stack.configs)
    assert [(entry.name, entry.external) for entry in every] == [
        ("proxy", True),
        ("shop_inner", False),
        ("token_v1", True),
        ("shop_page", False),
    ]
    assert resolved_stack.reads == (str(resolving.folder / "page.html"),)


# The environment.


def test_only_its_environment_counts(resolving: Resolving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "ours")
    text = "environment: [OURS, ITS]\nhostname: x${OURS}${ITS}${OTHER-y}"
    container = resolving.container(text, ITS="its")
    assert container["Env"] == ["ITS=its", "OURS"]
    assert container["Hostname"] == "xitsy"


def test_an_env_file_is_read_with_it_too(resolving: Resolving) -> None:
    (resolving.folder / "app.env").write_text("A=1\nITS\nOTHER\n")
    assert resolving.container("env_file: app.env", ITS="its")["Env"] == ["A=1", "ITS=its"]


def test_relative_paths_begin_at_the_first_file(resolver: Resolver, tmp_path: Path) -> None:
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe" / "app.env").write_text("A=1")
    text = in_service("env_file: app.env\nvolumes: ['./data:/d']")
    (first,) = write(tmp_path / "recipe", compose=text)
    resolved_stack = resolver.resolve(stack(tmp_path, Path("recipe/compose.yml")))
    container = specs(resolved_stack)["shop_app"]["TaskTemplate"]["ContainerSpec"]
    assert container["Mounts"][0]["Source"] == str(first.parent / "data")
    assert resolved_stack.reads == (str(first.parent / "app.env"),)


# What is remembered.


class CountingResolver(Resolver):
    """Counts what it had to ask."""

    questions = 0

    def _ask(self, stack: Stack) -> ResolvedStack:
        self.questions += 1
        return super()._ask(stack)


@pytest.fixture
def counting(stackspec: Path) -> Iterator[CountingResolver]:
    with CountingResolver(stackspec) as counting:
        yield counting


def test_the_same_files_are_resolved_once(counting: CountingResolver, tmp_path: Path) -> None:
    (file,) = write(tmp_path, compose=in_service("user: $WHO"))
    first = counting.resolve(stack(tmp_path, file, WHO="me"))
    assert counting.resolve(stack(tmp_path, file, WHO="me")) is first
    assert counting.questions == 1


def test_all_that_it_was_made_of_counts(counting: CountingResolver, tmp_path: Path) -> None:
    (file,) = write(tmp_path, compose=in_service("env_file: app.env\nuser: $WHO"))
    (tmp_path / "app.env").write_text("A=1")
    counting.resolve(stack(tmp_path, file, WHO="me"))
    counting.resolve(stack(tmp_path, file, WHO="you"))
    (tmp_path / "app.env").write_text("A=2")
    changed = counting.resolve(stack(tmp_path, file, WHO="me"))
    assert specs(changed)["shop_app"]["TaskTemplate"]["ContainerSpec"]["Env"] == ["A=2"]
    file.write_text(in_service("env_file: app.env\nuser: nobody"))
    changed = counting.resolve(stack(tmp_path, file, WHO="me"))
    assert specs(changed)["shop_app"]["TaskTemplate"]["ContainerSpec"]["User"] == "nobody"
    assert counting.questions == 4


def test_a_refusal_is_not_remembered(counting: CountingResolver, tmp_path: Path) -> None:
    (file,) = write(tmp_path, compose=in_service("env_file: app.env"))
    with pytest.raises(ComposeRefused, match=r"app\.env: no such file"):
        counting.resolve(stack(tmp_path, file))
    (tmp_path / "app.env").touch()
    counting.resolve(stack(tmp_path, file))


def test_only_so_much_is_remembered(
    counting: CountingResolver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stamplab.lab.recipe.resolver._CACHE_MAX", 2)
    (file,) = write(tmp_path, compose=in_service("user: $WHO"))
    for who in ("a", "b", "c", "c", "b", "a"):
        counting.resolve(stack(tmp_path, file, WHO=who))
    assert counting.questions == 4


def test_answers_that_cannot_be_decoded_are_the_apparatus_fault(tmp_path: Path) -> None:
    program = script(tmp_path / "program", 'while read -r line; do echo "{}"; done')
    (file,) = write(tmp_path, compose=in_service(""))
    with Resolver(program) as resolver, pytest.raises(LabError, match="answer cannot be decoded"):
        resolver.resolve(stack(tmp_path, file))
