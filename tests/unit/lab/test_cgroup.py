"""Control groups.

The kernel's log as evidence, the mount table, and v1's files in their right order.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stamplab.lab.cgroup import files
from stamplab.lab.cgroup.host import read_cgroup_host
from stamplab.lab.cgroup.kernel_log import OomReader, parse_kmsg
from stamplab.lab.cgroup.v1 import MemoryGroupV1
from stamplab.lab.cgroup.v2 import MemoryGroupV2
from stamplab.lab.errors import LabError, NotPossibleHere
from stamplab.lab.model.history import OomKill
from tests.unit.lab import golden

CONTAINER = "ab" * 32
OTHER = "cd" * 32


def summary(group: str, victim: str, *, pid: int = 7, name: str = "stampload") -> str:
    return (
        "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"
        f"oom_memcg={group},task_memcg={victim},task={name},pid={pid},uid=0"
    )


def killed(*, pid: int = 7, rss_kib: int = 1000) -> str:
    return (
        f"Memory cgroup out of memory: Killed process {pid} (stampload) total-vm:9kB, "
        f"anon-rss:{rss_kib}kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:1kB oom_score_adj:0"
    )


def read(group: str, *messages: str) -> list[OomKill]:
    reader = OomReader(group)
    return [kill for message in messages if (kill := reader.feed(message)) is not None]


def test_a_real_report_of_cgroup_v1() -> None:
    messages = golden.kernel_messages("oom-v1")
    named = next(line for line in messages if "task_memcg=" in line)
    group = named.partition("oom_memcg=")[2].partition(",")[0]
    (kill,) = read(group, *messages)
    assert kill.cgroup == f"{group}/{kill.container_id}"
    assert kill.limited_cgroup == group
    assert kill.process == "stampload"
    assert kill.limit_bytes is not None
    assert kill.usage_bytes is not None
    assert 0 < kill.anon_rss_bytes < kill.usage_bytes <= kill.limit_bytes
    assert any("invoked oom-killer" in line for line in kill.lines)


@pytest.mark.parametrize(
    "victim", [f"/x/{CONTAINER}", f"/x/docker-{CONTAINER}.scope", f"/x/deep/{CONTAINER}"]
)
def test_both_drivers_and_both_versions_name_the_container(victim: str) -> None:
    (kill,) = read("/x", summary("/x", victim), killed(rss_kib=2))
    assert kill.container_id == CONTAINER
    assert kill.anon_rss_bytes == 2048
    assert kill.usage_bytes is None


@pytest.mark.parametrize(
    "victim",
    [
        f"/y/{CONTAINER}",
        f"/xy/{CONTAINER}",
        CONTAINER,
        "/x",
        "/x/not-a-container",
        "/x/" + "ab" * 31,
    ],
)
def test_a_kill_elsewhere_is_not_ours(victim: str) -> None:
    assert read("/x", summary("/x", victim), killed()) == []


def test_a_kill_needs_both_lines_of_the_same_process() -> None:
    assert read("/x", summary("/x", f"/x/{CONTAINER}")) == []
    assert read("/x", killed()) == []
    assert read("/x", summary("/x", f"/x/{CONTAINER}", pid=7), killed(pid=8)) == []


def test_a_report_that_was_cut_does_not_lend_its_victim_to_the_next() -> None:
    cut = ["stampload invoked oom-killer: gfp_mask=0x0", summary("/x", f"/x/{CONTAINER}")]
    next_one = ["other invoked oom-killer: gfp_mask=0x0", killed()]
    assert read("/x", *cut, *next_one) == []


def test_two_kills_in_a_row_are_two() -> None:
    kills = read(
        "/x",
        summary("/x", f"/x/{CONTAINER}", pid=1),
        killed(pid=1),
        summary("/x", f"/x/{OTHER}", pid=2),
        killed(pid=2),
    )
    assert [kill.container_id for kill in kills] == [CONTAINER, OTHER]


def test_a_process_may_have_any_name() -> None:
    (kill,) = read("/x", summary("/x", f"/x/{CONTAINER}", name="a, b (c),pid=3"), killed())
    assert kill.process == "a, b (c),pid=3"


def test_an_oom_of_the_whole_machine_is_not_the_groups() -> None:
    whole = summary("/x", f"/x/{CONTAINER}").replace("CONSTRAINT_MEMCG", "CONSTRAINT_NONE")
    assert read("/x", whole, "Out of memory: Killed process 7 (x) anon-rss:1kB") == []


def test_a_kmsg_record_is_split_into_time_and_message() -> None:
    assert parse_kmsg(b"6,1234,5000000,-;hello; world\n SUBSYSTEM=x\n") == (5.0, "hello; world")


@given(st.binary(max_size=200))
def test_no_record_makes_the_reader_fail(raw: bytes) -> None:
    parsed = parse_kmsg(raw)
    if parsed is not None:
        OomReader("/x").feed(parsed[1])


V1 = "cgroup /sys/fs/cgroup/memory cgroup rw,nosuid,relatime,memory 0 0\n"


@pytest.mark.parametrize(
    ("v1", "controllers", "version"),
    [(V1, "", 1), ("", "cpu memory pids", 2), ("", "cpu pids", None), ("", "", None)],
)
def test_hybrid_unified_and_neither(
    tmp_path: Path, v1: str, controllers: str, version: int | None
) -> None:
    (tmp_path / "cgroup.controllers").write_text(controllers)
    (tmp_path / "mounts").write_text(f"{v1}cgroup2 {tmp_path} cgroup2 rw 0 0\n")
    host = read_cgroup_host(tmp_path / "mounts")
    assert host.memory_version == version
    if version is None:
        with pytest.raises(NotPossibleHere):
            host.memory_group("/x")
    else:
        kind = {1: MemoryGroupV1, 2: MemoryGroupV2}[version]
        assert isinstance(host.memory_group("/x"), kind)


def test_no_mount_table_is_not_possible_here(tmp_path: Path) -> None:
    with pytest.raises(NotPossibleHere, match="cannot be read"):
        read_cgroup_host(tmp_path / "none")


class Group:
    """A memory group on an ordinary file system, with its writes in order."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, *, swap: bool) -> None:
        self.written: list[tuple[str, str]] = []
        self.folder = root / "memory" / "lab"
        self.folder.mkdir(parents=True)
        for name, value in {
            "memory.limit_in_bytes": "9223372036854771712",
            "memory.usage_in_bytes": "1000",
            **({"memory.memsw.limit_in_bytes": "9223372036854771712"} if swap else {}),
        }.items():
            (self.folder / name).write_text(value)
        real = files.write

        def write(path: Path, value: str) -> None:
            self.written.append((path.name.split(".")[1].split("_")[0], value))
            real(path, "9223372036854771712" if value == "-1" else value)

        monkeypatch.setattr(files, "write", write)
        self.group = MemoryGroupV1(root / "memory", (root / "cpu",), "/lab")


@pytest.mark.parametrize("swap", [True, False])
def test_the_limit_of_swap_is_never_below_that_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swap: bool
) -> None:
    fake = Group(tmp_path, monkeypatch, swap=swap)
    assert fake.group.limit_bytes() is None
    for limit_bytes in (500, 300, 400, None):
        fake.group.set_limit(limit_bytes)
        assert fake.group.limit_bytes() == limit_bytes
    expected = [("limit", "500"), ("memsw", "500"), ("limit", "300"), ("memsw", "300")]
    expected += [("memsw", "400"), ("limit", "400"), ("memsw", "-1"), ("limit", "-1")]
    assert fake.written == [item for item in expected if swap or item[0] == "limit"]


def test_containers_are_the_groups_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Group(tmp_path, monkeypatch, swap=False)
    for name, usage in {CONTAINER: 700, OTHER: 300}.items():
        (fake.folder / name).mkdir()
        (fake.folder / name / "memory.usage_in_bytes").write_text(f"{usage}\n")
    (fake.folder / "going").mkdir()
    assert fake.group.containers() == {CONTAINER: 700, OTHER: 300}
    assert fake.group.usage_bytes() == 1000


def test_a_group_goes_in_every_hierarchy(tmp_path: Path) -> None:
    for hierarchy in ("memory", "cpu"):
        (tmp_path / hierarchy / "lab" / CONTAINER / "deep").mkdir(parents=True)
        (tmp_path / hierarchy / "other").mkdir()
    group = MemoryGroupV1(tmp_path / "memory", (tmp_path / "cpu", tmp_path / "none"), "/lab")
    group.remove()
    group.remove()
    assert sorted(path.name for path in tmp_path.glob("*/*")) == ["other", "other"]


def test_what_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"no-such cannot be read: No such file"):
        files.read(tmp_path / "no-such")
    with pytest.raises(LabError, match=r"'1' cannot be written to .*no-such/file: No such file"):
        files.write(tmp_path / "no-such" / "file", "1")
