"""Control groups version 2: a lab's home, its limit, and the evidence, on plain files."""

from __future__ import annotations

from pathlib import Path

import pytest

from stamplab.lab.cgroup import files
from stamplab.lab.cgroup.host import CgroupHost, choose_driver
from stamplab.lab.cgroup.v2 import MemoryGroupV2
from stamplab.lab.errors import LabError, NotPossibleHere, UsageError

CONTAINER = "1b794ba7e1a742b4b86e38c70198e514fcfd03a6f56fecdb558360822296848f"
AFTER_ONE_KILL = "low 0\nhigh 0\nmax 55\noom 2\noom_kill 1\noom_group_kill 0\n"
PSI = (
    "some avg10=0.12 avg60=0.00 avg300=0.00 total=93210\n"
    "full avg10=0.07 avg60=0.00 avg300=0.00 total=74774\n"
)


class Kernel:
    """What the kernel does when a group is made: it puts its controllers' files in."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, *, swap: bool = True) -> None:
        self.root = root
        self._swap = swap
        monkeypatch.setattr(files, "make_group", self.make_group)

    def make_group(self, path: Path) -> None:
        path.mkdir()
        handed_down = path.parent / "cgroup.subtree_control"
        controllers = handed_down.read_text().replace("+", "") if handed_down.exists() else ""
        (path / "cgroup.controllers").write_text(controllers)
        (path / "cgroup.subtree_control").write_text("")
        if "memory" in controllers.split():
            (path / "memory.current").write_text("0\n")
            (path / "memory.max").write_text("max\n")
            (path / "memory.peak").write_text("0\n")
            (path / "memory.events").write_text("oom 0\noom_kill 0\n")
            if self._swap:
                (path / "memory.swap.max").write_text("max\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    (tmp_path / "cgroup.subtree_control").write_text("memory pids\n")
    return tmp_path


@pytest.fixture
def group(root: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryGroupV2:
    Kernel(root, monkeypatch)
    made = MemoryGroupV2(root, "/stamplab-1")
    made.create()
    made.settle()
    return made


def test_the_tasks_have_a_group_below_the_labs_home(group: MemoryGroupV2, root: Path) -> None:
    assert group.path == "/stamplab-1/tasks"
    assert group.engine_parent == "/tasks"
    assert (root / "stamplab-1" / "cgroup.subtree_control").read_text() == "+memory"
    assert (root / "stamplab-1" / "tasks").is_dir()


def test_nothing_above_the_home_is_written(group: MemoryGroupV2, root: Path) -> None:
    assert (root / "cgroup.subtree_control").read_text() == "memory pids\n"


def test_the_daemon_enters_by_the_home_into_a_leaf(group: MemoryGroupV2, root: Path) -> None:
    program, script, home, leaf = group.entry
    assert (program, home, leaf) == ("sh", str(root / "stamplab-1"), "daemon")
    assert Path(script).is_file()


def test_a_scope_is_made_by_systemd(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Kernel(root, monkeypatch)
    host = CgroupHost(v1={}, unified=root, driver="systemd")
    path = host.group_path("stamplab-1")
    assert path == "/system.slice/stamplab-1.scope"
    group = host.memory_group(path)
    group.create()
    assert not (root / "system.slice").exists()
    assert group.entry[0] == "systemd-run"
    assert {"--scope", "--unit=stamplab-1.scope", "--property=Delegate=yes"} <= {*group.entry}
    assert group.entry[-3:] == (*MemoryGroupV2(root, path).entry[1:],)


def test_swap_is_kept_out_where_the_kernel_accounts_for_it(
    root: Path, monkeypatch: pytest.MonkeyPatch, group: MemoryGroupV2
) -> None:
    assert (root / "stamplab-1" / "tasks" / "memory.swap.max").read_text() == "0"
    Kernel(root, monkeypatch, swap=False)
    other = MemoryGroupV2(root, "/stamplab-2")
    other.create()
    other.settle()
    assert not (root / "stamplab-2" / "tasks" / "memory.swap.max").exists()


def test_the_limit_is_set_read_back_and_lifted(group: MemoryGroupV2, root: Path) -> None:
    assert group.limit_bytes() is None
    group.set_limit(367001600)
    assert (root / "stamplab-1" / "tasks" / "memory.max").read_text() == "367001600"
    assert group.limit_bytes() == 367001600
    group.set_limit(None)
    assert group.limit_bytes() is None


def test_kills_are_read_from_the_hierarchical_counter(group: MemoryGroupV2, root: Path) -> None:
    tasks = root / "stamplab-1" / "tasks"
    assert group.oom_kills() == 0
    (tasks / "memory.events").write_text(AFTER_ONE_KILL)
    (tasks / "memory.events.local").write_text(AFTER_ONE_KILL.replace("oom_kill 1", "oom_kill 0"))
    assert group.oom_kills() == 1


def test_usage_peak_and_stalls(group: MemoryGroupV2, root: Path) -> None:
    tasks = root / "stamplab-1" / "tasks"
    (tasks / "memory.current").write_text("1000\n")
    (tasks / "memory.peak").write_text("3000\n")
    assert group.usage_bytes() == 1000
    assert group.peak_bytes() == 3000
    assert group.stalled_s() is None
    (tasks / "memory.pressure").write_text(PSI)
    assert group.stalled_s() == 0.074774
    (tasks / "memory.peak").unlink()  # a kernel before 5.19
    assert group.peak_bytes() is None


def test_containers_are_the_groups_below_the_tasks(group: MemoryGroupV2, root: Path) -> None:
    tasks = root / "stamplab-1" / "tasks"
    (tasks / CONTAINER).mkdir()
    (tasks / CONTAINER / "memory.current").write_text("700\n")
    (tasks / "going").mkdir()
    assert group.containers() == {CONTAINER: 700}


def test_the_whole_home_goes(root: Path) -> None:
    for folder in ("daemon", f"tasks/{CONTAINER}"):
        (root / "stamplab-1" / folder).mkdir(parents=True)
    (root / "stamplab-2").mkdir()
    group = MemoryGroupV2(root, "/stamplab-1")
    group.remove()
    group.remove()
    assert sorted(path.name for path in root.iterdir() if path.is_dir()) == ["stamplab-2"]


def test_a_home_without_a_controller_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "cgroup.subtree_control").write_text("pids\n")
    Kernel(root, monkeypatch)
    group = MemoryGroupV2(root, "/stamplab-1")
    group.create()
    with pytest.raises(LabError, match=r"memory controller is not enabled for .*stamplab-1"):
        group.settle()


def test_a_root_that_hands_no_memory_down_is_refused_before_anything_is_made(root: Path) -> None:
    host = CgroupHost(v1={}, unified=root)
    host.require_memory()
    (root / "cgroup.subtree_control").write_text("cpu\n")
    with pytest.raises(NotPossibleHere, match="does not hand the memory controller down"):
        host.require_memory()
    CgroupHost(v1={}, unified=root, driver="systemd").require_memory()  # systemd sees to it


def test_on_version_1_the_driver_does_not_matter(root: Path) -> None:
    host = CgroupHost(v1={"memory": root}, unified=root, driver="systemd")
    assert host.group_path("stamplab-1") == "/stamplab-1"
    assert host.memory_group("/stamplab-1").entry == ()


def test_the_driver_is_the_managers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STAMPLAB_CGROUP_DRIVER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert choose_driver(tmp_path / "none") == "cgroupfs"
    assert choose_driver(tmp_path) == "cgroupfs"  # there is no systemd-run
    (tmp_path / "systemd-run").touch(mode=0o755)
    assert choose_driver(tmp_path) == "systemd"


def test_the_user_may_choose_the_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAMPLAB_CGROUP_DRIVER", "cgroupfs")
    assert choose_driver(tmp_path) == "cgroupfs"
    monkeypatch.setenv("STAMPLAB_CGROUP_DRIVER", "systemd")
    assert choose_driver(tmp_path / "none") == "systemd"
    monkeypatch.setenv("STAMPLAB_CGROUP_DRIVER", "openrc")
    with pytest.raises(UsageError, match="must be cgroupfs or systemd, not 'openrc'"):
        choose_driver(tmp_path)
