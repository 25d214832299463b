"""What is resolved without docker is what a real `docker stack deploy` makes of the same files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stamplab.lab.live.api import fetch
from stamplab.lab.live.lab import Apparatus, live_lab
from stamplab.lab.live.world import LiveWorld
from stamplab.lab.recipe.recipe_files import read_recipe
from stamplab.lab.recipe.repository import RecipeHistory, build_repository
from stamplab.lab.recipe.resolver import Resolver
from stamplab.lab.recipe.trust import Grant
from stamplab.lab.world import Stack
from stamplab.scenarios.discourse.recipe import RECIPE
from tests import recipes

pytestmark = pytest.mark.live

MUCH = """\
version: "3.8"
x-policy: &policy {failure_action: rollback, order: start-first, monitor: 7s}
services:
  app:
    image: IMAGE
    entrypoint: [/bin/stampload, serve]
    command: [a]
    environment: [A=1, B]
    env_file: app.env
    hostname: h
    user: "0"
    working_dir: /
    init: true
    read_only: true
    stop_grace_period: 3s
    stop_signal: SIGINT
    networks: {inner: {aliases: [x]}, default: }
    secrets: [token, {source: own, target: there, mode: 0400, uid: "1"}]
    configs: [page]
    volumes: ["data:/d", {type: tmpfs, target: /t}]
    extra_hosts: ["a:1.2.3.4"]
    sysctls: {net.ipv4.ip_forward: "0"}
    dns: [1.1.1.1]
    logging: {driver: json-file, options: {max-size: 1m}}
    ulimits: {nofile: 100}
    cap_add: [CHOWN]
    labels: {l: c}
    ports: [{target: 80, published: 8081, mode: host}]
    healthcheck: {test: [CMD, x], interval: 1s, retries: 2, start_period: 1m}
    deploy:
      update_config: *policy
      rollback_config: {monitor: 2s, parallelism: 0}
      replicas: 2
      restart_policy: {condition: on-failure, delay: 1s, max_attempts: 3, window: 4s}
      placement:
        constraints: [node.role == manager]
        preferences: [{spread: node.labels.x}]
        max_replicas_per_node: 5
      resources: {limits: {memory: 100M, cpus: "0.5"}, reservations: {memory: 10M}}
      labels: {stamp: "1"}
      endpoint_mode: dnsrr
  plain:
    image: IMAGE
  everywhere:
    image: IMAGE
    deploy: {mode: global}
networks: {inner: }
volumes: {data: }
secrets: {token: {external: true, name: token_v1}, own: {file: app.env}}
configs: {page: {file: app.env}}
"""
MORE = """\
version: "3.8"
services:
  app:
    environment: {A: 2}
    deploy: {labels: {stamp: "2"}, update_config: {order: stop-first}}
"""


def much(folder: Path, image: str) -> Stack:
    files = {"compose.yml": MUCH.replace("IMAGE", image), "more.yml": MORE, "app.env": "C=1\n"}
    for name, text in files.items():
        (folder / name).write_text(text)
    return Stack(
        name="much",
        directory=folder,
        compose_files=(folder / "compose.yml", folder / "more.yml"),
        environment={"B": "b"},
    )


def whole(history: RecipeHistory, folder: Path) -> Stack:
    build_repository(history, folder / history.name)
    return read_recipe(folder / history.name, history.name).stack


def test_its_specs_are_those_of_a_real_deploy(apparatus: Apparatus, tmp_path: Path) -> None:
    (tmp_path / "evidence").mkdir()
    stacks = [much(tmp_path, apparatus.image)]
    stacks += [whole(history, tmp_path) for history in (RECIPE, recipes.KEYCLOAK, recipes.WIKI)]
    with (
        Resolver() as resolver,
        live_lab(apparatus, tmp_path / "evidence", "app", 8080, trust=frozenset(Grant)) as world,
    ):
        for stack in stacks:
            world.provide(stack)
            deployed = world.apply(stack)
            assert deployed.exit_code == 0, deployed.output
            environment = world.daemon.client_environment(stack.environment)
            seen = msgspec.structs.replace(stack, environment=environment)
            resolved = [msgspec.json.decode(raw) for raw in resolver.resolve(seen).services]
            made = made_by_the_engine(world, stack.name)
            assert [spec["Name"] for spec in resolved] == sorted(made)
            ids = ids_of(world)
            for spec in resolved:
                assert without_versions(as_stored(spec, ids)) == without_versions(
                    made[spec["Name"]]
                )


def made_by_the_engine(world: LiveWorld, stack: str) -> dict[str, Any]:
    services = world.daemon.api.services(filters={"label": f"com.docker.stack.namespace={stack}"})
    return {service["Spec"]["Name"]: service["Spec"] for service in services}


def ids_of(world: LiveWorld) -> dict[str, str]:
    api = world.daemon.api
    configs = msgspec.json.decode(fetch(api, "configs") or b"[]")
    ids = {network["Name"]: network["Id"] for network in api.networks()}
    return ids | {item["Spec"]["Name"]: item["ID"] for item in (*api.secrets(), *configs)}


def as_stored(spec: dict[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    """What the engine stores of a spec: its own ids, and what it fills in."""
    task, container = spec["TaskTemplate"], spec["TaskTemplate"]["ContainerSpec"]
    for network in task["Networks"]:
        network["Target"] = ids[network["Target"]]
    for kind in ("Secret", "Config"):
        for reference in container.get(f"{kind}s", ()):
            reference[f"{kind}ID"] = ids[reference[f"{kind}Name"]]
    task["Runtime"] = "container"
    container["Isolation"] = "default"
    if "RestartPolicy" in task:
        task["RestartPolicy"].setdefault("MaxAttempts", 0)
    spec["EndpointSpec"].setdefault("Mode", "vip")
    for port in spec["EndpointSpec"].get("Ports", ()):
        port.setdefault("Protocol", "tcp")
    if "Replicated" in spec["Mode"]:
        spec["Mode"]["Replicated"].setdefault("Replicas", 1)
    for policy in (spec.get(name) for name in ("UpdateConfig", "RollbackConfig")):
        if policy:
            policy["FailureAction"] = policy.get("FailureAction") or "pause"
            policy["Order"] = policy.get("Order") or "stop-first"
    return spec


def without_versions(spec: dict[str, Any]) -> dict[str, Any]:
    """Without what an older client or engine does not know: here one field that is false."""
    spec["TaskTemplate"]["ContainerSpec"]["Privileges"].pop("NoNewPrivileges", None)
    return spec
