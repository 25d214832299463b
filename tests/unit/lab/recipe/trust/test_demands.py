"""Every request beyond an ordinary container is refused, with its place, and has one grant."""

from __future__ import annotations

from pathlib import Path

import pytest

from stamplab.lab.abra import deploy
from stamplab.lab.abra.folder import AbraFolder
from stamplab.lab.errors import RecipeRefused
from stamplab.lab.recipe import checkout
from stamplab.lab.recipe.env_file import with_values
from stamplab.lab.recipe.trust import GRANT_MEANINGS, Grant, demands_of, require_trusted
from stamplab.lab.recipe.workload_overlay import OVERLAY_NAME
from stamplab.scenarios.discourse.recipe import RECIPE
from tests import recipes
from tests.unit.lab.abra.test_deploy import DOMAIN
from tests.unit.lab.judging import demands, in_service, judged, write
from tests.unit.lab.virtual.test_world import Stage

SERVICE = "services.app."

IN_A_SERVICE = [
    ("volumes: ['/etc:/x']", Grant.HOST_PATHS, "volumes[0]"),
    ("volumes: ['data:/x', './data:/x:ro']", Grant.HOST_PATHS, "volumes[1]"),
    ("volumes: ['.:/x']", Grant.HOST_PATHS, "volumes[0]"),
    ("volumes: ['..:/x']", Grant.HOST_PATHS, "volumes[0]"),
    ("volumes: ['~/x:/x']", Grant.HOST_PATHS, "volumes[0]"),
    ("volumes: ['~root:/x']", Grant.HOST_PATHS, "volumes[0]"),
    ("volumes: ['c:\\x:/x']", Grant.HOST_PATHS, "volumes[0]"),
    ("volumes: ['é:/etc:/x']", Grant.HOST_PATHS, "volumes[0]"),
    ("volumes: ['\\\\.\\pipe\\docker:/x']", Grant.HOST_PATHS, "volumes[0]"),
    ("volumes: [{type: bind, source: /etc, target: /x}]", Grant.HOST_PATHS, "volumes[0]"),
    ("volumes: [{type: bind, source: data, target: /x}]", Grant.HOST_PATHS, "volumes[0]"),
    ("volumes: [{type: volume, source: /etc, target: /x}]", Grant.HOST_PATHS, "volumes[0]"),
    ("volumes: [{type: npipe, source: x, target: /x}]", Grant.HOST_PATHS, "volumes[0]"),
    (
        "volumes: [{type: volume, source: v, volume: {subpath: ../x}}]",
        Grant.HOST_PATHS,
        "volumes[0]",
    ),
    ("volumes: [{type: cluster, source: v, target: /x}]", Grant.PLUGINS, "volumes[0]"),
    ("volumes: [{type: new, source: v, target: /x}]", None, "volumes[0].type"),
    ("volumes: [{type: volume, surprise: v}]", None, "volumes[0].surprise"),
    ("volumes: [[a]]", None, "volumes[0]"),
    ("volumes: [':/x']", None, "volumes[0]"),
    ("volumes: ['data:/b:ro:/etc']", None, "volumes[0]"),
    ('volumes: ["/x\\0/etc:ro"]', None, "volumes[0]"),
    ("volumes_from: [other]", Grant.HOST_PATHS, "volumes_from[0]"),
    ("volume_driver: rexray", Grant.PLUGINS, "volume_driver"),
    ("use_api_socket: true", Grant.HOST_PATHS, "use_api_socket"),
    ("privileged: true", Grant.PRIVILEGES, "privileged"),
    ("privileged: 'yes'", Grant.PRIVILEGES, "privileged"),
    ("privileged: 1", Grant.PRIVILEGES, "privileged"),
    ("privileged: [true]", None, "privileged"),
    ("oom_score_adj: -1000", Grant.PRIVILEGES, "oom_score_adj"),
    ("oom_kill_disable: true", Grant.PRIVILEGES, "oom_kill_disable"),
    ("cap_add: [NET_ADMIN]", Grant.CAPABILITIES, "cap_add[0]"),
    ("devices: ['/dev/kvm']", Grant.DEVICES, "devices[0]"),
    ("device_cgroup_rules: ['c 1:3 mr']", Grant.DEVICES, "device_cgroup_rules[0]"),
    ("gpus: all", Grant.DEVICES, "gpus"),
    ("blkio_config: {weight: 300}", Grant.DEVICES, "blkio_config"),
    (
        "deploy: {resources: {reservations: {devices: [{capabilities: [gpu]}]}}}",
        Grant.DEVICES,
        "deploy.resources.reservations.devices[0]",
    ),
    (
        "deploy: {resources: {reservations: {generic_resources: [{a: 1}]}}}",
        Grant.DEVICES,
        "deploy.resources.reservations.generic_resources[0]",
    ),
    ("deploy: {surprise: 1}", None, "deploy.surprise"),
    ("network_mode: host", Grant.HOST_NETWORK, "network_mode"),
    ("network_mode: 'container:x'", Grant.HOST_NETWORK, "network_mode"),
    ("networks: [host]", Grant.HOST_NETWORK, "networks[0]"),
    ("networks: {host: {aliases: [x]}}", Grant.HOST_NETWORK, "networks.host"),
    ("pid: host", Grant.HOST_NAMESPACES, "pid"),
    ("ipc: host", Grant.HOST_NAMESPACES, "ipc"),
    ("ipc: 'container:x'", Grant.HOST_NAMESPACES, "ipc"),
    ("uts: host", Grant.HOST_NAMESPACES, "uts"),
    ("userns_mode: host", Grant.HOST_NAMESPACES, "userns_mode"),
    ("cgroup: host", Grant.HOST_NAMESPACES, "cgroup"),
    ("cgroupns_mode: host", Grant.HOST_NAMESPACES, "cgroupns_mode"),
    ("cgroup_parent: /", Grant.HOST_NAMESPACES, "cgroup_parent"),
    ("sysctls: {net.core.somaxconn: 1}", Grant.SYSCTLS, "sysctls.net.core.somaxconn"),
    ("sysctls: [net.core.somaxconn=1]", Grant.SYSCTLS, "sysctls[0]"),
    ("security_opt: ['seccomp:unconfined']", Grant.SECURITY_OPTIONS, "security_opt[0]"),
    ("security_opt: ['no-new-privileges:false']", Grant.SECURITY_OPTIONS, "security_opt[0]"),
    ("credential_spec: {file: x}", Grant.SECURITY_OPTIONS, "credential_spec"),
    ("runtime: nvidia", Grant.SECURITY_OPTIONS, "runtime"),
    ("logging: {driver: syslog}", Grant.PLUGINS, "logging.driver"),
    ("env_file: /etc/environment", Grant.OUTSIDE_FILES, "env_file"),
    ("env_file: [app.env, ../x.env]", Grant.OUTSIDE_FILES, "env_file[1]"),
    ("env_file: [{path: /etc/environment}]", Grant.OUTSIDE_FILES, "env_file[0].path"),
    ("env_file: 'sub/../x.env'", Grant.OUTSIDE_FILES, "env_file"),
    ("label_file: ~/labels", Grant.OUTSIDE_FILES, "label_file"),
    ("build: ../elsewhere", Grant.OUTSIDE_FILES, "build"),
    ("build: {context: /}", Grant.OUTSIDE_FILES, "build.context"),
    ("build: {context: ., network: host}", Grant.HOST_NETWORK, "build.network"),
    ("build: {context: ., privileged: true}", Grant.PRIVILEGES, "build.privileged"),
    ("build: {context: ., surprise: 1}", None, "build.surprise"),
    ("extends: {file: common.yml, service: a}", None, "extends.file"),
    ("provider: {type: any-program}", None, "provider"),
    ("post_start: [{command: x, privileged: true}]", None, "post_start"),
    ("surprise: 1", None, "surprise"),
]

AT_THE_TOP = [
    ("volumes: {v: {driver: nfs}}", Grant.PLUGINS, "volumes.v.driver"),
    ("volumes: {v: {driver_opts: {type: none}}}", Grant.HOST_PATHS, "volumes.v.driver_opts.type"),
    (
        "volumes: {v: {driver_opts: {device: /etc}}}",
        Grant.HOST_PATHS,
        "volumes.v.driver_opts.device",
    ),
    (
        "volumes: {v: {driver_opts: {device: ':/x'}}}",
        Grant.HOST_PATHS,
        "volumes.v.driver_opts.device",
    ),
    ("volumes: {v: {driver_opts: {o: bind}}}", Grant.HOST_PATHS, "volumes.v.driver_opts.o"),
    (
        "volumes: {v: {driver_opts: {o: 'size=1m,addr=h'}}}",
        Grant.HOST_PATHS,
        "volumes.v.driver_opts.o",
    ),
    ("volumes: {v: {driver_opts: {new: 1}}}", Grant.HOST_PATHS, "volumes.v.driver_opts.new"),
    ("volumes: {v: {name: /etc}}", Grant.HOST_PATHS, "volumes.v.name"),
    ("volumes: {v: {name: a/b}}", Grant.HOST_PATHS, "volumes.v.name"),
    ("volumes: {v: {external: {name: /etc}}}", Grant.HOST_PATHS, "volumes.v.external.name"),
    ("volumes: {v: {x-cluster-spec: {group: g}}}", Grant.PLUGINS, "volumes.v.x-cluster-spec"),
    ("volumes: [v]", None, "volumes[0]"),
    ("networks: {n: {external: true, name: host}}", Grant.HOST_NETWORK, "networks.n.name"),
    ("networks: {n: {external: {name: host}}}", Grant.HOST_NETWORK, "networks.n.external.name"),
    ("networks: {host: {external: true}}", Grant.HOST_NETWORK, "networks.host"),
    ("networks: {host: }", Grant.HOST_NETWORK, "networks.host"),
    ("networks: {n: {driver: host}}", Grant.HOST_NETWORK, "networks.n.driver"),
    ("networks: {n: {driver: macvlan}}", Grant.HOST_NETWORK, "networks.n.driver"),
    ("networks: {n: {driver: ipvlan}}", Grant.HOST_NETWORK, "networks.n.driver"),
    ("networks: {n: {driver: weave}}", Grant.PLUGINS, "networks.n.driver"),
    ("networks: {n: {ipam: {driver: x}}}", Grant.PLUGINS, "networks.n.ipam.driver"),
    ("networks: {n: {surprise: x}}", None, "networks.n.surprise"),
    ("configs: {c: {file: /etc/shadow}}", Grant.OUTSIDE_FILES, "configs.c.file"),
    ("secrets: {c: {file: ../x}}", Grant.OUTSIDE_FILES, "secrets.c.file"),
    ("configs: {c: {file: .git/config}}", Grant.OUTSIDE_FILES, "configs.c.file"),
    ("secrets: {c: {file: ''}}", None, "secrets.c.file"),
    ("secrets: {c: {driver: vault}}", Grant.PLUGINS, "secrets.c.driver"),
    ("configs: {c: {template_driver: x, file: a}}", Grant.PLUGINS, "configs.c.template_driver"),
    ("include: [other.yml]", None, "include"),
    ("models: {m: {}}", None, "models"),
    ("app: {image: a:1}", None, "app"),
    ("services: [app]", None, "services[0]"),
]

HARMLESS = [
    "volumes: ['data:/x', '/x', 'data:/x:ro', 'ab', {type: tmpfs, target: /t, tmpfs: {size: 1}}]",
    "volumes: [{type: volume, source: data, target: /x, volume: {nocopy: true, subpath: a/b}}]",
    "privileged: false",
    "cap_add: []",
    "cap_drop: [ALL]",
    "oom_score_adj: 500",
    "security_opt: ['no-new-privileges:true']",
    "pid: null",
    "ipc: private",
    "network_mode: 'service:db'",
    "networks: [internal, proxy]",
    "networks: {internal: {aliases: [host]}}",
    "logging: {driver: json-file, options: {max-size: 1m}}",
    "tmpfs: [/run, '/tmp:size=64m']",
    "env_file: [app.env, ./sub/app.env]",
    "ports: [{target: 80, published: 80, mode: host}]",
    "build: {context: ., dockerfile: Dockerfile}",
    "build: https://example.org/x.git",
    "labels: ['a=/etc:/x']",
    "command: [cat, /etc/shadow]",
    "environment: {A: /etc, PRIVILEGED: 'true'}",
    "x-anything: {privileged: true}",
    "extends: {service: db}",
    "deploy: {resources: {limits: {memory: 1G}, reservations: {cpus: '1'}}, placement: {}}",
]

HARMLESS_AT_THE_TOP = [
    "volumes: {v: , w: {}, x: {external: true, name: shared}, y: {driver: local}}",
    "volumes: {v: {driver_opts: {type: tmpfs, device: tmpfs, o: 'size=64m,uid=1000'}}}",
    "networks: {n: , proxy: {external: true}, o: {driver: overlay, attachable: true}}",
    "networks: {ingress: {external: true}, b: {driver: bridge}}",
    "configs: {c: {file: ./a.conf, name: 'x', template_driver: golang}}",
    "secrets: {s: {external: true, name: x}}",
    "x-base: &b {privileged: true, volumes: ['/:/x']}",
    "version: '3.8'\nname: x",
]


ASKING = [
    *((in_service(fragment), grant, SERVICE + place) for fragment, grant, place in IN_A_SERVICE),
    *AT_THE_TOP,
]


@pytest.mark.parametrize(("compose", "grant", "place"), ASKING)
def test_only_its_own_grant_allows_it(
    tmp_path: Path, compose: str, grant: Grant | None, place: str
) -> None:
    all_demands = demands(tmp_path, compose)
    assert [(demand.grant, demand.place) for demand in all_demands] == [(grant, place)]
    with pytest.raises(RecipeRefused):
        require_trusted(all_demands, frozenset())
    with pytest.raises(RecipeRefused):
        require_trusted(all_demands, frozenset(other for other in Grant if other is not grant))
    if grant is None:
        with pytest.raises(RecipeRefused, match="nothing would allow that"):
            require_trusted(all_demands, frozenset(Grant))
    else:
        require_trusted(all_demands, frozenset({grant}))


@pytest.mark.parametrize("compose", [*map(in_service, HARMLESS), *HARMLESS_AT_THE_TOP])
def test_what_is_ordinary_asks_for_nothing(tmp_path: Path, compose: str) -> None:
    assert demands(tmp_path, compose) == ()


def test_every_grant_is_tried_above_and_says_what_it_allows() -> None:
    assert {grant for _, grant, _ in ASKING} == {*Grant, None}
    assert set(GRANT_MEANINGS) == set(Grant)


def test_the_refusal_lists_everything_and_what_would_allow_it(tmp_path: Path) -> None:
    fragment = "volumes: ['/etc:/x']\nprivileged: true\nprovider: {type: x}"
    all_demands = demands(tmp_path, in_service(fragment))
    with pytest.raises(RecipeRefused) as refused:
        require_trusted(all_demands, frozenset())
    assert str(refused.value) == (
        "the recipe is refused, and nothing was deployed: "
        "compose.yml, services.app.volumes[0] (/etc:/x) mounts a path of the host; "
        "compose.yml, services.app.privileged (true) is a privileged container; "
        "compose.yml, services.app.provider ({type: x}) is a key that the lab does not know: "
        "--trust host-paths --trust privileges would allow the rest, "
        "but nothing allows what is not understood"
    )
    assert refused.value.exit_code == 64


def test_what_is_trusted_is_not_in_the_refusal(tmp_path: Path) -> None:
    all_demands = demands(tmp_path, in_service("volumes: ['/etc:/x']\nprivileged: true"))
    with pytest.raises(RecipeRefused, match=r"--trust privileges would allow that$") as refused:
        require_trusted(all_demands, frozenset({Grant.HOST_PATHS}))
    assert "/etc" not in str(refused.value)


def test_every_file_is_judged_whichever_wins(tmp_path: Path) -> None:
    files = write(
        tmp_path,
        compose=in_service("privileged: true"),
        compose_x=in_service("privileged: false\nvolumes: [{type: bind, source: /, target: /x}]"),
        compose_y=in_service("volumes: ['data:/x']"),
    )
    places = [(demand.file, demand.place) for demand in judged(tmp_path, *files)]
    assert places == [
        ("compose.yml", "services.app.privileged"),
        ("compose.x.yml", "services.app.volumes[0]"),
    ]


def test_the_labs_own_recipe_and_overlays_need_no_trust(tmp_path: Path) -> None:
    """As the harness deploys it: the recipe, the stand-in's overlay, and the stamp's labels."""
    origin, folder = tmp_path / "upstream", AbraFolder(tmp_path / "abra")
    recipes.repository(RECIPE, origin)
    folder.create()
    tree = folder.recipe("discourse")
    checkout.fetch(origin, origin, tree, "main")
    checkout.write_uncommitted(tree, {OVERLAY_NAME: in_service("entrypoint: [x]")})
    files = f"compose.yml:{OVERLAY_NAME}"
    folder.write_env_text(
        DOMAIN, with_values("", {"TYPE": "discourse", "DOMAIN": DOMAIN, "COMPOSE_FILE": files})
    )
    stage = Stage()
    deploy.chaos_deploy(stage.world, folder, DOMAIN)
    (stack,) = stage.asked
    assert len(stack.compose_files) == 3
    assert not stack.compose_files[-1].is_relative_to(stack.directory)
    assert demands_of(stack, stack.environment) == ()
