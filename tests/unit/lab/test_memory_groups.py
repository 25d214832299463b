"""Memory groups of cgroup v1 under the kernel's own rules, and what the mount table may hold."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stamplab.lab.cgroup import files
from stamplab.lab.cgroup.host import CgroupHost, read_cgroup_host
from stamplab.lab.cgroup.v1 import MemoryGroupV1
from stamplab.lab.cgroup.v2 import MemoryGroupV2
from stamplab.lab.errors import LabError, NotPossibleHere

UNLIMITED = 9223372036854771712
PAGE = 4096
limits = st.none() | st.integers(PAGE, 1 << 40)


MEMORY, WITH_SWAP = "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"


class Kernel:
    """The kernel's side of the two limit files: whole pages, and memory never above memsw."""

    def __init__(self, folder: Path, *, swap: bool) -> None:
        self.limits = dict.fromkeys((MEMORY, WITH_SWAP) if swap else (MEMORY,), UNLIMITED)
        for name in self.limits:
            (folder / name).touch()

    def read(self, path: Path) -> str:
        return str(self.limits[path.name])

    def write(self, path: Path, value: str) -> None:
        wanted = UNLIMITED if value == "-1" else int(value) // PAGE * PAGE
        after = {**self.limits, path.name: wanted}
        if after[MEMORY] > after.get(WITH_SWAP, UNLIMITED):
            raise LabError(f"{value!r} cannot be written to {path}: Invalid argument")
        self.limits = after


@pytest.mark.parametrize("swap", [True, False])
@settings(max_examples=40)
@given(wanted=st.lists(limits, max_size=8))
def test_limits_may_follow_each_other_in_any_order(wanted: list[int | None], *, swap: bool) -> None:
    with TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        (Path(root) / "lab").mkdir()
        kernel = Kernel(Path(root) / "lab", swap=swap)
        patch.setattr(files, "read", kernel.read)
        patch.setattr(files, "write", kernel.write)
        group = MemoryGroupV1(Path(root), (), "/lab")
        assert group.limit_bytes() is None
        for limit_bytes in wanted:
            group.set_limit(limit_bytes)
            whole_pages = None if limit_bytes is None else limit_bytes // PAGE * PAGE
            assert group.limit_bytes() == whole_pages
            assert len(set(kernel.limits.values())) == 1


@pytest.mark.parametrize(
    ("shown", "limit_bytes"),
    [
        (UNLIMITED, None),
        (9223372036854710272, None),  # pages of 64 KiB
        (1 << 60, None),
        ((1 << 60) - 1, (1 << 60) - 1),
        (367001600, 367001600),
        (0, 0),
    ],
)
def test_how_the_kernel_shows_no_limit(tmp_path: Path, shown: int, limit_bytes: int | None) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "memory.limit_in_bytes").write_text(f"{shown}\n")
    assert MemoryGroupV1(tmp_path, (), "/lab").limit_bytes() == limit_bytes


def made(root: Path, monkeypatch: pytest.MonkeyPatch, **control: str) -> Path:
    """Create the group where the kernel would put these control files into it."""

    def make_group(path: Path) -> None:
        path.mkdir()
        for name, value in control.items():
            (path / f"memory.{name}").write_text(value)

    monkeypatch.setattr(files, "make_group", make_group)
    MemoryGroupV1(root, (), "/lab").create()
    return root / "lab"


def test_a_new_group_counts_all_unswapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = made(tmp_path, monkeypatch, use_hierarchy="0\n", swappiness="60\n")
    assert (group / "memory.use_hierarchy").read_text() == "1"
    assert (group / "memory.swappiness").read_text() == "0"


def test_a_kernel_that_counts_all_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        made(tmp_path, monkeypatch, use_hierarchy="1\n") / "memory.use_hierarchy"
    ).read_text() == "1\n"
    assert not (tmp_path / "lab" / "memory.swappiness").exists()


def test_containers_are_the_groups_below(tmp_path: Path) -> None:
    usage_bytes = {".": 1000, "ab" * 32: 700, "cd" * 32: 300}
    for name, usage in usage_bytes.items():
        (tmp_path / "lab" / name).mkdir(parents=True)
        (tmp_path / "lab" / name / "memory.usage_in_bytes").write_text(f"{usage}\n")
    (tmp_path / "lab" / "going").mkdir()
    group = MemoryGroupV1(tmp_path, (), "/lab")
    assert group.usage_bytes() == usage_bytes.pop(".")
    assert group.containers() == usage_bytes


def test_what_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"no-such cannot be read: No such file"):
        files.read(tmp_path / "no-such")
    with pytest.raises(LabError, match=r"'1' cannot be written to .*no-such/file: No such file"):
        files.write(tmp_path / "no-such" / "file", "1")


def test_a_group_that_is_gone_is_named_whatever_is_asked_of_it(tmp_path: Path) -> None:
    gone = MemoryGroupV1(tmp_path, (), "/lab")
    for ask in (gone.usage_bytes, gone.limit_bytes, gone.containers, lambda: gone.set_limit(1)):
        with pytest.raises(LabError, match=r"lab.* cannot be read: No such file or directory"):
            ask()


def test_a_group_is_not_made_twice(tmp_path: Path) -> None:
    group = MemoryGroupV1(tmp_path, (), "/lab")
    group.create()
    with pytest.raises(LabError, match=r"the control group .*lab cannot be made: File exists"):
        group.create()


@pytest.mark.parametrize("path", ["/lab", "/slice/lab"])
def test_a_group_goes_wherever_it_lies_and_its_neighbours_stay(tmp_path: Path, path: str) -> None:
    group = tmp_path / path.lstrip("/")
    for folder in (group / "a" / "b", group / "c", group.parent / "lab-2"):
        folder.mkdir(parents=True)
    MemoryGroupV1(tmp_path, (), path).remove()
    assert not group.exists()
    assert (group.parent / "lab-2").is_dir()


def test_a_group_in_use_stays_in_the_hierarchy_where_it_is_used(tmp_path: Path) -> None:
    for hierarchy in ("memory", "cpu"):
        (tmp_path / hierarchy / "lab" / "inner").mkdir(parents=True)
    (tmp_path / "cpu" / "lab" / "inner" / "a-process").touch()
    group = MemoryGroupV1(tmp_path / "memory", (tmp_path / "cpu",), "/lab")
    with pytest.raises(
        LabError, match=r"cpu/lab/inner cannot be removed \(Directory not empty\): .*still in it"
    ):
        group.remove()


# The mount table.

V1 = "cgroup /sys/fs/cgroup/memory cgroup rw,nosuid,nodev,noexec,relatime,memory 0 0"


def host(tmp_path: Path, *lines: str) -> CgroupHost:
    table = tmp_path / "mounts"
    table.write_text("".join(f"{line}\n" for line in lines))
    return read_cgroup_host(table)


def test_the_first_mount_of_a_hierarchy_is_the_machines_own(tmp_path: Path) -> None:
    cgroups = host(
        tmp_path,
        V1,
        "cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nsdelegate 0 0",
        "cgroup /var/lib/box/sys/fs/cgroup/memory cgroup ro,memory 0 0",
        "cgroup2 /var/lib/box/sys/fs/cgroup cgroup2 ro 0 0",
    )
    assert cgroups.v1 == {"memory": Path("/sys/fs/cgroup/memory")}
    assert cgroups.unified == Path("/sys/fs/cgroup/unified")


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ("rw,nosuid,nodev,noexec,relatime,cpu,cpuacct", {"cpu", "cpuacct"}),
        ("rw,xattr,release_agent=/usr/lib/agent,name=systemd", {"name=systemd"}),
        ("ro,seclabel,clone_children,freezer", {"freezer"}),
    ],
)
def test_a_hierarchy_goes_by_its_names(tmp_path: Path, options: str, names: set[str]) -> None:
    assert set(host(tmp_path, f"cgroup /x cgroup {options} 0 0").v1) == names


def test_a_hybrid_host_gives_a_group_of_v1_that_goes_in_every_hierarchy(tmp_path: Path) -> None:
    roots = {name: tmp_path / name for name in ("memory", "cpu", "unified")}
    for root in roots.values():
        (root / "lab" / "container" / "deep").mkdir(parents=True)
        (root / "other").mkdir()
    cgroups = host(
        tmp_path,
        f"cgroup {roots['memory']} cgroup rw,memory 0 0",
        f"cgroup {roots['cpu']} cgroup rw,cpu,cpuacct 0 0",
        f"cgroup {tmp_path}/none cgroup rw,pids 0 0",
        f"cgroup2 {roots['unified']} cgroup2 rw 0 0",
        "tmpfs /sys/fs/cgroup tmpfs rw 0 0",
    )
    assert cgroups.memory_version == 1
    group = cgroups.memory_group("/lab")
    assert group.path == "/lab"
    group.remove()
    group.remove()
    for root in roots.values():
        assert [path.name for path in root.iterdir()] == ["other"]


@pytest.mark.parametrize(
    ("v1", "controllers", "version"),
    [((V1,), "", 1), ((), "cpu memory pids", 2), ((), "cpu pids", None), ((), "", None)],
)
def test_hybrid_unified_and_neither(
    tmp_path: Path, v1: tuple[str, ...], controllers: str, version: int | None
) -> None:
    (tmp_path / "cgroup.controllers").write_text(controllers)
    cgroups = host(tmp_path, *v1, f"cgroup2 {tmp_path} cgroup2 rw 0 0")
    assert cgroups.memory_version == version
    if version is None:
        with pytest.raises(NotPossibleHere):
            cgroups.memory_group("/x")
    else:
        kind = {1: MemoryGroupV1, 2: MemoryGroupV2}[version]
        assert isinstance(cgroups.memory_group("/x"), kind)


def test_no_mount_table_is_not_possible_here(tmp_path: Path) -> None:
    with pytest.raises(NotPossibleHere, match="cannot be read"):
        read_cgroup_host(tmp_path / "none")


def test_a_unified_hierarchy_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    cgroups = host(tmp_path, f"cgroup2 {tmp_path}/none cgroup2 rw 0 0")
    with pytest.raises(LabError, match=r"none/cgroup\.controllers cannot be read: No such file"):
        cgroups.memory_group("/lab")


@pytest.mark.parametrize("lines", [(), ("proc /proc proc rw 0 0",), ("c /x cgroup rw,cpu 0 0",)])
def test_a_memory_controller_is_required(tmp_path: Path, lines: tuple[str, ...]) -> None:
    cgroups = host(tmp_path, *lines)
    assert cgroups.memory_version is None
    with pytest.raises(NotPossibleHere, match="no memory control group"):
        cgroups.memory_group("/lab")
