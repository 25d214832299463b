"""A swarm of two nodes: a lab's daemon manages, and another works beside it, both private.

The worker has mounts and a network of its own within the lab's namespaces, and a cable to the
manager's; it ends with the lab.
"""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partialmethod
from pathlib import Path
from typing import Any

import docker
import docker.errors
import msgspec
import psutil
import pytest
import requests

from stamplab.lab.live import sandbox
from stamplab.lab.live.daemon import GATEWAY, GATEWAY_OPTIONS, Daemon
from stamplab.lab.live.lab import Apparatus, live_lab
from stamplab.lab.live.lease import LabFolder
from tests.live.remote_swarm import RemoteSwarm, daemons_in

_MANAGER, _WORKER = "10.77.0.1", "10.77.0.2"
_PORT = 2377
_PATIENCE_S = 60.0
_CONFIGURATION = "worker.json"
_BESIDE = f"""
unshare --net --mount sh -c '
    busybox mkdir -p /var/lib/docker
    mount -t tmpfs stamplab /var/lib/docker
    ip link set lo up
    echo $$ >/run/lab/worker.shell
    until ip link set worker up 2>/dev/null; do busybox sleep 0.1; done
    ip addr add {_WORKER}/24 dev worker
    exec dockerd --config-file "$0"
' "$0" >"$0.log" 2>&1 &
until [ -s /run/lab/worker.shell ]; do busybox sleep 0.1; done
ip link add manager type veth peer name worker netns "$(busybox cat /run/lab/worker.shell)"
ip addr add {_MANAGER}/24 dev manager
ip link set manager up
exec "$@"
"""


class Worker:
    """The node that is not looked from."""

    def __init__(self, folder: LabFolder, node: str) -> None:
        self.node = node
        self._folder = folder

    def kill(self) -> None:
        """Kill its daemon; the containers go with it, and the manager is not told."""
        of_worker = str(self._folder.path / _CONFIGURATION)
        (daemon,) = [
            candidate for candidate in daemons_in(self._folder) if of_worker in candidate.cmdline()
        ]
        for process in [daemon, *daemon.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):  # a health check that has just ended
                process.send_signal(signal.SIGKILL)


@contextmanager
def two_nodes(apparatus: Apparatus) -> Iterator[tuple[RemoteSwarm, Worker]]:
    """The swarm, and its worker."""
    start = sandbox.start

    def with_worker(tools: Path, lab: Path, command: Sequence[str], *rest: Any, **more: Any) -> Any:
        configuration = lab / _CONFIGURATION
        configuration.write_bytes(_configured(Path(command[-1]), lab))
        script = ["sh", "-c", _BESIDE, str(configuration), *command]
        return start(tools, lab, script, *rest, **more)

    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as evidence:
        patch.setattr(sandbox, "start", with_worker)
        patch.setattr(Daemon, "init_swarm", partialmethod(Daemon.init_swarm, _MANAGER))
        with live_lab(apparatus, Path(evidence), "app", 8080) as world:
            folder = LabFolder(world.scratch.parent)
            token = world.daemon.api.inspect_swarm()["JoinTokens"]["Worker"]
            world.close()
            docker_program = Path(apparatus.engine.tools["docker"])
            swarm = RemoteSwarm(world.daemon.url, docker_program, apparatus.image, folder)
            yield swarm, Worker(folder, _joined(folder, apparatus, token))


def _configured(of_manager: Path, lab: Path) -> bytes:
    configuration = msgspec.json.decode(of_manager.read_bytes(), type=dict[str, object])
    configuration |= {
        "hosts": [f"unix://{lab}/worker.sock"],
        "data-root": "/run/lab/worker-data",
        "exec-root": "/run/lab/worker-exec",
        "pidfile": "/run/lab/worker.pid",
    }
    return msgspec.json.encode(configuration)


def _joined(folder: LabFolder, apparatus: Apparatus, token: str) -> str:
    """Have the worker join, with the image; return its node's id."""
    deadline_s = time.monotonic() + _PATIENCE_S
    api = docker.APIClient(f"unix://{folder.path}/worker.sock", version="1.41")
    with closing(api):
        while True:
            try:
                api.ping()
            except (requests.RequestException, docker.errors.DockerException):
                assert time.monotonic() < deadline_s, (folder.path / "worker.json.log").read_text()
                time.sleep(0.1)
            else:
                break
        api.create_network(GATEWAY, driver="bridge", options=GATEWAY_OPTIONS)
        repository, _, tag = apparatus.image.partition(":")
        api.import_image_from_data(apparatus.rootfs, repository=repository, tag=tag)
        api.join_swarm(
            [f"{_MANAGER}:{_PORT}"],
            token,
            listen_addr=f"{_WORKER}:{_PORT}",
            advertise_addr=_WORKER,
        )
        return str(api.info()["Swarm"]["NodeID"])
