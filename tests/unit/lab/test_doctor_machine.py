"""Doctor's checks of the machine, and the facts that explain a sandbox that did not start."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from stamplab.lab.errors import NotPossibleHere
from stamplab.lab.live.doctor import machine
from stamplab.lab.live.doctor.check import Check, CheckState
from stamplab.lab.live.doctor.isolation import loaded_modules, obstacles
from stamplab.lab.live.recorders import kernel as recorder


def put(folder: Path, name: str, text: str = "") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def cgroups(folder: Path, *mounts: str) -> Check:
    return machine.check_cgroups(
        put(folder, "mounts", "".join(f"{mount} 0 0\n" for mount in mounts))
    )


def unified(folder: Path, controllers: str, handed_down: str = "") -> str:
    put(folder, "unified/cgroup.controllers", controllers)
    put(folder, "unified/cgroup.subtree_control", handed_down)
    return f"cgroup2 {folder}/unified cgroup2 rw"


def test_a_memory_controller_of_version_1_is_enough(tmp_path: Path) -> None:
    hybrid = unified(tmp_path, "pids")
    check = cgroups(tmp_path, "cgroup /sys/fs/cgroup/memory cgroup rw,memory", hybrid)
    assert (check.state, check.facts) == (CheckState.OK, "memory controller of version 1")


@pytest.mark.parametrize(("handed_down", "state"), [("memory", "ok"), ("pids", "lack")])
def test_of_version_2_it_must_be_handed_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, handed_down: str, state: str
) -> None:
    monkeypatch.setenv("STAMPLAB_CGROUP_DRIVER", "cgroupfs")
    check = cgroups(tmp_path, unified(tmp_path, "cpu memory", handed_down))
    driver = "a lab's group is made by the driver cgroupfs"
    assert check.facts == f"memory controller of version 2; {driver}"
    assert check.state == state
    assert ("does not hand the memory controller down" in check.means) == (state == "lack")


@pytest.mark.parametrize("controllers", [None, "cpu pids"])
def test_no_memory_controller_is_a_lack(tmp_path: Path, controllers: str | None) -> None:
    mounts = [] if controllers is None else [unified(tmp_path, controllers)]
    check = cgroups(tmp_path, *mounts)
    assert (check.state, check.facts) == (CheckState.LACK, "none")
    assert "boot with cgroup_enable=memory" in check.means


def test_what_cannot_be_read_of_control_groups_is_a_lack(tmp_path: Path) -> None:
    check = machine.check_cgroups(tmp_path / "none")
    assert (check.state, check.facts) == (CheckState.LACK, "none")
    assert "none cannot be read: No such file" in check.means
    check = cgroups(tmp_path, f"cgroup2 {tmp_path}/gone cgroup2 rw")
    assert check.state is CheckState.LACK
    assert "cgroup.controllers cannot be read" in check.means


@pytest.mark.parametrize(("available", "state"), [(4 * 10**9, "ok"), (5 * 10**8, "note")])
def test_memory_for_a_run(monkeypatch: pytest.MonkeyPatch, available: int, state: str) -> None:
    memory = SimpleNamespace(available=available)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    assert machine.check_memory().state == state


def test_a_readable_log_says_how_it_is_limited() -> None:
    check = machine.check_kernel_log(lambda: os.open(os.devnull, os.O_RDONLY))
    assert (check.state, check.facts) == (CheckState.OK, "readable")
    assert "10 OOM reports in 5 s" in check.means


def test_an_unreadable_log_is_a_lack() -> None:
    def refuse() -> int:
        raise NotPossibleHere("/dev/kmsg cannot be read (Operation not permitted): why")

    check = machine.check_kernel_log(refuse)
    assert (check.state, check.facts) == (CheckState.LACK, "unreadable")
    assert check.means == "/dev/kmsg cannot be read (Operation not permitted): why."


@pytest.mark.parametrize("instead", ["/dev/null", "/dev/zero", "/etc/passwd"])
def test_another_file_as_the_log_is_a_lack(monkeypatch: pytest.MonkeyPatch, instead: str) -> None:
    monkeypatch.setattr(recorder, "_KMSG", Path(instead))
    check = machine.check_kernel_log()
    assert check.state is CheckState.LACK
    assert f"{instead} is not the kernel's log" in check.means


def test_root_and_an_ordinary_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert machine.check_root().state is CheckState.OK
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    check = machine.check_root()
    assert (check.state, check.facts) == (CheckState.LACK, "user 1000")
    assert "with sudo" in check.means


# What explains a sandbox that did not start.


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A /proc in which nothing stops a sandbox."""
    put(tmp_path, "self/status", "CapEff:\t000001ffffffffff\nSeccomp:\t0\n")
    put(tmp_path, "self/attr/current", "unconfined\n")
    put(tmp_path, "sys/user/max_net_namespaces", "9\n")
    put(tmp_path, "sys/kernel/modules_disabled", "0\n")
    (tmp_path / "self/ns").mkdir()
    for kind in ("mnt", "net", "pid"):
        (tmp_path / "self/ns" / kind).symlink_to("net:[1]")
    return tmp_path


def test_a_machine_that_stops_nothing_has_no_obstacle(proc: Path) -> None:
    assert list(obstacles(proc)) == []


@pytest.mark.parametrize(
    ("file", "text", "clause"),
    [
        ("self/status", "CapEff:\t00000000a80425fb\nSeccomp:\t0\n", "lacks CAP_SYS_ADMIN"),
        ("self/status", "CapEff:\t000001ffffffffff\nSeccomp:\t2\n", "A seccomp filter is on"),
        ("sys/user/max_net_namespaces", "0\n", "user.max_net_namespaces = 0"),
        ("self/attr/current", "docker-default (enforce)\n", "profile docker-default (enforce) con"),
        ("sys/kernel/modules_disabled", "1\n", "kernel.modules_disabled = 1"),
    ],
)
def test_each_obstacle_says_what_to_do(proc: Path, file: str, text: str, clause: str) -> None:
    put(proc, file, text)
    (obstacle,) = obstacles(proc)
    assert clause in obstacle
    assert obstacle.endswith(".")


def test_a_kernel_without_a_namespace_is_named(proc: Path) -> None:
    (proc / "self/ns/net").unlink()
    assert list(obstacles(proc)) == [
        "This kernel was built without namespaces of net: use another."
    ]


def test_the_kernels_modules(proc: Path) -> None:
    assert loaded_modules(proc) == set()
    put(proc, "modules", "overlay 1 0 - Live 0x0\nveth 1 0 - Live 0x0\n")
    assert loaded_modules(proc) == {"overlay", "veth"}
