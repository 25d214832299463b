"""The life of a live lab, from its first trace on this machine to its last."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path

import msgspec

from stamplab.lab.cgroup.group import MemoryGroup
from stamplab.lab.cgroup.host import read_cgroup_host
from stamplab.lab.errors import DaemonEnded, LabError, TakeDownFailed, UsageError
from stamplab.lab.live import sandbox
from stamplab.lab.live.daemon import Daemon
from stamplab.lab.live.engine import DockerEngine, find_engine
from stamplab.lab.live.lease import LabFolder, claim_folder, end_lease, labs_root
from stamplab.lab.live.recorders.clients import ClientPlan
from stamplab.lab.live.recorders.kernel import open_kernel_log
from stamplab.lab.live.world import LiveWorld
from stamplab.lab.model.history import Record
from stamplab.lab.model.history_file import HistoryWriter
from stamplab.lab.recipe import git
from stamplab.lab.recipe.trust import Grant
from stamplab.lab.support.cache import cache_folder
from stamplab.lab.support.clock import WorldClock
from stamplab.lab.support.time_scale import scale_durations
from stamplab.lab.workload.build import build_program
from stamplab.lab.workload.image import COMMANDS, image_tag, rootfs_tar


class Apparatus(msgspec.Struct, frozen=True, kw_only=True):
    """All that live labs on this machine need; found and built once."""

    engine: DockerEngine
    rootfs: bytes
    image: str
    cgroup_version: int

    def with_commands(self, commands: Iterable[str]) -> Apparatus:
        """Return the apparatus with an image that has these commands too. Raises LabError."""
        rootfs = _rootfs(self.engine, {*COMMANDS, *commands})
        return msgspec.structs.replace(self, rootfs=rootfs, image=image_tag(rootfs))


def _rootfs(engine: DockerEngine, commands: Iterable[str]) -> bytes:
    return rootfs_tar(build_program(cache_folder()), engine.tools["busybox"], commands)


def prepare(engine_folder: Path | None = None) -> Apparatus:
    """Find the engine and build the workload's image.

    Raises NotPossibleHere with what is missing.
    """
    sandbox.require_root()
    host = read_cgroup_host()
    host.require_memory()
    os.close(open_kernel_log())
    engine = find_engine(engine_folder)
    git.require_git()
    rootfs, version = _rootfs(engine, COMMANDS), host.memory_version or 0
    return Apparatus(engine=engine, cgroup_version=version, rootfs=rootfs, image=image_tag(rootfs))


class StartStep(StrEnum):
    """A step of a lab's start, in the order in which they come."""

    FOLDER = "lab folder"
    GROUP = "control group"
    NAMESPACES = "namespaces"
    DAEMON = "dockerd"
    SWARM = "swarm mode"
    IMAGE = "workload's image"
    RECORDERS = "recorders"


@contextmanager
def live_lab(
    apparatus: Apparatus,
    evidence: Path | None,
    service: str,
    port: int,
    *,
    keep: bool = False,
    trust: frozenset[Grant] = frozenset(),
    on_message: Callable[[str], None] = lambda _: None,
    on_record: Callable[[Record], None] = lambda _: None,
    on_step: Callable[[StartStep], None] = lambda _: None,
    time_scale: float = 1.0,
) -> Iterator[LiveWorld]:
    """Run a private swarm and record it into ``evidence``; remove every trace of it afterwards.

    Without ``evidence`` the record goes with the lab. ``service`` and ``port`` say whom the clients
    ask. With ``keep`` the lab stays up, and ``on_message`` is given its DOCKER_HOST. ``time_scale``
    multiplies the apparatus' own time-outs and the clients' times. A recipe gets what ``trust``
    allows beyond what all get. ``on_step`` is given each step of the start as it begins. Raises
    LabError whenever the apparatus fails; evidence is kept in any case.
    """
    on_step(StartStep.FOLDER)
    clock = WorldClock()
    with ExitStack() as teardown:
        with deferred_signals():
            host = read_cgroup_host()
            folder, lease = claim_folder(labs_root(), kept=keep, group_path=host.group_path)
            group = host.memory_group(lease.cgroup)
            daemon = Daemon(apparatus.engine, folder, time_scale)
            teardown.callback(
                _finish, daemon, folder, group, evidence, keep=keep, on_message=on_message
            )
        on_step(StartStep.GROUP)
        group.create()
        on_step(StartStep.NAMESPACES)
        try:
            init = daemon.start(group, outlives_caller=keep)
        except DaemonEnded:
            # It can end before its namespaces' first process was seen: they are not to blame.
            on_step(StartStep.DAEMON)
            raise
        folder.write_lease(msgspec.structs.replace(lease, init=init))
        group.settle()
        on_step(StartStep.DAEMON)
        daemon.wait_ready()
        on_step(StartStep.SWARM)
        daemon.init_swarm()
        on_step(StartStep.IMAGE)
        daemon.import_image(apparatus.rootfs, apparatus.image)
        on_step(StartStep.RECORDERS)
        kept = folder.scratch if evidence is None else evidence
        history = HistoryWriter(kept / "history.jsonl", clock.now_s, on_record)
        teardown.callback(history.close)
        clients = ClientPlan(service=service, port=port, image=apparatus.image)
        clients = scale_durations(clients, time_scale)
        world = LiveWorld(daemon, group, history, clock, clients, folder.scratch, trust)
        teardown.callback(world.close)
        yield world


def end_lab(lab_id: str) -> None:
    """Take down a lab that was kept. Raises UsageError where there is none of that id."""
    folder = LabFolder(labs_root() / f"lab-{lab_id}")
    try:
        lease = folder.read_lease()
    except LabError as error:
        raise UsageError(f"there is no lab {lab_id!r} in {labs_root()}") from error
    if lease.owner.in_other_pid_namespace:
        raise UsageError(
            f"lab {lab_id} belongs to another pid namespace ({lease.owner.namespace}): end it there"
        )
    if not lease.kept and lease.owner.is_alive():
        raise UsageError(
            f"lab {lab_id} is at work for process {lease.owner.pid}: stop that process instead"
        )
    with deferred_signals():
        end_lease(folder, lease, read_cgroup_host().memory_group(lease.cgroup))


def _finish(
    daemon: Daemon,
    folder: LabFolder,
    group: MemoryGroup,
    evidence: Path | None,
    *,
    keep: bool,
    on_message: Callable[[str], None],
) -> None:
    """Bring the daemon's log into the evidence and end the lease, whatever interrupts.

    Raises TakeDownFailed.
    """
    with deferred_signals(), _taking_down():
        daemon.close()
        lease = folder.read_lease()
        try:
            if evidence is not None and folder.daemon_log.exists():
                shutil.copyfile(folder.daemon_log, evidence / "dockerd.log")
        except OSError as error:
            on_message(f"the daemon's log could not be kept: {error.strerror}")
        if keep and lease.init is not None and lease.init.is_alive():
            on_message(
                f"the lab is kept: DOCKER_HOST={daemon.url} "
                f"(remove it by: stamplab end {folder.lab_id})"
            )
            return
        end_lease(folder, lease, group)
        daemon.reap()


@contextmanager
def _taking_down() -> Iterator[None]:
    try:
        yield
    except LabError as error:
        raise TakeDownFailed(str(error)) from error


@contextmanager
def deferred_signals() -> Iterator[None]:
    """Defer Ctrl-C, SIGTERM and SIGHUP until the block has ended; other threads never get them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    before = {
        number: signal.signal(number, lambda late, _: arrived.append(late))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if arrived:
            signal.raise_signal(arrived[0])
