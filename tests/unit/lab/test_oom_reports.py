"""Whole reports of the kernel's OOM killer, as they come out of ``/dev/kmsg``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stamplab.lab.cgroup.kernel_log import OomReader, parse_kmsg
from stamplab.lab.model.history import OomKill
from tests.unit.lab.golden import GOLDEN

OURS, THEIRS = "ab" * 32, "cd" * 32


def report(
    victim: str, *, limited: str = "/lab", name: str = "stampload", pid: int = 812
) -> list[str]:
    """A report of cgroup v2: the process that ran into the limit is not the one that is killed."""
    return [
        "stampload invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
        "CPU: 1 PID: 640 Comm: stampload Not tainted 6.1.0-cloud-amd64 #1  Debian",
        "memory: usage 358400kB, limit 358400kB, failcnt 55",
        "swap: usage 0kB, limit 9007199254740988kB, failcnt 0",
        f"Memory cgroup stats for {limited}:",
        "Tasks state (memory values in pages):",
        "[    640]     0   640    25875    25000   245760        0             0 stampload",
        "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"
        f"oom_memcg={limited},task_memcg={victim},task={name},pid={pid},uid=0",
        f"Memory cgroup out of memory: Killed process {pid} ({name}) total-vm:308476kB, "
        "anon-rss:254252kB, file-rss:652kB, shmem-rss:0kB, UID:0 pgtables:540kB oom_score_adj:0",
    ]


def kills(messages: list[str], group: str = "/lab") -> list[OomKill]:
    reader = OomReader(group)
    return [kill for message in messages if (kill := reader.feed(message)) is not None]


def test_the_device_as_it_was_read_on_cgroup_v1() -> None:
    group = "/stamplab-b0441c71"
    reader = OomReader(group)
    parsed_kills: list[tuple[float, OomKill]] = []
    for line in (GOLDEN / "kernel" / "oom-v1.kmsg").read_bytes().splitlines(keepends=True):
        parsed = parse_kmsg(line)
        assert parsed is not None
        kill = reader.feed(parsed[1])
        if kill is not None:
            parsed_kills.append((parsed[0], kill))
    ((at_s, kill),) = parsed_kills
    container = "09c33f9402336030855100a6696e84ede6b7fc872635259320202e37f0fd7bdf"
    assert at_s == 6132.976248
    assert (kill.container_id, kill.cgroup) == (container, f"{group}/{container}")
    assert (kill.pid, kill.process) == (12476, "stampload")
    assert kill.anon_rss_bytes == 244096 * 1024
    assert (kill.usage_bytes, kill.limit_bytes) == (343592 * 1024, 343592 * 1024)
    assert "invoked oom-killer" in kill.lines[0]
    assert "Killed process 12476" in kill.lines[-1]
    assert len(kill.lines) == 82


@pytest.mark.parametrize(
    ("limited", "victim"),
    [
        ("/lab", f"/lab/{OURS}"),
        ("/lab", f"/lab/deep/{OURS}"),
        ("/lab.slice", f"/lab.slice/docker-{OURS}.scope"),
    ],
)
def test_a_whole_report_of_cgroup_v2(limited: str, victim: str) -> None:
    (kill,) = kills(report(victim, limited=limited), limited)
    assert (kill.container_id, kill.cgroup, kill.limited_cgroup) == (OURS, victim, limited)
    assert kill.pid == 812
    assert kill.limit_bytes == kill.usage_bytes == 358400 * 1024
    assert kill.anon_rss_bytes == 254252 * 1024
    (without_usage,) = kills(report(victim, limited=limited)[-2:], limited)
    assert without_usage.usage_bytes is None


@pytest.mark.parametrize(
    "victim",
    [f"/y/{OURS}", f"/xlab/{OURS}", OURS, "/lab", "/lab/not-a-container", f"/lab/{OURS[2:]}"],
)
def test_a_kill_elsewhere_is_not_ours(victim: str) -> None:
    assert kills(report(victim)) == []


def test_a_kill_needs_both_lines_of_the_same_process() -> None:
    *_, summary, killed = report(f"/lab/{OURS}")
    for lines in ([summary], [killed], [summary, killed.replace("process 812", "process 813")]):
        assert kills(lines) == []


def test_two_kills_in_a_row_are_two() -> None:
    first, second = report(f"/lab/{OURS}"), report(f"/lab/{THEIRS}", pid=900)
    assert [kill.container_id for kill in kills([*first[-2:], *second[-2:]])] == [OURS, THEIRS]


def test_an_oom_of_the_whole_machine_is_not_the_groups() -> None:
    *_, summary, killed = report(f"/lab/{OURS}")
    whole = summary.replace("CONSTRAINT_MEMCG", "CONSTRAINT_NONE")
    assert kills([whole, killed.replace("Memory cgroup out", "Out")]) == []


def test_a_group_may_be_given_with_a_slash_at_its_end() -> None:
    assert len(kills(report(f"/lab/{OURS}"), "/lab/")) == 1


@pytest.mark.parametrize("others", ["/lab-2", "/la", "/other/lab"])
def test_another_groups_reports_before_and_after_change_nothing_in_ours(others: str) -> None:
    theirs = report(f"{others}/{THEIRS}", limited=others, pid=900)
    ours = report(f"/lab/{OURS}")
    assert kills([*theirs, *ours, *theirs]) == kills(ours)


def test_a_report_that_was_cut_does_not_lend_its_victim_to_the_next() -> None:
    lines = report(f"/lab/{OURS}")
    assert kills([*lines[:-1], lines[0], lines[-1]]) == []


def test_a_report_broken_off_by_anothers_does_not_take_over_its_victim() -> None:
    theirs = report(f"/other/{THEIRS}", limited="/other", pid=900)
    ours = report(f"/lab/{OURS}")
    assert kills([*ours[:-2], *theirs, *ours]) == kills(ours)
    assert kills([*ours[:-1], *theirs]) == []


@given(st.data())
def test_what_else_the_kernel_says_meanwhile_does_not_hide_a_kill(data: st.DataObject) -> None:
    noise = ["veth1: renamed from eth0", "oom_reaper: reaped process 900 (x)", "", "Call Trace:"]
    messages = report(f"/lab/{OURS}")
    for line in data.draw(st.lists(st.sampled_from(noise), max_size=10)):
        messages.insert(data.draw(st.integers(0, len(messages))), line)
    (kill,) = kills(messages)
    assert kill.container_id == OURS
    assert kill.limit_bytes == 358400 * 1024


def test_a_second_kill_without_a_report_of_its_own_is_no_evidence() -> None:
    """The kernel leaves reports out when there are too many (printk's rate limit)."""
    first = report(f"/lab/{OURS}")
    second = report(f"/lab/{THEIRS}", pid=900)[-1]
    assert [kill.pid for kill in kills([*first, second])] == [812]


def test_of_a_group_killed_as_one_the_named_victim_is_the_evidence() -> None:
    """With ``memory.oom.group`` one report is followed by a line for each process."""
    lines = report(f"/lab/{OURS}")
    sibling = lines[-1].replace("process 812", "process 640")
    announcement = "Tasks in /lab are going to be killed due to memory.oom.group set"
    assert [kill.pid for kill in kills([*lines, announcement, sibling])] == [812]


@pytest.mark.parametrize(
    "name",
    ["a, b (c)", "x,pid=1,uid=0", "task=y", "(sd) [x]", "runc:[2:INIT]", "anon-rss:1kB", "ünï", ""],
)
def test_a_process_that_has_an_odd_name_is_reported_by_it(name: str) -> None:
    (kill,) = kills(report(f"/lab/{OURS}", name=name))
    assert (kill.process, kill.pid) == (name, 812)
    assert kill.anon_rss_bytes == 254252 * 1024


@pytest.mark.parametrize(
    ("record", "parsed"),
    [
        (b"4,14112,6132975963,-;Call Trace:", (6132.975963, "Call Trace:")),
        (b"4,1,5140900,-,caller=T1;x", (5.1409, "x")),
        (b"12,1,0,c;going on\n", (0.0, "going on")),
        (b"6,1,1000000,-; two  blanks \n SUBSYSTEM=net\n DEVICE=n1\n", (1.0, " two  blanks ")),
        (b"6,1,1000000,-;a;b\\x0a\xff\n", (1.0, "a;b\\x0a\N{REPLACEMENT CHARACTER}")),
        (b"6,1,1000000,-;", (1.0, "")),
        (b" SUBSYSTEM=net", None),
        (b"6,1;too short", None),
        (b"6,1,-5,-;negative", None),
        (b"6,1,\xb2,-;no digit", None),
        (b"6,1,1000000,-", None),
        (b"", None),
        (b"6,1," + b"9" * 5000 + b",-;longer than any clock", None),
        (b"6,1," + b"9" * 400 + b",-;longer than any clock", None),
    ],
)
def test_records_of_the_device(record: bytes, parsed: tuple[float, str] | None) -> None:
    assert parse_kmsg(record) == parsed


@given(st.binary(max_size=200))
def test_no_record_makes_the_reader_fail(raw: bytes) -> None:
    parsed = parse_kmsg(raw)
    if parsed is not None:
        OomReader("/lab").feed(parsed[1])


@given(st.binary(), st.binary())
def test_no_record_with_digits_in_its_place_fails(flags: bytes, rest: bytes) -> None:
    parse_kmsg(b"6,1,1000000," + flags + b";" + rest)
