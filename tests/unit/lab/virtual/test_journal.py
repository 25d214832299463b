"""A history in memory holds the very lines that one on disk would."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stamplab.lab.model.history import Note, Observation, Record, ServiceSeen
from stamplab.lab.model.history_file import HistoryWriter, encode_history, read_history
from stamplab.lab.virtual.journal import MemoryJournal, VirtualClock
from tests.unit.lab.golden import service, swarm_json
from tests.unit.lab.test_history import SAMPLES

moments = st.floats(0, 1e6)
rows = st.lists(
    st.tuples(moments, st.sampled_from(SAMPLES), st.none() | moments), min_size=1, max_size=8
)
Row = tuple[float, Observation, float | None]


def both(folder: Path, row: list[Row]) -> tuple[MemoryJournal, HistoryWriter]:
    """The same observations, put into either at the same times."""
    clock = VirtualClock()
    path = folder / "history.jsonl"
    path.unlink(missing_ok=True)
    remembered, written = MemoryJournal(clock), HistoryWriter(path, clock.now_s)
    for seen_s, what, happened_s in row:
        clock.move_to(seen_s)
        for journal in (remembered, written):
            journal.append("a source", what, happened_s)
    written.close()
    return remembered, written


def lines(remembered: MemoryJournal) -> bytes:
    return encode_history(remembered.records)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(row=rows)
def test_the_same_observations_make_the_same_lines(tmp_path: Path, row: list[Row]) -> None:
    remembered, written = both(tmp_path, row)
    assert lines(remembered) == written.path.read_bytes()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_so_does_every_kind_of_them(tmp_path: Path, sample: Observation) -> None:
    remembered, written = both(tmp_path, [(0.1234567, sample, 0.1)])
    assert lines(remembered) == written.path.read_bytes()
    assert len(lines(remembered).splitlines()) == 2


def test_an_answer_of_several_lines_is_one_line_of_either(tmp_path: Path) -> None:
    raw = msgspec.Raw(swarm_json("updating"))
    assert b"\n" in bytes(raw)
    observation = ServiceSeen(name="shop_web", service=service("updating"), raw=raw)
    remembered, written = both(tmp_path, [(1.0, observation, None)])
    assert lines(remembered) == written.path.read_bytes()
    assert lines(remembered).count(b"\n") == 2


def test_what_is_remembered_can_be_read_back_as_a_history(tmp_path: Path) -> None:
    remembered, _ = both(tmp_path, [(number, what, None) for number, what in enumerate(SAMPLES)])
    path = tmp_path / "again.jsonl"
    path.write_bytes(lines(remembered))
    read, is_torn = read_history(path)
    assert not is_torn
    assert [(r.seq, r.seen_s, r.source) for r in read] == [
        (r.seq, r.seen_s, r.source) for r in remembered.records
    ]


def test_either_gives_each_record_once_and_in_order(tmp_path: Path) -> None:
    notes: list[Row] = [(float(n), Note(text=str(n)), None) for n in range(3)]
    for journal in both(tmp_path, notes):
        taken = [journal.take(0.0) for _ in range(4)]
        assert taken[-1] is None
        assert [text_of(record) for record in taken[:3]] == ["0", "1", "2"]


def text_of(record: Record | None) -> str:
    assert record is not None
    assert isinstance(record.what, Note)
    return record.what.text


def test_a_journal_in_memory_waits_for_nothing() -> None:
    journal = MemoryJournal(VirtualClock())
    assert journal.take(1e9) is None
    journal.append("lab", Note(text="now"))
    assert text_of(journal.take(1e9)) == "now"


def test_the_clock_never_goes_back() -> None:
    clock = VirtualClock()
    assert clock.now_s() == 0
    for to_s, now_s in ((2.5, 2.5), (1.0, 2.5), (2.5, 2.5), (3.0, 3.0)):
        clock.move_to(to_s)
        assert clock.now_s() == now_s
