"""The client of swarmsim: what it asks, and one sentence for every way in which that may fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from stamplab.lab.errors import LabError
from stamplab.lab.recipe.resolver import SwarmObject
from stamplab.lab.support import jsonl_process
from stamplab.lab.virtual import swarmsim
from stamplab.lab.virtual.conditions import NodeOptions
from stamplab.lab.virtual.sim_events import ContainerEvent, OutOfMemory, StoreCommit, TimeStep
from stamplab.lab.virtual.swarmsim import SwarmRefused, SwarmSim
from tests.scripts import script
from tests.unit.lab.support.test_jsonl_process import has_ended

OK = '{"ok":{}}'
ALWAYS = "while read -r line; do {}; done"

Start = Callable[[str], SwarmSim]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a program in sh; in the end it is closed, and gone, whatever came of it."""
    started: list[SwarmSim] = []

    def begin(lines: str) -> SwarmSim:
        started.append(SwarmSim(script(tmp_path / "swarmsim", lines)))
        return started[-1]

    yield begin
    for sim in started:
        sim.close()
        assert not psutil.pid_exists(sim.pid)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not end by itself is not waited for."""
    monkeypatch.setattr(jsonl_process, "_END_TIMEOUT_S", 0.1)


def answering(answer: str) -> str:
    """A program that says the same to everything."""
    return ALWAYS.format(f"printf '%s\\n' '{answer}'")


def noting(folder: Path, answer: str = OK) -> str:
    """One that says the same to everything, and writes down what it was asked."""
    return ALWAYS.format(f"""printf '%s\\n' "$line" >>{folder}/asked; printf '%s\\n' '{answer}'""")


def asked(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "asked").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=dict[str, Any]) for line in lines]


# What it asks.


def test_a_swarm_begins_with_its_seed_and_all_of_its_node(start: Start, tmp_path: Path) -> None:
    node = NodeOptions(prepare_s=0.5)
    start(noting(tmp_path)).begin(7, node)
    assert asked(tmp_path) == [{"do": "begin", "seed": 7, "node": msgspec.to_builtins(node)}]


def test_the_one_before_is_ended_first(start: Start, tmp_path: Path) -> None:
    sim = start(noting(tmp_path))
    for seed in range(3):
        sim.begin(seed, NodeOptions())
    assert [request["do"] for request in asked(tmp_path)] == [
        "begin",
        "end",
        "begin",
        "end",
        "begin",
    ]


def test_one_that_could_not_begin_is_not_ended(start: Start, tmp_path: Path) -> None:
    refuses = f"case $line in *1}}}}) echo '{{\"error\":\"no\"}}';; *) echo '{OK}';; esac"
    sim = start(ALWAYS.format(f"""printf '%s\\n' "$line" >>{tmp_path}/asked; {refuses}"""))
    sim.begin(0, NodeOptions(overhead_bytes=2))
    with pytest.raises(LabError):
        sim.begin(0, NodeOptions(overhead_bytes=1))
    sim.begin(0, NodeOptions(overhead_bytes=2))
    assert [request["do"] for request in asked(tmp_path)] == ["begin", "end", "begin", "begin"]


def test_what_each_request_looks_like(start: Start, tmp_path: Path) -> None:
    sim = start(noting(tmp_path))
    network = SwarmObject(id="n1", name="shop_internal", external=False)
    sim.provide(images={"b:1", "a:1"}, networks=[network], labels={"disk": "fast"})
    sim.update("s1", b'{"Name": "x"}')
    sim.update("s1", b'{"Name": "x"}', roll_back=True)
    sim.remove("s1")
    sim.set_limit(300)
    sim.set_limit(None)
    assert asked(tmp_path) == [
        {
            "do": "provide",
            "images": ["a:1", "b:1"],
            "labels": {"disk": "fast"},
            "secrets": [],
            "configs": [],
            "networks": [{"id": "n1", "name": "shop_internal"}],
        },
        {"do": "update", "service": "s1", "spec": {"Name": "x"}},
        {"do": "update", "service": "s1", "spec": {"Name": "x"}, "rollback": "previous"},
        {"do": "remove", "service": "s1"},
        {"do": "limit", "bytes": 300},
        {"do": "limit", "bytes": None},
    ]


def test_a_spec_goes_to_it_to_the_letter(start: Start, tmp_path: Path) -> None:
    sim = start(noting(tmp_path, '{"ok":{"id":"s1"}}'))
    assert sim.create(b'{"Name":  "x", "big": 12345678901234567890}') == "s1"
    assert b'{"Name":  "x", "big": 12345678901234567890}' in (tmp_path / "asked").read_bytes()


def test_what_happened_is_read_in_its_order(start: Start) -> None:
    events = (
        '{"at_s":1.5,"kind":"oom","container":"c","task":"t","process":"p","rss_bytes":1,'
        '"usage_bytes":2,"limit_bytes":3,"containers":{"c":1}},'
        '{"at_s":1.5,"kind":"container","action":"die","container":"c","task":"t","service":"s",'
        '"exit_code":137,"oom":true,"started_s":0.5,"unknown":0},'
        '{"at_s":1.5,"kind":"commit","services":[{"ID":"s1"}],"removed":[],"tasks":[],'
        '"removed_tasks":["t9"]}'
    )
    sim = start(answering(f'{{"ok":{{"now_s":1.5,"happened":[{events}]}}}}'))
    step = sim.advance(2)
    assert step.now_s == 1.5
    assert [type(event) for event in step.events] == [OutOfMemory, ContainerEvent, StoreCommit]
    _, ended, committed = step.events
    assert isinstance(ended, ContainerEvent)
    assert (ended.exit_code, ended.oom, ended.started_s) == (137, True, 0.5)
    assert isinstance(committed, StoreCommit)
    assert bytes(committed.services[0]) == b'{"ID":"s1"}'
    assert committed.removed_tasks == ("t9",)


def test_an_answer_may_be_long(start: Start) -> None:
    ids = ",".join(f'"{number:0100}"' for number in range(1500))
    commit = f'{{"at_s":1,"kind":"commit","removed_tasks":[{ids}]}}'
    sim = start(f"""read -r line; printf '{{"ok":{{"now_s":1,"happened":['
printf '{commit}'; sleep 0.05; printf ']}}}}\\n'; read -r line""")
    (event,) = sim.advance(1).events
    assert isinstance(event, StoreCommit)
    assert len(event.removed_tasks) == 1500


def test_nothing_has_happened_is_an_answer_too(start: Start) -> None:
    sim = start(answering('{"ok":{"now_s":2,"happened":[]}}'))
    assert sim.advance(2) == TimeStep(now_s=2, events=())


# How it fails.


def test_a_refusal_is_the_swarms_own_words(start: Start) -> None:
    sim = start(answering('{"refused":"rpc error: no such thing"}'))
    for ask in (lambda: sim.create(b"{}"), lambda: sim.update("s", b"{}"), lambda: sim.remove("s")):
        with pytest.raises(SwarmRefused, match=r"^rpc error: no such thing$"):
            ask()


def test_a_refusal_is_no_failure_of_the_apparatus() -> None:
    assert not issubclass(SwarmRefused, LabError)


def test_after_a_refusal_one_may_go_on_asking(start: Start) -> None:
    sim = start(f'read -r line; echo \'{{"refused":"no"}}\'\n{answering(OK)}')
    with pytest.raises(SwarmRefused):
        sim.remove("s1")
    sim.remove("s1")


def test_a_request_that_it_does_not_understand_is_an_error(start: Start) -> None:
    sim = start(answering('{"error":"there is no request advance"}'))
    with pytest.raises(LabError, match="did not understand: there is no request advance"):
        sim.advance(1)


def test_its_death_is_told_with_its_last_words(start: Start) -> None:
    sim = start("read -r line; echo 'panic: out of ideas' >&2; exit 3")
    with pytest.raises(LabError, match=r"ended by itself \(exit code 3\): panic: out of ideas"):
        sim.advance(1)


def test_one_that_says_no_word_is_said_to_have_said_none(start: Start) -> None:
    with pytest.raises(LabError, match=r"exit code 0\): no message"):
        start("read -r line").advance(1)


def test_one_that_was_dead_before_it_was_asked(start: Start) -> None:
    sim = start("exec 0<&-; echo no time >&2; exit 4")
    assert has_ended(sim.pid)
    with pytest.raises(LabError, match=r"exit code 4\): no time"):
        sim.advance(1)


def test_half_an_answer_is_none(start: Start) -> None:
    with pytest.raises(LabError, match="ended by itself"):
        start("read -r line; printf '{\"ok\":'").advance(1)


@pytest.mark.parametrize("garbage", ["hello", "{", '{"ok":7}', "[]", '{"ok":{"now_s":"x"}}', ""])
def test_an_answer_that_is_none_is_an_error_and_shown(start: Start, garbage: str) -> None:
    sim = start(answering(garbage))
    with pytest.raises(LabError, match="swarmsim answered in a way not understood"):
        sim.advance(1)


def test_no_answer_in_time_is_an_error(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swarmsim, "ANSWER_TIMEOUT_S", 0.2)
    with pytest.raises(LabError, match=r"swarmsim has not answered for 0.2 s"):
        start("read -r line; read -r line").advance(1)


def test_a_late_answer_is_not_the_next_ones(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    sim = start('read -r line; sleep 0.5; echo \'{"ok":{"id":"late"}}\'; read -r line; sleep 9')
    monkeypatch.setattr(swarmsim, "ANSWER_TIMEOUT_S", 0.1)
    with pytest.raises(LabError):
        sim.create(b"{}")
    monkeypatch.setattr(swarmsim, "ANSWER_TIMEOUT_S", 10)
    with pytest.raises(LabError):
        sim.create(b"{}")


@pytest.mark.usefixtures("hasty")
def test_one_that_closes_its_output_and_lives_on_is_ended(start: Start) -> None:
    sim = start("exec 1>&-; read -r line; exec sleep 60")
    with pytest.raises(LabError, match="ended"):
        sim.advance(1)


@pytest.mark.usefixtures("hasty")
def test_one_that_does_not_end_with_its_input_is_ended(start: Start) -> None:
    start(f"trap '' TERM\n{answering(OK)}\nexec sleep 60").remove("s1")


def test_closing_twice_is_closing(start: Start) -> None:
    sim = start(answering(OK))
    sim.close()
    sim.close()


def test_what_cannot_be_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="absent cannot be run: No such file"):
        SwarmSim(tmp_path / "absent")
