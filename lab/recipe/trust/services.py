"""What services ask for.

``docker stack deploy`` ignores some of it; who asks for it is refused all the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from stamplab.lab.recipe.trust.demand import Demand, Grant
from stamplab.lab.recipe.trust.document import Part
from stamplab.lab.recipe.trust.folder import Folder
from stamplab.lab.recipe.trust.mounts import mount
from stamplab.lab.recipe.trust.rules import (
    Rule,
    a_file,
    by_key,
    each,
    harmless,
    harmless_keys,
    needs,
    needs_unless,
)

_FALSE = {"", "false", "no", "off", "n"}


def unless_false(grant: Grant, reason: str) -> Rule:
    """Anything but a plain no asks for ``grant``."""

    def rule(part: Part, _: Folder) -> Iterator[Demand]:
        if part.text().lower() not in _FALSE:
            yield part.demand(grant, reason)

    return rule


def _namespace(what: str, *own: str) -> Rule:
    """A namespace that is the container's own, or that of another service of the stack."""

    def rule(part: Part, _: Folder) -> Iterator[Demand]:
        text = part.text()
        if text not in ("", *own) and not text.startswith("service:"):
            yield part.demand(Grant.HOST_NAMESPACES, f"shares {what} with the host or a stranger")

    return rule


def _network_mode(part: Part, _: Folder) -> Iterator[Demand]:
    text = part.text()
    if text not in ("", "none", "bridge", "default") and not text.startswith("service:"):
        yield part.demand(Grant.HOST_NETWORK, "shares the network with the host or a stranger")


def _build_network(part: Part, _: Folder) -> Iterator[Demand]:
    if part.text().partition(":")[0] in ("host", "container"):
        yield part.demand(Grant.HOST_NETWORK, "is built on the network of the host or a stranger")


def _networks(part: Part, _: Folder) -> Iterator[Demand]:
    by_name = ((item.text(), item) for item in part.items()) if part.is_list else part.fields()
    for name, item in by_name:
        if name == "host":
            yield item.demand(Grant.HOST_NETWORK, "is the host's network")


def _oom_score(part: Part, _: Folder) -> Iterator[Demand]:
    if not part.text().isdecimal() and not part.is_null:
        yield part.demand(Grant.PRIVILEGES, "is spared by the OOM killer before the host's own")


def _security_option(part: Part, _: Folder) -> Iterator[Demand]:
    # This one only takes away.
    if part.text() not in ("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"):
        yield part.demand(Grant.SECURITY_OPTIONS, "changes the container's confinement")


def _build(part: Part, folder: Folder) -> Iterator[Demand]:
    """Nothing is built here, but a context is a file reference like others; a URL is none."""

    def context(place: Part, inner: Folder) -> Iterator[Demand]:
        if "://" not in place.text():
            yield from a_file(place, inner)

    if not part.is_mapping:
        yield from context(part, folder)
        return
    yield from by_key(
        {
            "context": context,
            "dockerfile": a_file,
            "additional_contexts": each(context),
            "network": _build_network,
            "privileged": unless_false(Grant.PRIVILEGES, "is built with the host's privileges"),
            "entitlements": each(needs(Grant.PRIVILEGES, "is built with more privileges")),
            **harmless_keys(
                "args cache_from cache_to dockerfile_inline extra_hosts isolation labels no_cache "
                "platforms pull shm_size tags target ulimits"
            ),
        }
    )(part, folder)


def _extends(part: Part, folder: Folder) -> Iterator[Demand]:
    """A service of another file: docker's stacks do not know it, and nobody has judged it."""
    if part.is_mapping:
        yield from by_key({"file": _extended_file, "service": harmless})(part, folder)


def _extended_file(part: Part, folder: Folder) -> Iterator[Demand]:
    yield from a_file(part, folder)
    yield part.demand(None, "brings in a file that is not judged: name it in COMPOSE_FILE")


def _env_file(part: Part, folder: Folder) -> Iterator[Demand]:
    if part.is_mapping:
        yield from by_key({"path": a_file, **harmless_keys("required format")})(part, folder)
    else:
        yield from a_file(part, folder)


def _env_files(part: Part, folder: Folder) -> Iterator[Demand]:
    """A name, or a list of names and mappings."""
    yield from _env_file(part, folder) if part.is_mapping else each(_env_file)(part, folder)


_device = needs(Grant.DEVICES, "asks for devices of the host")
_devices = each(_device)
_deploy = by_key(
    {
        "resources": by_key(
            {
                "limits": harmless,
                "reservations": by_key(
                    {
                        "devices": _devices,
                        "generic_resources": _devices,
                        **harmless_keys("cpus memory pids"),
                    }
                ),
            }
        ),
        **harmless_keys(
            "endpoint_mode labels mode placement replicas restart_policy rollback_config "
            "update_config"
        ),
    }
)
_logging = by_key(
    {
        "driver": needs_unless(
            ("", "json-file", "local", "none"),
            Grant.PLUGINS,
            "is a log driver that reads or sends as root, outside the container",
        ),
        "options": harmless,
    }
)

_service = by_key(
    {
        "volumes": each(mount),
        "volumes_from": each(needs(Grant.HOST_PATHS, "mounts all that another container mounts")),
        "volume_driver": needs_unless(
            ("", "local"), Grant.PLUGINS, "is a volume driver that is not the engine's own"
        ),
        "privileged": unless_false(Grant.PRIVILEGES, "is a privileged container"),
        "oom_score_adj": _oom_score,
        "oom_kill_disable": unless_false(Grant.PRIVILEGES, "is spared by the OOM killer"),
        "cap_add": each(needs(Grant.CAPABILITIES, "adds a capability")),
        "devices": _devices,
        "device_cgroup_rules": _devices,
        "gpus": _devices,
        "blkio_config": _device,
        "network_mode": _network_mode,
        "networks": _networks,
        "pid": _namespace("its processes"),
        "ipc": _namespace("its memory", "private", "shareable", "none"),
        "uts": _namespace("its host name"),
        "userns_mode": _namespace("its users"),
        "cgroup": _namespace("its control groups", "private"),
        "cgroupns_mode": _namespace("its control groups", "private"),
        "cgroup_parent": needs(Grant.HOST_NAMESPACES, "leaves the lab's control group"),
        "sysctls": each(needs(Grant.SYSCTLS, "sets a kernel parameter")),
        "security_opt": each(_security_option),
        "credential_spec": needs(Grant.SECURITY_OPTIONS, "takes credentials of the host"),
        "runtime": needs_unless(
            ("", "runc"), Grant.SECURITY_OPTIONS, "is run by another runtime than the engine's"
        ),
        "use_api_socket": unless_false(Grant.HOST_PATHS, "mounts the engine's socket"),
        "env_file": _env_files,
        "label_file": each(a_file),
        "extends": _extends,
        "build": _build,
        "deploy": _deploy,
        "logging": _logging,
        **harmless_keys(
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
services = each(_service)
