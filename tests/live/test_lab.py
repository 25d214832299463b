"""The live lab itself: it starts, it can be kept, it says how it failed, and it leaves nothing."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from pathlib import Path

import docker
import psutil
import pytest

from stamplab.lab.errors import LabError, UsageError
from stamplab.lab.live.engine import find_engine
from stamplab.lab.live.inventory import GO_PROGRAMS, inventory
from stamplab.lab.live.lab import Apparatus, end_lab, live_lab
from stamplab.lab.live.lease import LabFolder, labs_root
from stamplab.lab.live.world import LiveWorld
from stamplab.lab.model.history import OomKill, RecorderLost
from stamplab.lab.model.history_file import read_history
from tests.live import traces

pytestmark = pytest.mark.live


def wait_for_failure(world: LiveWorld) -> None:
    """Take records until the world fails; it must do so long before the deadline."""
    deadline_s = world.now_s() + 60
    while world.next(deadline_s) is not None:
        pass


def kill_daemon(world: LiveWorld) -> None:
    lease = LabFolder(world.scratch.parent).read_lease()
    assert lease.init is not None
    for child in psutil.Process(lease.init.pid).children():
        if child.name() == "dockerd":
            child.send_signal(signal.SIGKILL)


@pytest.mark.usefixtures("apparatus")
def test_every_program_of_a_lab_is_found_and_asked() -> None:
    items = {item.name: item for item in inventory()}
    absent = {name for name, item in items.items() if item.path is None}
    assert absent <= {"systemd-run", "abra", *(program.name for program in GO_PROGRAMS)}
    assert items["dockerd"].version == find_engine().version
    # Debian's shell and its older docker-proxy answer no such question.
    silent = {name for name, item in items.items() if item.path and item.version is None}
    assert silent <= {"sh", "docker-proxy"}


def test_a_lab_is_a_swarm_of_one_without_a_bridge(apparatus: Apparatus, tmp_path: Path) -> None:
    with live_lab(apparatus, tmp_path, "app", 8080) as world:
        info = world.daemon.api.info()
        assert info["Swarm"]["LocalNodeState"] == "active"
        assert info["Swarm"]["Nodes"] == 1
        assert info["CgroupDriver"] == "cgroupfs"
        images = [tag for image in world.daemon.api.images() for tag in image["RepoTags"]]
        assert images == [apparatus.image]
        links = (world.scratch.parent / "lease.json").read_text()
        assert f'"pid": {os.getpid()}' in links


def test_a_failure_leaves_evidence_and_no_trace(apparatus: Apparatus, tmp_path: Path) -> None:
    before = traces.everything()
    with pytest.raises(ZeroDivisionError), live_lab(apparatus, tmp_path, "app", 8080):
        raise ZeroDivisionError
    assert traces.left_since(before) == {}
    assert (tmp_path / "dockerd.log").stat().st_size > 0
    assert (tmp_path / "history.jsonl").exists()


def test_the_daemons_death_is_said_in_one_sentence(apparatus: Apparatus, tmp_path: Path) -> None:
    before = traces.everything()
    with (
        pytest.raises(LabError, match="dockerd ended by itself"),
        live_lab(apparatus, tmp_path, "app", 8080) as world,
    ):
        kill_daemon(world)
        wait_for_failure(world)
    assert traces.left_since(before) == {}
    history, _ = read_history(tmp_path / "history.jsonl")
    assert any(isinstance(record.what, RecorderLost) for record in history)


def test_a_kept_lab_stays_until_it_is_ended(apparatus: Apparatus, tmp_path: Path) -> None:
    before = traces.everything()
    messages: list[str] = []
    with live_lab(apparatus, tmp_path, "app", 8080, keep=True, on_message=messages.append) as world:
        lab_id = world.daemon.folder.lab_id
    try:
        host = messages[-1].split("DOCKER_HOST=")[1].split()[0]
        with closing(docker.APIClient(base_url=host)) as api:
            assert api.info()["Swarm"]["LocalNodeState"] == "active"
    finally:
        end_lab(lab_id)
    world.daemon.reap()
    assert traces.left_since(before) == {}
    with pytest.raises(UsageError, match="there is no lab"):
        end_lab(lab_id)


def test_a_lab_at_work_cannot_be_ended_from_outside(apparatus: Apparatus, tmp_path: Path) -> None:
    with (
        live_lab(apparatus, tmp_path, "app", 8080) as world,
        pytest.raises(UsageError, match="is at work for process"),
    ):
        end_lab(world.daemon.folder.lab_id)


def test_two_labs_at_once_do_not_know_of_each_other(apparatus: Apparatus, tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    with (
        live_lab(apparatus, tmp_path / "1", "app", 8080) as first,
        live_lab(apparatus, tmp_path / "2", "app", 8080) as second,
    ):
        infos = [world.daemon.api.info() for world in (first, second)]
        assert infos[0]["ID"] != infos[1]["ID"]
        assert first.usage_bytes() >= 0
        second.set_limit(64 << 20, "a test")
        assert second.usage_bytes() >= 0


def test_a_full_disk_is_said_in_one_sentence(apparatus: Apparatus, tmp_path: Path) -> None:
    before = traces.everything()
    (tmp_path / "history.jsonl").symlink_to("/dev/full")
    with (
        pytest.raises(LabError, match="history could not be written"),
        live_lab(apparatus, tmp_path, "app", 8080) as world,
    ):
        wait_for_failure(world)
    assert traces.left_since(before) == {}


def test_labs_have_their_folders_where_the_user_wants_them(
    apparatus: Apparatus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path("/run/stamplab-test")
    monkeypatch.setenv("STAMPLAB_DIR", str(root))
    assert labs_root() == root
    with live_lab(apparatus, tmp_path, "app", 8080) as world:
        assert world.daemon.url.startswith("unix:///run/stamplab-test/lab-")
    assert not root.exists()
    assert not any(
        isinstance(record.what, OomKill) for record in read_history(tmp_path / "history.jsonl")[0]
    )
