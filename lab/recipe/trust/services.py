"""Rules for services, including keys that ``docker stack deploy`` ignores."""

from __future__ import annotations

from collections.abc import Iterator

from stamplab.lab.recipe.trust.demand import Demand, Grant
from stamplab.lab.recipe.trust.document import ComposeValue
from stamplab.lab.recipe.trust.folder import RecipeFolder
from stamplab.lab.recipe.trust.mounts import mount_rule
from stamplab.lab.recipe.trust.rules import (
    Rule,
    by_key,
    demand_nothing,
    demands,
    demands_unless,
    each_value,
    file_reference,
    ordinary_keys,
)

_FALSE = {"", "false", "no", "off", "n"}


def demands_unless_false(grant: Grant, reason: str) -> Rule:
    """Make a rule by which any text but a plain no demands ``grant``."""

    def rule(node: ComposeValue, _: RecipeFolder) -> Iterator[Demand]:
        if node.text().lower() not in _FALSE:
            yield node.demand(grant, reason)

    return rule


def _namespace(what: str, *own: str, grant: Grant = Grant.HOST_NAMESPACES) -> Rule:
    """Make a rule for a namespace: the container's own, or that of a service of the stack."""

    def rule(node: ComposeValue, _: RecipeFolder) -> Iterator[Demand]:
        text = node.text()
        if text not in ("", *own) and not text.startswith("service:"):
            yield node.demand(grant, f"shares {what} with the host or a stranger")

    return rule


def _build_network(node: ComposeValue, _: RecipeFolder) -> Iterator[Demand]:
    if node.text().partition(":")[0] in ("host", "container"):
        yield node.demand(Grant.HOST_NETWORK, "is built on the network of the host or a stranger")


def _networks(node: ComposeValue, _: RecipeFolder) -> Iterator[Demand]:
    by_name = ((item.text(), item) for item in node.items()) if node.is_list else node.fields()
    for name, item in by_name:
        if name == "host":
            yield item.demand(Grant.HOST_NETWORK, "is the host's network")


def _oom_score(node: ComposeValue, _: RecipeFolder) -> Iterator[Demand]:
    if not node.text().isdecimal() and not node.is_null:
        yield node.demand(Grant.PRIVILEGES, "is spared by the OOM killer before the host's own")


def _security_option(node: ComposeValue, _: RecipeFolder) -> Iterator[Demand]:
    # no-new-privileges only takes away.
    if node.text() not in ("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"):
        yield node.demand(Grant.SECURITY_OPTIONS, "changes the container's confinement")


def _build(node: ComposeValue, folder: RecipeFolder) -> Iterator[Demand]:
    """Judge a build: nothing is built, but a context that is no URL is a file reference."""

    def context(place: ComposeValue, inner: RecipeFolder) -> Iterator[Demand]:
        if "://" not in place.text():
            yield from file_reference(place, inner)

    if not node.is_mapping:
        yield from context(node, folder)
        return
    yield from by_key(
        {
            "context": context,
            "dockerfile": file_reference,
            "additional_contexts": each_value(context),
            "network": _build_network,
            "privileged": demands_unless_false(
                Grant.PRIVILEGES, "is built with the host's privileges"
            ),
            "entitlements": each_value(demands(Grant.PRIVILEGES, "is built with more privileges")),
            **ordinary_keys(
                "args cache_from cache_to dockerfile_inline extra_hosts isolation labels no_cache "
                "platforms pull shm_size tags target ulimits"
            ),
        }
    )(node, folder)


def _extends(node: ComposeValue, folder: RecipeFolder) -> Iterator[Demand]:
    """Judge ``extends``: a service of another file that is not judged."""
    if node.is_mapping:
        yield from by_key({"file": _extended_file, "service": demand_nothing})(node, folder)


def _extended_file(node: ComposeValue, folder: RecipeFolder) -> Iterator[Demand]:
    yield from file_reference(node, folder)
    yield node.demand(None, "brings in a file that is not judged: name it in COMPOSE_FILE")


def _env_file(node: ComposeValue, folder: RecipeFolder) -> Iterator[Demand]:
    if node.is_mapping:
        yield from by_key({"path": file_reference, **ordinary_keys("required format")})(
            node, folder
        )
    else:
        yield from file_reference(node, folder)


def _env_files(node: ComposeValue, folder: RecipeFolder) -> Iterator[Demand]:
    """Judge ``env_file``: a name, a mapping, or a list of these."""
    yield from _env_file(node, folder) if node.is_mapping else each_value(_env_file)(node, folder)


_OWN_NETWORKS = ("none", "bridge", "default")
_device = demands(Grant.DEVICES, "asks for devices of the host")
_devices = each_value(_device)
_deploy = by_key(
    {
        "resources": by_key(
            {
                "limits": demand_nothing,
                "reservations": by_key(
                    {
                        "devices": _devices,
                        "generic_resources": _devices,
                        **ordinary_keys("cpus memory pids"),
                    }
                ),
            }
        ),
        **ordinary_keys(
            "endpoint_mode labels mode placement replicas restart_policy rollback_config "
            "update_config"
        ),
    }
)
_logging = by_key(
    {
        "driver": demands_unless(
            ("", "json-file", "local", "none"),
            Grant.PLUGINS,
            "is a log driver that reads or sends as root, outside the container",
        ),
        "options": demand_nothing,
    }
)

_service = by_key(
    {
        "volumes": each_value(mount_rule),
        "volumes_from": each_value(
            demands(Grant.HOST_PATHS, "mounts all that another container mounts")
        ),
        "volume_driver": demands_unless(
            ("", "local"), Grant.PLUGINS, "is a volume driver that is not the engine's own"
        ),
        "privileged": demands_unless_false(Grant.PRIVILEGES, "is a privileged container"),
        "oom_score_adj": _oom_score,
        "oom_kill_disable": demands_unless_false(Grant.PRIVILEGES, "is spared by the OOM killer"),
        "cap_add": each_value(demands(Grant.CAPABILITIES, "adds a capability")),
        "devices": _devices,
        "device_cgroup_rules": _devices,
        "gpus": _devices,
        "blkio_config": _device,
        "network_mode": _namespace("the network", *_OWN_NETWORKS, grant=Grant.HOST_NETWORK),
        "networks": _networks,
        "pid": _namespace("its processes"),
        "ipc": _namespace("its memory", "private", "shareable", "none"),
        "uts": _namespace("its host name"),
        "userns_mode": _namespace("its users"),
        "cgroup": _namespace("its control groups", "private"),
        "cgroupns_mode": _namespace("its control groups", "private"),
        "cgroup_parent": demands(Grant.HOST_NAMESPACES, "leaves the lab's control group"),
        "sysctls": each_value(demands(Grant.SYSCTLS, "sets a kernel parameter")),
        "security_opt": each_value(_security_option),
        "credential_spec": demands(Grant.SECURITY_OPTIONS, "takes credentials of the host"),
        "runtime": demands_unless(
            ("", "runc"), Grant.SECURITY_OPTIONS, "is run by another runtime than the engine's"
        ),
        "use_api_socket": demands_unless_false(Grant.HOST_PATHS, "mounts the engine's socket"),
        "env_file": _env_files,
        "label_file": each_value(file_reference),
        "extends": _extends,
        "build": _build,
        "deploy": _deploy,
        "logging": _logging,
        **ordinary_keys(
            "annotations attach cap_drop command configs container_name cpu_count cpu_percent "
            "cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset depends_on "
            "dns dns_opt dns_search domainname entrypoint environment expose external_links "
            "extra_hosts group_add healthcheck hostname image init isolation labels links "
            "mac_address mem_limit mem_reservation mem_swappiness memswap_limit pids_limit "
            "platform ports profiles pull_policy read_only restart scale secrets shm_size "
            "stdin_open stop_grace_period stop_signal storage_opt tmpfs tty ulimits user "
            "working_dir"
        ),
    }
)
services_rule = each_value(_service)
