"""``stamplab explore`` and ``stamplab replay``: exit codes, what is printed, what is kept."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec
import psutil
import pytest
from click.testing import CliRunner

from stamplab.cli import explore, main
from stamplab.cli.explore import shares
from stamplab.lab.errors import LabError, NotPossibleHere
from stamplab.lab.faults.memory_pressure import Squeeze
from stamplab.lab.model.history_file import read_history
from stamplab.lab.recipe.resolver import Resolver
from stamplab.runner.evidence import Manifest
from stamplab.runner.worlds import Virtual
from stamplab.search.explorable import REFERENCE
from stamplab.search.laws import LAWS
from stamplab.search.parallel import SearchRequest, SearchResult
from stamplab.search.schedule import Kept, keep, read_kept
from stamplab.search.search import BrokenLaw
from tests.unit.lab.support.test_jsonl_process import has_ended
from tests.unit.stamplab.search import workers
from tests.unit.stamplab.search.trials import but

INCIDENT = but(REFERENCE, pressure=Squeeze(short_by=0.5), hc1_pause_s=60.0)
FOUND = BrokenLaw(
    law="true-reason",
    broken="the swarm rolled back, and: (HC1)",
    schedule=INCIDENT,
    after_examples=12,
    shrunk_by=34,
)
KEPT = Kept(
    scenario="discourse",
    law="true-reason",
    guard=False,
    broken=FOUND.broken,
    in_words="the field's case",
    schedule=INCIDENT,
)
EXPLORE = ("explore", "discourse", "--jobs", "1")
REPLAY = ("replay", "--world", "virtual")


class Ran:
    """A command that was run: its exit code and its words."""

    def __init__(self, *arguments: str, runs: Path) -> None:
        argv = [*arguments, "--runs", str(runs)]
        result = CliRunner().invoke(main.stamplab, argv, standalone_mode=False)
        self.error = result.exception
        self.code = result.return_value if result.exception is None else exit_code(self.error)
        self.out = result.stdout
        self.err = result.stderr

    @property
    def json(self) -> dict[str, Any]:
        return msgspec.json.decode(self.out, type=dict[str, Any])


def exit_code(error: BaseException | None) -> int:
    """As `cli.main` has it."""
    if isinstance(error, click.ClickException):
        return 64
    assert isinstance(error, LabError), repr(error)
    return error.exit_code


def run(runs: Path, *arguments: str) -> Ran:
    return Ran(*arguments, runs=runs)


def finding(monkeypatch: pytest.MonkeyPatch, *broken_laws: BrokenLaw) -> list[SearchRequest]:
    """Let the search come to this at once; what it was asked for is noted."""
    asked: list[SearchRequest] = []

    def search(
        request: SearchRequest, on_progress: Callable[[Counter[str], float], None]
    ) -> SearchResult:
        asked.append(request)
        outcomes = Counter({"converged": 30, "rolled back": 10})
        on_progress(outcomes, 0.5)
        return SearchResult(broken=broken_laws, examples=40, took_s=0.5, outcomes=dict(outcomes))

    monkeypatch.setattr(explore, "search", search)
    return asked


# Where nothing is broken.


@pytest.fixture
def unbuilt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is built for a search whose plays are made up."""
    nothing = Virtual(swarmsim=Path("nothing"), resolver=Resolver(Path("nothing")))
    monkeypatch.setattr(explore, "virtual", lambda _: nothing)


@pytest.mark.usefixtures("unbuilt")
def test_laws_that_held_are_exit_code_0(tmp_path: Path) -> None:
    with workers.playing(workers.converged):
        ran = run(tmp_path, *EXPLORE, "--examples", "20", "--quiet")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0].startswith("20 schedules (")
    assert lines[0].endswith("/s): 100% converged")
    assert [line.split()[:2] for line in lines[1:-1]] == [["held:", name] for name in LAWS]
    assert lines[-1].startswith(f"evidence: {tmp_path / 'explore-discourse'}")
    assert ran.err == ""


@pytest.mark.usefixtures("unbuilt")
def test_as_json_it_is_what_the_evidence_holds(tmp_path: Path) -> None:
    with workers.playing(workers.converged):
        ran = run(tmp_path, *EXPLORE, "--examples", "20", "--json", "--law", "fix")
    assert ran.code == 0
    assert (ran.json["held"], ran.json["broken"], ran.json["examples"]) == (["fix"], [], 20)
    assert ran.json["outcomes"] == {"converged": 20}
    kept = (tmp_path / "explore-discourse" / "latest" / "verdict.json").read_bytes()
    assert msgspec.json.decode(kept) == ran.json
    manifest = tmp_path / "explore-discourse" / "latest" / "manifest.json"
    text = msgspec.json.decode(manifest.read_bytes(), type=Manifest)
    assert (text.scenario, text.world) == ("explore-discourse", "virtual")
    assert ran.json["quest"].items() <= text.options.items()


@pytest.mark.usefixtures("unbuilt")
def test_the_search_is_what_was_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = finding(monkeypatch)
    run(tmp_path, *EXPLORE)
    options = ["--law", "fix", "--law", "no-false-red", "--guard", "off", "--seed", "9"]
    run(tmp_path, "explore", "discourse", *options, "--from-scratch", "--examples", "3")
    run(tmp_path, "explore", "discourse", "--examples", "3", "--jobs", "8")
    usual = SearchRequest(scenario="discourse", laws=tuple(LAWS), guard=True, examples=1000)
    assert asked[0] == usual
    assert asked[2] == but(usual, examples=3, jobs=3)
    assert but(asked[1], jobs=1) == SearchRequest(
        scenario="discourse",
        laws=("fix", "no-false-red"),
        guard=False,
        examples=3,
        seed=9,
        from_scratch=True,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("explore", "nextcloud"),
        ("explore",),
        (*EXPLORE, "--law", "gravity"),
        (*EXPLORE, "--examples", "0"),
        (*EXPLORE, "--jobs", "0"),
        (*EXPLORE, "--guard", "maybe"),
        ("replay",),
        ("replay", "x", "--world", "third"),
    ],
)
def test_what_makes_no_sense_is_exit_code_64(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert run(tmp_path, *arguments).code == 64
    assert list(tmp_path.iterdir()) == []


def test_no_virtual_world_exits_77(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: object) -> None:
        raise NotPossibleHere("there is no go on PATH")

    monkeypatch.setattr(explore, "virtual", missing)
    asked = finding(monkeypatch)
    assert run(tmp_path, *EXPLORE).code == 77
    assert asked == []


@pytest.mark.usefixtures("unbuilt")
def test_a_failing_apparatus_exits_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> SearchResult:
        raise LabError("swarmsim ended")

    monkeypatch.setattr(explore, "search", fails)
    assert run(tmp_path, *EXPLORE).code == 2


def test_shares_are_most_frequent_first_and_of_nothing_there_are_none() -> None:
    assert shares({"paused": 1, "converged": 3}) == "75% converged, 25% paused"
    assert shares({}) == ""


# Where something is.


@pytest.fixture(scope="module")
def explored(virtual: Virtual, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, Path]:
    """A search that has come to three finds, and where its evidence is."""
    del virtual
    runs = tmp_path_factory.mktemp("somewhere else")
    known = but(FOUND, law="no-false-green", after_examples=0, shrunk_by=0)
    seldom = but(FOUND, law="fix", repeatable=False)
    with pytest.MonkeyPatch.context() as patched:
        finding(patched, FOUND, known, seldom)
        return run(runs, *EXPLORE, "--guard", "off"), runs


def test_a_find_is_exit_code_1_and_told(explored: tuple[Ran, Path]) -> None:
    ran, _ = explored
    assert ran.code == 1, ran.error
    assert "40 schedules (80/s): 75% converged, 25% rolled back\n" in ran.out
    assert "BROKEN: true-reason (" in ran.out
    assert "), after 12 schedules, and 34 more\n" in ran.out
    assert "held: no-false-red (" in ran.out
    assert "held: true-reason" not in ran.out
    assert "memory short by 50% of OLD's" in ran.out
    assert "\n       0.000  the service's update state is updating\n" in ran.out
    assert "OOM kill of a task" in ran.out


def test_known_and_unrepeatable_finds_are_told_apart(explored: tuple[Ran, Path]) -> None:
    parts = explored[0].out.split("BROKEN: ")[1:]
    known = ["), known before, and 0 more\n" in part for part in parts]
    seldom = ["not repeatable: the same schedule ended otherwise" in part for part in parts]
    assert known == [False, True, False]
    assert seldom == [False, False, True]


def test_a_find_is_kept_with_its_sentence_and_its_history(explored: tuple[Ran, Path]) -> None:
    ran, runs = explored
    kept = read_kept(runs / "schedules" / f"{INCIDENT.id}.json")
    assert kept.schedule == INCIDENT
    assert kept.in_words in ran.out
    for law in ("true-reason", "no-false-green", "fix"):
        folder = runs / "explore-discourse" / "latest" / law
        records, is_torn = read_history(folder / "history.jsonl")
        assert len(records) > 50
        assert not is_torn


# Replays.


def test_the_printed_command_plays_it_again_anywhere(explored: tuple[Ran, Path]) -> None:
    """With git, files, and the resolver, instead of a rehearsal; and twice it is the same."""
    ran, runs = explored
    keep(KEPT, runs / "schedules")
    printed = ran.out.partition("play it again:\n")[2].splitlines()[:2]
    virtually, live = map(shlex.split, printed)
    assert live == [*virtually, "--world", "live"]
    argv = [*virtually[1:], "--world", "virtual", "--json"]
    plays = [CliRunner().invoke(main.stamplab, argv, standalone_mode=False) for _ in range(2)]
    assert [play.return_value for play in plays] == [0, 0], plays[0].exception
    text = [msgspec.json.decode(play.stdout, type=dict[str, Any]) for play in plays]
    assert [(case["verdict"], case["world"]) for case in text] == [("broken again", "virtual")] * 2
    assert (text[0]["law"], text[0]["was"]) == ("true-reason", FOUND.broken)
    assert text[0]["broken"].startswith("the swarm rolled back at ")
    assert "the field's case" in plays[0].stderr
    moments = [(case["at_s"], case["what"]) for case in text[0]["timeline"]]
    assert (0.0, "the service's update state is updating") in moments
    assert text[1]["timeline"] == text[0]["timeline"]
    folders = [Path(case["evidence"]) for case in text]
    assert {folder.parent for folder in folders} == {runs / f"replay-{INCIDENT.id}"}
    first, second = ((folder / "history.jsonl").read_bytes() for folder in folders)
    assert first == second
    assert msgspec.json.decode((folders[0] / "verdict.json").read_bytes()) == text[0]
    assert msgspec.json.decode((folders[0] / "manifest.json").read_bytes())["world"] == "virtual"


def test_what_holds_by_now_is_exit_code_1(virtual: Virtual, tmp_path: Path) -> None:
    del virtual
    path = keep(but(KEPT, guard=True), tmp_path)
    ran = run(tmp_path, *REPLAY, str(path))
    assert ran.code == 1
    assert "true-reason (virtual, SwarmKit v2.0.0): it held\n" in ran.out
    assert "upgrade: fail: head spec applied then swarm-rolled-back" in ran.out
    assert "evidence: " in ran.out


def test_live_is_never_replaced_by_virtual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_engine(_: object) -> None:
        raise NotPossibleHere("there is no dockerd on PATH")

    monkeypatch.setattr("stamplab.lab.live.lab.prepare", no_engine)
    path = keep(KEPT, tmp_path)
    ran = run(tmp_path, "replay", "--world", "live", str(path))
    assert ran.code == 77
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("id_", ["0123456789", "", "**", "[a", "../x", "/x/y"])
def test_what_nobody_has_kept_cannot_be_played(tmp_path: Path, id_: str) -> None:
    ran = run(tmp_path, *REPLAY, id_)
    assert ran.code == 64
    assert "is kept in" in str(ran.error)


@pytest.mark.parametrize(
    ("kept", "text"),
    [
        (but(KEPT, law="gravity"), "there is no law 'gravity'; there are: no-false-green"),
        (but(KEPT, scenario="nextcloud"), "'nextcloud' cannot be explored"),
    ],
)
def test_a_schedule_of_nothing_known_is_bad_usage(tmp_path: Path, kept: Kept, text: str) -> None:
    path = keep(kept, tmp_path)
    ran = run(tmp_path, *REPLAY, str(path))
    assert ran.code == 64
    assert text in str(ran.error)
    assert list(tmp_path.iterdir()) == [path]


def test_a_damaged_file_is_too(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("{")
    assert run(tmp_path, *REPLAY, str(path)).code == 64


# Ctrl-C.


def test_ctrl_c_leaves_no_process_and_no_scratch(
    virtual: Virtual, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Sent to all of them, as a terminal does."""
    tmp_path = tmp_path_factory.mktemp("c")  # short, for there would be sockets in it
    labs = tmp_path / "labs"
    command = [sys.executable, "-P", "-m", "stamplab", "explore", "discourse"]
    options = ["--jobs", "2", "--examples", "1000000", "--runs", str(tmp_path / "runs")]
    with subprocess.Popen(
        [*command, *options],
        env={**os.environ, "STAMPLAB_DIR": str(labs)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        started = wait_for_programs(process, virtual.swarmsim, count=2)
        os.killpg(process.pid, signal.SIGINT)
        _, text = process.communicate(timeout=60)
    assert process.returncode == 130, text
    assert "Traceback" not in text
    assert [pid for pid in started if not has_ended(pid)] == []
    assert not labs.exists()
    assert (tmp_path / "runs" / "explore-discourse" / "latest" / "manifest.json").exists()


def wait_for_programs(process: subprocess.Popen[str], program: Path, *, count: int) -> list[int]:
    """Wait until so many of a program run under a process, and give all that run there then."""
    deadline_s = time.monotonic() + 120
    while time.monotonic() < deadline_s and process.poll() is None:
        children = psutil.Process(process.pid).children(recursive=True)
        if sum(is_of(case, program) for case in children) == count:
            return [case.pid for case in children]
        time.sleep(0.1)
    process.kill()
    raise AssertionError(f"{program} does not run: {process.communicate()}")


def is_of(process: psutil.Process, program: Path) -> bool:
    try:
        return process.cmdline()[:1] == [str(program)]
    except psutil.NoSuchProcess:
        return False
