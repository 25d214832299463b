"""The history: nothing is lost, nothing changes places, and damage is said."""

from __future__ import annotations

import errno
import io
import threading
import time
from itertools import pairwise
from pathlib import Path, PosixPath
from typing import IO, Any, get_args

import msgspec
import pytest
from msgspec.structs import replace

from stamplab.lab.errors import LabError
from stamplab.lab.model.docker_json import parse_service, parse_tasks
from stamplab.lab.model.history import (
    ClientProbe,
    CommandRan,
    Deployed,
    EngineEvent,
    Finding,
    LimitSet,
    MemorySample,
    Note,
    Observation,
    OperatorActed,
    OverlayWritten,
    PolicyRead,
    Record,
    RecorderLost,
    ServiceSeen,
    StageBegan,
    StageEnded,
    TasksSeen,
)
from stamplab.lab.model.history_file import HistoryWriter, encode_history, read_history
from stamplab.lab.model.schema import NewerSchema
from tests import builders
from tests.unit.lab.golden import GOLDEN, swarm_json

SAMPLES: tuple[Observation, ...] = (
    ServiceSeen(
        name="shop_web",
        service=parse_service(swarm_json("updating")),
        raw=msgspec.Raw(msgspec.json.format(swarm_json("updating"), indent=-1)),
    ),
    ServiceSeen(name="gone", service=None),
    TasksSeen(service="shop_web", tasks=tuple(parse_tasks(swarm_json("tasks")))),
    EngineEvent(kind="service", action="update", actor_id="abc", attributes={"name": "a=b\n"}),
    replace(builders.ended("t", 137, began_s=-0.5, ended_s=1.25), task_id=None),
    replace(
        builders.oom_kill("t", limit_bytes=2),
        process='a "strange", näme',
        usage_bytes=None,
        lines=("first", "second"),
    ),
    MemorySample(usage_bytes=0, limit_bytes=None, containers={"c" * 64: 1}),
    LimitSet(limit_bytes=None, usage_bytes=1, reason="no limit"),
    ClientProbe(n=0, ok=False, took_ms=1.5, error="dns: no answer"),
    CommandRan(argv=("docker", "a b", ""), exit_code=1, took_s=0.5, output="\x1b[1m\r\n", by="us"),
    Deployed(stack="shop", exit_code=0, output="Creating service shop_web\n"),
    OverlayWritten(commit="7ae7b0f7", name="compose.ccci.yml", text="services: {}\n"),
    PolicyRead(
        commit="f" * 40,
        path="compose.yml",
        service="app",
        failure_action="rollback",
        order=None,
        monitor=None,
        start_period="20m",
    ),
    Finding(
        step="assert_upgrade_converged",
        passed=False,
        text="chaos commit",
        outcome="rolled back",
        failed_task="new",
        other_update="removal",
    ),
    OperatorActed(what="a second operator", operation="scale", refused="update out of sequence"),
    StageBegan(stage="upgrade"),
    StageEnded(stage="upgrade", end="fail", reason="HC1", failed_step="hc1"),
    Note(text="two\nlines"),
    RecorderLost(recorder="events", reason="it ended by itself"),
)


def note(record: Record | None) -> str:
    assert record is not None
    assert isinstance(record.what, Note)
    return record.what.text


def take_all(history: HistoryWriter) -> list[Record]:
    taken: list[Record] = []
    while (record := history.take(0)) is not None:
        taken.append(record)
    return taken


# Order.


def test_what_is_taken_is_what_was_appended_in_that_order(history: HistoryWriter) -> None:
    for what in SAMPLES:
        history.append("test", what)
    taken = take_all(history)
    assert [record.what for record in taken] == list(SAMPLES)
    assert [record.seq for record in taken] == list(range(len(SAMPLES)))


def test_a_record_says_when_it_happened_and_when_it_was_seen(tmp_path: Path) -> None:
    history = HistoryWriter(tmp_path / "history.jsonl", lambda: 7.12345678)
    history.append("late", Note(text="late"), happened_s=3.98765432)
    history.append("at once", Note(text="at once"))
    history.close()
    late, at_once = take_all(history)
    assert (late.source, late.happened_s, late.seen_s) == ("late", 3.987654, 7.123457)
    assert (at_once.happened_s, at_once.seen_s) == (7.123457, 7.123457)


def test_something_may_have_happened_at_the_worlds_very_beginning(tmp_path: Path) -> None:
    history = HistoryWriter(tmp_path / "history.jsonl", lambda: 7.0)
    history.append("test", Note(text="first"), happened_s=0.0)
    history.close()
    assert [record.happened_s for record in take_all(history)] == [0.0]


def test_no_record_of_many_threads_is_lost_or_out_of_place(tmp_path: Path) -> None:
    shown: list[Record] = []
    history = HistoryWriter(tmp_path / "history.jsonl", time.monotonic, shown.append)
    threads, notes = 8, 100

    def append(thread: int) -> None:
        for n in range(notes):
            history.append(f"thread {thread}", Note(text=str(n)))

    appending = [threading.Thread(target=append, args=(n,)) for n in range(threads)]
    for thread in appending:
        thread.start()
    taken = [history.take(10) for _ in range(threads * notes)]
    for ended in appending:
        ended.join()
    history.close()
    assert history.take(0) is None
    written, torn = read_history(tmp_path / "history.jsonl")
    assert not torn
    assert written == taken == shown
    assert [record.seq for record in written] == list(range(threads * notes))
    assert all(before.seen_s <= after.seen_s for before, after in pairwise(written))
    for name in range(threads):
        own = [note(record) for record in written if record.source == f"thread {name}"]
        assert own == [str(n) for n in range(notes)]


def test_a_second_writer_goes_on_where_the_file_ends(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    for text in ("first", "second"):
        history = HistoryWriter(path, lambda: 0.0)
        history.append("test", Note(text=text))
        history.close()
    assert [note(record) for record in read_history(path)[0]] == ["first", "second"]


# Waiting.


def test_nothing_to_take_is_none_once_the_time_is_over(history: HistoryWriter) -> None:
    began_s = time.monotonic()
    assert history.take(0.05) is None
    assert 0.05 <= time.monotonic() - began_s < 5


@pytest.mark.parametrize("timeout_s", [0.0, -1.0])
def test_a_passed_moment_is_not_waited_for(history: HistoryWriter, timeout_s: float) -> None:
    assert history.take(timeout_s) is None
    history.append("test", Note(text="there"))
    assert note(history.take(timeout_s)) == "there"


def test_who_waits_is_woken_by_a_record(history: HistoryWriter) -> None:
    timer = threading.Timer(0.05, history.append, ("test", Note(text="came")))
    timer.start()
    began_s = time.monotonic()
    assert note(history.take(60)) == "came"
    assert time.monotonic() - began_s < 30
    timer.join()


def test_who_waits_is_woken_by_a_failure(history: HistoryWriter) -> None:
    timer = threading.Timer(0.05, history.fail, (LabError("the daemon is gone"),))
    timer.start()
    with pytest.raises(LabError, match="the daemon is gone"):
        history.take(60)
    timer.join()


# Failure.


def test_a_failure_wins_over_records_that_wait(history: HistoryWriter) -> None:
    history.append("test", Note(text="waiting"))
    history.fail(LabError("the daemon is gone"))
    for _ in range(2):
        with pytest.raises(LabError, match="the daemon is gone"):
            history.take(0)


def test_the_first_failure_is_the_one_that_is_told(history: HistoryWriter) -> None:
    history.fail(LabError("the cause"))
    history.fail(LabError("its consequence"))
    with pytest.raises(LabError, match="the cause"):
        history.take(0)


class SmallDisk(PosixPath):
    """A file on a disk with room for some characters."""

    room = 0

    def open(self, *_: Any, **__: Any) -> IO[Any]:  # type: ignore[override]
        return FullFile(super().open("a", encoding="utf-8"), self.room)


class FullFile(io.StringIO):
    def __init__(self, file: IO[str], room: int) -> None:
        super().__init__()
        self.file = file
        self.room = room

    def write(self, text: str) -> int:
        self.room -= len(text)
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.file.write(text)

    def flush(self) -> None:
        self.file.flush()

    def close(self) -> None:
        self.file.close()
        super().close()


def test_a_full_disk_is_reported_and_loses_no_earlier_line(tmp_path: Path) -> None:
    disk = SmallDisk(tmp_path / "history.jsonl")
    disk.room = 250 + len(encode_history([]))
    shown: list[Record] = []
    history = HistoryWriter(disk, lambda: 0.0, shown.append)
    for n in range(10):
        history.append("test", Note(text=str(n)))
    with pytest.raises(LabError, match=r"history could not be written .* No space left .* --runs"):
        history.take(0)
    history.close()
    written, torn = read_history(tmp_path / "history.jsonl")
    assert (len(written), torn) == (2, False)
    assert [note(record) for record in written] == ["0", "1"]
    assert shown == written


def test_a_device_that_is_always_full_neither_raises_in_the_recorder_nor_on_close() -> None:
    history = HistoryWriter(Path("/dev/full"), lambda: 0.0)
    history.append("test", Note(text="lost"))
    history.append("test", Note(text="lost too"))
    with pytest.raises(LabError, match="No space left on device"):
        history.take(0)
    history.close()


def test_appending_after_the_end_is_reported(history: HistoryWriter) -> None:
    history.close()
    history.append("test", Note(text="too late"))
    with pytest.raises(LabError, match="could not be written"):
        history.take(0)


def test_a_console_that_fails_is_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    def console(_: Record) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    history = HistoryWriter(tmp_path / "history.jsonl", lambda: 0.0, console)
    history.append("test", Note(text="written all the same"))
    with pytest.raises(LabError) as raised:
        history.take(0)
    history.close()
    assert "Broken pipe" in str(raised.value)
    assert "history could not be written" not in str(raised.value)
    assert len(read_history(history.path)[0]) == 1


def test_a_history_that_cannot_be_begun_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"history .* cannot be begun: No such file or directory"):
        HistoryWriter(tmp_path / "missing" / "history.jsonl", lambda: 0.0)


# Reading.


def written_by(tmp_path: Path, *samples: Observation) -> Path:
    history = HistoryWriter(tmp_path / "history.jsonl", lambda: 1.5)
    for what in samples:
        history.append("test", what)
    history.close()
    return history.path


@pytest.mark.parametrize("what", SAMPLES, ids=lambda what: type(what).__name__)
def test_every_kind_of_record_is_read_back_as_it_was(tmp_path: Path, what: Observation) -> None:
    path = written_by(tmp_path, what)
    assert len(path.read_bytes().splitlines()) == 2
    records, torn = read_history(path)
    assert ([record.what for record in records], torn) == ([what], False)


def test_every_kind_of_record_has_a_sample_here() -> None:
    assert {type(what) for what in SAMPLES} == set(get_args(Observation))


def test_a_history_of_a_real_run_can_be_read() -> None:
    records, torn = read_history(GOLDEN / "history.jsonl")
    assert not torn
    # Nobody else was at work in that run, and of its console it has one line, a stage's beginning.
    missing = {OperatorActed, Note, StageEnded}
    assert {type(record.what) for record in records} == {*get_args(Observation)} - missing


def test_the_engines_answer_is_kept_to_the_letter(tmp_path: Path) -> None:
    letter = b'{"ID": "1",  "Spec":{"z":1,"a":1.50}}'
    path = written_by(tmp_path, ServiceSeen(name="x", service=None, raw=msgspec.Raw(letter)))
    assert letter in path.read_bytes()
    seen = read_history(path)[0][0].what
    assert isinstance(seen, ServiceSeen)
    assert bytes(seen.raw) == letter


def test_a_record_is_one_line_even_where_the_engines_answer_is_several(tmp_path: Path) -> None:
    letter = b'{\n  "ID": "1"\n}'
    path = written_by(tmp_path, ServiceSeen(name="x", service=None, raw=msgspec.Raw(letter)))
    assert path.read_bytes().count(b"\n") == 2
    seen = read_history(path)[0][0].what
    assert isinstance(seen, ServiceSeen)
    assert msgspec.json.decode(seen.raw) == {"ID": "1"}


def test_a_history_cut_anywhere_gives_its_whole_lines(tmp_path: Path) -> None:
    path = written_by(tmp_path, Note(text="é"), Note(text="two"))
    content = path.read_bytes()
    for length in range(len(content) + 1):
        path.write_bytes(content[:length])
        records, torn = read_history(path)
        lines = content[:length].count(b"\n")
        assert len(records) == max(0, lines - 1)
        assert torn == (length > 0 and content[length - 1 : length] != b"\n")


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"null",
        b'{"seq":1}',
        b"\0\0\0",
        b'{"seq":1,"source":"\xff","happened_s":0,"seen_s":0,"what":{"type":"note","text":""}}',
        b'{"seq":1,"source":"","happened_s":0,"seen_s":0,"what":{"type":"unheard of"}}',
    ],
)
def test_a_damaged_line_before_the_last_is_an_error(tmp_path: Path, damage: bytes) -> None:
    path = written_by(tmp_path, *(Note(text=str(n)) for n in range(4)))
    lines = path.read_bytes().split(b"\n")
    lines[3] = damage
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(LabError, match=r"history\.jsonl, line 4 is damaged: "):
        read_history(path)


def test_a_history_says_its_schema_and_one_of_a_newer_schema_is_not_read(tmp_path: Path) -> None:
    path = written_by(tmp_path, Note(text="one"))
    content = path.read_bytes()
    assert content.startswith(b'{"schema":2}\n')
    path.write_bytes(content.replace(b'{"schema":2}', b'{"schema":3}'))
    with pytest.raises(NewerSchema, match="written by schema 3, this stamplab reads up to 2"):
        read_history(path)


def test_a_history_that_has_lost_its_first_line_is_not_taken_for_an_old_one(tmp_path: Path) -> None:
    path = written_by(tmp_path, Note(text="one"), StageBegan(stage="upgrade"))
    path.write_bytes(path.read_bytes().partition(b"\n")[2])
    with pytest.raises(LabError, match=r"no first line that says its schema, .* \(seq 1\)"):
        read_history(path)


@pytest.mark.parametrize("content", [b"", b'{"sche', b'{"schema":2}\n'])
def test_a_history_may_be_cut_before_its_first_record(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(content)
    assert read_history(path) == ([], content == b'{"sche')


def test_no_history_is_an_error_that_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"missing\.jsonl: No such file or directory"):
        read_history(tmp_path / "missing.jsonl")
