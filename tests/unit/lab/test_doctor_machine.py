"""What doctor says of the kernel, the control groups and the sandbox, on machines made of files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stamplab.lab.cgroup.host import CgroupHost
from stamplab.lab.errors import NotPossibleHere
from stamplab.lab.live.doctor import groups, isolation, kernel
from stamplab.lab.live.doctor.check import Check, State
from stamplab.lab.live.recorders import kernel as recorder

INITIAL = "cgroup:[4026531835]"


class Machine:
    """A /proc and a /sys, with a mount table that can be filled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.proc, self.sys = folder / "proc", folder / "sys"
        self.mounts = ""
        self.mountinfo = ""
        for name, text in {
            "proc/self/mounts": "",
            "proc/self/mountinfo": "",
            "proc/self/status": "CapEff:\t000001ffffffffff\nSeccomp:\t0\n",
            "proc/swaps": "Filename Type Size Used Priority\n",
            "proc/filesystems": "nodev\tproc\n",
        }.items():
            self.put(name, text)
        self.sys.mkdir()
        (self.proc / "self/ns").mkdir()
        for kind in ("cgroup", "mnt", "net", "pid"):
            (self.proc / "self/ns" / kind).symlink_to(INITIAL)

    def put(self, name: str, text: str = "") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def mount(self, name: str, kind: str, options: str, root: str = "/") -> Path:
        where = self.folder / "cgroup" / name
        where.mkdir(parents=True)
        self.mounts += f"{kind} {where} {kind} rw,{options} 0 0\n"
        self.mountinfo += f"35 31 0:32 {root} {where} rw - {kind} {kind} rw,{options}\n"
        self.put("proc/self/mounts", self.mounts)
        self.put("proc/self/mountinfo", self.mountinfo)
        return where

    def mount_v1(self, root: str = "/") -> Path:
        self.mount("cpu", "cgroup", "cpu,cpuacct")
        return self.mount("memory", "cgroup", "memory", root)

    def mount_v2(self, controllers: str) -> Path:
        unified = self.mount("unified", "cgroup2", "nsdelegate")
        (unified / "cgroup.controllers").write_text(controllers)
        return unified

    def cgroups(self) -> Check:
        return groups.cgroups(self.proc, self.folder / "systemd")

    def add_swap(self) -> None:
        self.put("proc/swaps", "Filename Type Size Used Priority\n/dev/vdb partition 1 0 -2\n")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


# Control groups.


def test_v1_with_swap_accounting_under_systemd(machine: Machine) -> None:
    (machine.mount_v1() / "memory.memsw.limit_in_bytes").touch()
    (machine.folder / "systemd").mkdir()
    check = machine.cgroups()
    assert check.state is State.OK
    assert check.found == (
        "v1; v1 controllers cpu, cpuacct, memory; swap accounting; systemd manages them"
    )


def test_a_hybrid_names_both(machine: Machine) -> None:
    machine.mount_v1()
    machine.mount_v2("pids hugetlb")
    check = machine.cgroups()
    assert check.state is State.OK
    assert "hybrid, v1 with a unified tree beside it" in check.found
    assert "v2 controllers hugetlb, pids; no swap accounting" in check.found


@pytest.mark.parametrize("refusal", [None, "the lab does not drive it"])
def test_v2_is_what_the_lab_makes_of_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, refusal: str | None
) -> None:
    def require_memory(_: CgroupHost) -> None:
        if refusal:
            raise NotPossibleHere(refusal)

    monkeypatch.setattr(CgroupHost, "require_memory", require_memory)
    monkeypatch.setenv("STAMPLAB_CGROUP_DRIVER", "cgroupfs")
    machine.mount_v2("cpu memory pids")
    check = machine.cgroups()
    driver = "a lab's group is made by the driver cgroupfs"
    assert check.found == f"v2; v2 controllers cpu, memory, pids; {driver}"
    assert check.state is (State.LACK if refusal else State.OK)
    assert check.means == ("The lab does not drive it." if refusal else "")


def test_a_tree_without_memory_is_a_lack(machine: Machine) -> None:
    machine.mount_v2("cpu pids")
    check = machine.cgroups()
    assert check.state is State.LACK
    assert "boot with cgroup_enable=memory" in check.means


def test_a_broken_unified_tree_is_a_lack_with_the_kernels_reason(machine: Machine) -> None:
    machine.mount("unified", "cgroup2", "nsdelegate")
    check = machine.cgroups()
    assert (check.state, check.found) == (State.LACK, "v2")
    assert "cgroup.controllers cannot be read" in check.means


def test_no_control_groups_and_no_mount_table_are_lacks(machine: Machine) -> None:
    assert machine.cgroups().found == "no control groups"
    assert machine.cgroups().state is State.LACK
    (machine.proc / "self/mounts").unlink()
    assert machine.cgroups().found == "no mount table"
    assert machine.cgroups().state is State.LACK


def test_a_read_only_tree_is_a_lack(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    root = machine.mount_v1()
    monkeypatch.setattr(groups, "is_read_only", lambda folder: folder == root)
    check = machine.cgroups()
    assert check.state is State.LACK
    assert f"{root} is read-only" in check.found


def test_a_containers_view_of_the_tree_is_a_note(machine: Machine) -> None:
    machine.mount_v1()
    namespace = machine.proc / "self/ns/cgroup"
    namespace.unlink()
    namespace.symlink_to("cgroup:[4026532000]")
    check = machine.cgroups()
    assert check.state is State.NOTE
    assert "would not be recognised as the lab's" in check.means


def test_a_part_of_the_tree_mounted_as_the_whole_is_a_note(machine: Machine) -> None:
    machine.mount_v1(root="/docker/abc")
    assert machine.cgroups().state is State.NOTE


def test_an_old_kernel_has_no_cgroup_namespaces(machine: Machine) -> None:
    machine.mount_v1()
    (machine.proc / "self/ns/cgroup").unlink()
    check = machine.cgroups()
    assert check.state is State.OK
    assert "no cgroup namespaces" in check.found


# Swap and memory.


def test_no_swap_is_well(machine: Machine) -> None:
    check = groups.swap(machine.proc)
    assert (check.state, check.found, check.means) == (State.OK, "off", "")


def test_swap_with_accounting_is_kept_out(machine: Machine) -> None:
    machine.add_swap()
    (machine.mount_v1() / "memory.memsw.limit_in_bytes").touch()
    check = groups.swap(machine.proc)
    assert (check.state, check.found) == (State.OK, "on: /dev/vdb")
    assert "ends in the OOM killer" in check.means


def test_swap_without_accounting_is_a_note(machine: Machine) -> None:
    machine.add_swap()
    machine.mount_v1()
    check = groups.swap(machine.proc)
    assert check.state is State.NOTE
    assert check.found == "on: /dev/vdb; swap accounting is off"
    assert "swapoff --all" in check.means


@pytest.mark.parametrize(
    ("file", "state", "found"),
    [
        ("memory.swap.max", State.OK, "on: /dev/vdb"),
        ("memory.max", State.NOTE, "swap accounting is off"),
        ("cgroup.procs", State.NOTE, "swap accounting cannot be seen"),
    ],
)
def test_on_v2_a_group_below_the_root_is_asked(
    machine: Machine, file: str, state: State, found: str
) -> None:
    machine.add_swap()
    machine.mount_v2("memory")
    machine.put(f"cgroup/unified/system.slice/{file}")
    check = groups.swap(machine.proc)
    assert check.state is state
    assert found in check.found


def test_swap_without_any_control_groups_is_a_note(machine: Machine) -> None:
    machine.add_swap()
    assert groups.swap(machine.proc).state is State.NOTE


@pytest.mark.parametrize(("kib", "state"), [(4_000_000, State.OK), (500_000, State.NOTE)])
def test_memory_for_a_run(machine: Machine, kib: int, state: State) -> None:
    machine.put("proc/meminfo", f"MemTotal: 9000000 kB\nMemAvailable:  {kib} kB\n")
    assert kernel.memory(machine.proc).state is state


# The kernel's log.


def test_a_readable_log_says_how_it_is_limited(machine: Machine) -> None:
    machine.put("proc/sys/kernel/dmesg_restrict", "1\n")
    check = kernel.kernel_log(lambda: os.open(os.devnull, os.O_RDONLY), machine.proc / "sys/kernel")
    assert (check.state, check.found) == (State.OK, "readable, dmesg_restrict=1")
    assert "10 OOM reports in 5 s" in check.means


def test_an_unreadable_log_is_a_lack(machine: Machine) -> None:
    def refuse() -> int:
        raise NotPossibleHere("/dev/kmsg cannot be read (Operation not permitted): why")

    check = kernel.kernel_log(refuse, machine.proc / "sys/kernel")
    assert (check.state, check.found) == (State.LACK, "unreadable, dmesg_restrict=?")
    assert check.means == "/dev/kmsg cannot be read (Operation not permitted): why."


@pytest.mark.parametrize("instead", ["/dev/null", "/dev/zero", "/etc/passwd"])
def test_what_a_container_puts_in_the_logs_place_is_a_lack(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, instead: str
) -> None:
    monkeypatch.setattr(recorder, "_KMSG", Path(instead))
    check = kernel.kernel_log(sysctl=machine.proc / "sys/kernel")
    assert check.state is State.LACK
    assert f"{instead} is not the kernel's log" in check.means


# The kernel's modules.


def modules(machine: Machine, *, builtin: str = "", dep: str | None = None) -> Check:
    folder = machine.folder / "modules"
    if dep is not None:
        machine.put("modules/modules.builtin", builtin)
        machine.put("modules/modules.dep", dep)
    return kernel.modules(machine.proc, machine.sys, (folder,))


LOADED = "".join(f"{name} 1 0 - Live 0x0\n" for name in (*kernel.NEEDED, *kernel.USED))
LOADABLE = "".join(f"kernel/{name}.ko.xz: kernel/dep.ko.xz\n" for name in kernel.USED)


def test_a_kernel_without_modules_loads_none(machine: Machine) -> None:
    (machine.sys / "module/bridge").mkdir(parents=True)
    machine.put("proc/filesystems", "nodev\toverlay\n\text4\n")
    check = modules(machine)
    assert check.state is State.OK
    assert "overlay, bridge in place; this kernel loads none" in check.found
    assert check.means.startswith("Not to be seen: veth, vxlan, ")


def test_all_loaded_already_is_well(machine: Machine) -> None:
    machine.put("proc/modules", LOADED)
    check = modules(machine, dep=LOADABLE)
    assert (check.state, check.means) == (State.OK, "")
    assert check.found.endswith("overlay, bridge, veth, vxlan in place")


def test_what_would_be_loaded_is_a_note(machine: Machine) -> None:
    machine.put("proc/modules", "overlay 1 0 - Live 0x0\n")
    needed = "kernel/net/bridge/bridge.ko:\nkernel/veth.ko.zst:\nkernel/nf-nat.ko.gz:\n"
    check = modules(machine, builtin="kernel/drivers/net/vxlan/vxlan.ko\n", dep=needed)
    assert check.state is State.NOTE
    assert check.found.endswith("overlay, vxlan in place; to be loaded: bridge, veth, nf_nat")
    assert "namespaces cannot prevent that" in check.means


def test_a_kernel_without_a_needed_module_is_a_lack(machine: Machine) -> None:
    machine.put("proc/modules", LOADED.replace("vxlan ", "other "))
    check = modules(machine, dep=LOADABLE)
    assert check.state is State.LACK
    assert check.found.endswith("; without vxlan")


def test_a_kernel_that_is_locked_loads_no_more(machine: Machine) -> None:
    machine.put("proc/modules", LOADED.replace("veth ", "other "))
    machine.put("proc/sys/kernel/modules_disabled", "1\n")
    check = modules(machine, dep=f"kernel/veth.ko:\n{LOADABLE}")
    assert check.state is State.LACK
    assert check.found.endswith("; without veth")


def test_a_container_does_not_see_the_modules_of_its_kernel(machine: Machine) -> None:
    machine.put("proc/modules", "overlay 1 0 - Live 0x0\n")
    check = modules(machine)
    assert check.state is State.NOTE
    assert "bridge, veth, vxlan not to be seen" in check.found


# AppArmor.


def test_no_apparmor_is_well(machine: Machine) -> None:
    assert kernel.apparmor(machine.sys, machine.proc).found == "off"
    machine.put("sys/module/apparmor/parameters/enabled", "N\n")
    assert kernel.apparmor(machine.sys, machine.proc).found == "off"


def test_apparmor_is_hidden_from_the_lab(machine: Machine) -> None:
    machine.put("sys/module/apparmor/parameters/enabled", "Y\n")
    assert kernel.apparmor(machine.sys, machine.proc).found == "on"
    machine.put("sys/kernel/security/apparmor/profiles", "man (enforce)\ndocker-default (x)\n")
    machine.put("proc/self/attr/current", "unconfined\n")
    check = kernel.apparmor(machine.sys, machine.proc)
    assert (check.state, check.found) == (State.OK, "on, 2 profiles, docker-default among them")
    assert "loads no profile" in check.means


def test_being_confined_is_a_note(machine: Machine) -> None:
    machine.put("sys/module/apparmor/parameters/enabled", "Y\n")
    machine.put("proc/self/attr/current", "docker-default (enforce)\n")
    check = kernel.apparmor(machine.sys, machine.proc)
    assert check.state is State.NOTE
    assert check.found == "on, and we are confined by docker-default (enforce)"


# The sandbox.


def tool(folder: Path, script: str) -> Path:
    path = folder / "unshare"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


REFUSED = "echo unshare: unshare failed: Operation not permitted >&2; exit 1"


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def test_root_and_an_ordinary_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert isolation.root().state is State.OK
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    check = isolation.root()
    assert (check.state, check.found) == (State.LACK, "user 1000")
    assert "with sudo" in check.means


def test_namespaces_are_really_asked_for(machine: Machine) -> None:
    asked = machine.folder / "asked"
    check = isolation.namespaces(tool(machine.folder, f'echo "$*" >{asked}'), machine.proc)
    assert check.state is State.OK
    assert asked.read_text() == (
        "--mount --net --pid --fork --kill-child --mount-proc --propagation private -- true\n"
    )


def test_no_unshare_is_a_lack(machine: Machine) -> None:
    assert isolation.namespaces(None, machine.proc).state is State.LACK
    gone = isolation.namespaces(machine.folder / "none", machine.proc)
    assert gone.state is State.LACK
    assert "No such file" in gone.found


def test_an_ordinary_user_is_refused_for_being_one(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    check = isolation.namespaces(tool(machine.folder, REFUSED), machine.proc)
    assert check.state is State.LACK
    assert check.found == "refused: unshare: unshare failed: Operation not permitted"
    assert check.means == "Only root may make them: run the lab with sudo."


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize(
    ("file", "text", "means"),
    [
        ("self/status", "CapEff:\t00000000a80425fb\nSeccomp:\t2\n", "lacks CAP_SYS_ADMIN"),
        ("self/status", "CapEff:\t000001ffffffffff\nSeccomp:\t2\n", "seccomp filter is on"),
        ("sys/user/max_net_namespaces", "0\n", "user.max_net_namespaces = 0"),
        ("sys/user/max_net_namespaces", "9\n", "own words are all that is known"),
    ],
)
def test_what_the_refusal_of_root_means(machine: Machine, file: str, text: str, means: str) -> None:
    machine.put(f"proc/{file}", text)
    check = isolation.namespaces(tool(machine.folder, REFUSED), machine.proc)
    assert check.state is State.LACK
    assert means in check.means


@pytest.mark.usefixtures("as_root")
def test_a_masked_proc_and_a_kernel_without_namespaces_are_told_apart(machine: Machine) -> None:
    script = "echo unshare: mount /proc failed: Operation not permitted >&2; exit 1"
    check = isolation.namespaces(tool(machine.folder, script), machine.proc)
    assert "A /proc of the lab's own is refused" in check.means
    (machine.proc / "self/ns/net").unlink()
    check = isolation.namespaces(tool(machine.folder, script), machine.proc)
    assert "without namespaces of net" in check.means


def test_a_refusal_without_a_word_is_said_by_its_status(machine: Machine) -> None:
    check = isolation.namespaces(tool(machine.folder, "exit 3"), machine.proc)
    assert check.found == "refused: exit status 3"


LISTENS = "  sl  local_address rem_address st\n 0: 00000000:{port:04X} 00000000:0000 {state} 0\n"


def test_ports_of_the_host_do_not_matter(machine: Machine) -> None:
    machine.put("proc/net/tcp", LISTENS.format(port=2377, state="0A"))
    machine.put("proc/net/udp6", LISTENS.format(port=4789, state="07"))
    machine.put("proc/net/tcp6", LISTENS.format(port=7946, state="01"))
    check = isolation.ports(tool(machine.folder, "exit 0"), machine.proc)
    assert check.state is State.OK
    assert check.found.startswith("on the host 2377, 4789 taken; in a net namespace")


def test_ports_that_were_not_tried_are_a_note(machine: Machine) -> None:
    check = isolation.ports(tool(machine.folder, REFUSED), machine.proc)
    assert check.state is State.NOTE
    assert "swarm's ports free; not tried in a namespace: unshare: " in check.found
    assert isolation.ports(None, machine.proc).state is State.NOTE


HOLD_A_PORT = """
import os, socket, sys
held = socket.socket()
held.set_inheritable(True)
held.bind(("", 2377))
os.execvp(sys.argv[3], sys.argv[3:])  # after unshare's own "--net --"
"""


def test_the_ports_are_really_bound(machine: Machine) -> None:
    """In a namespace where one is held, the same proof fails."""
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "--net", "true"], check=False).returncode != 0:
        pytest.skip("no net namespace can be made here")
    assert isolation.ports(Path(unshare), machine.proc).state is State.OK
    hold = machine.put("hold.py", HOLD_A_PORT)
    held = tool(machine.folder, f'exec {unshare} --net {sys.executable} {hold} "$@"')
    check = isolation.ports(held, machine.proc)
    assert check.state is State.NOTE
    assert "Address already in use" in check.found


def test_a_docker_of_the_host_is_named_and_a_labs_is_not(machine: Machine) -> None:
    links, run = machine.sys / "net", machine.folder / "run"
    assert isolation.hosts_docker(links, run, machine.proc).found == "none"
    (links / "docker0").mkdir(parents=True)
    machine.put("run/docker.sock")
    for pid, namespace in (("7", INITIAL), ("8", "pid:[1]")):
        machine.put(f"proc/{pid}/comm", "dockerd\n")
        (machine.proc / pid / "ns").mkdir()
        (machine.proc / pid / "ns/pid").symlink_to(namespace)
    check = isolation.hosts_docker(links, run, machine.proc)
    assert (check.state, check.found) == (State.OK, f"dockerd runs, {run}/docker.sock, docker0")
    shutil.rmtree(machine.proc / "7")
    assert "dockerd" not in isolation.hosts_docker(links, run, machine.proc).found
