"""Which world a command gets: what was asked for, or what there is; never another in silence."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from stamplab.cli import main
from stamplab.lab.errors import LabError, NeedsRoot, NotPossibleHere, UsageError
from stamplab.lab.live.lab import Apparatus
from stamplab.lab.model.history import Note
from stamplab.lab.model.history_file import read_history
from stamplab.lab.recipe.resolver import Resolver
from stamplab.lab.virtual.swarmsim import SWARMSIM
from stamplab.runner import worlds
from stamplab.runner.worlds import Live, Means, Opening, Virtual, Which, choose
from tests.unit.stamplab.playing import APPARATUS

VIRTUAL = Virtual(swarmsim=Path("swarmsim"), resolver=Resolver(Path("stackspec")))
Outcome = LabError | None
"""Of looking whether a world can be had: what is lacking, or nothing."""

NO_LIVE = NotPossibleHere("there is no dockerd on PATH")
NO_ROOT = NeedsRoot("a lab needs root")
NO_VIRTUAL = NotPossibleHere("there is no go on PATH")
BROKEN = LabError("the daemon died")


class Machine:
    """A machine on which either world can be had or not, and what a command there says."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, live: Outcome = None, virtual: Outcome = None
    ) -> None:
        self.lines: list[str] = []
        self.looked: list[str] = []
        self.engines: list[Path | None] = []
        self._lacks = {"live": live, "virtual": virtual}
        monkeypatch.setattr("stamplab.lab.live.lab.prepare", self._prepare)
        monkeypatch.setattr(worlds, "virtual", self._virtual)
        monkeypatch.setattr(worlds, "sudo_command_line", lambda: "sudo stamplab the same")

    def _look(self, world: str) -> None:
        self.looked.append(world)
        missing = self._lacks[world]
        if missing is not None:
            raise missing

    def _prepare(self, engine: Path | None) -> Apparatus:
        self.engines.append(engine)
        self._look("live")
        return APPARATUS

    def _virtual(self, on_progress: Callable[[str], None]) -> Virtual:
        del on_progress
        self._look("virtual")
        return VIRTUAL

    def choose(self, which: Which, engine: Path | None = None, *live_only: str) -> Means:
        return choose(which, engine, self.lines.append, live_only)

    @property
    def words(self) -> str:
        return "\n".join(self.lines)


MakeMachine = Callable[..., Machine]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> MakeMachine:
    return partial(Machine, monkeypatch)


# Where both can be had.


@pytest.mark.parametrize("which", ["auto", "live"])
def test_live_is_what_one_gets_where_it_can_be_had(machine: MakeMachine, which: Which) -> None:
    there = machine()
    assert there.choose(which) == Live(APPARATUS)
    assert there.looked == ["live"]
    assert there.lines == []


def test_virtual_is_what_one_gets_who_asks_for_it(machine: MakeMachine) -> None:
    there = machine()
    assert there.choose("virtual") is VIRTUAL
    assert there.looked == ["virtual"]
    assert there.lines == []


def test_an_engine_that_was_named_is_the_one_that_is_prepared(machine: MakeMachine) -> None:
    there = machine()
    assert there.choose("auto", Path("engine")) == Live(APPARATUS)
    assert there.engines == [Path("engine")]


# Where live cannot be had.


@pytest.mark.parametrize("missing", [NO_LIVE, NO_ROOT])
def test_who_asked_for_live_gets_no_other(machine: MakeMachine, missing: NotPossibleHere) -> None:
    there = machine(live=missing)
    with pytest.raises(type(missing), match=str(missing)):
        there.choose("live")
    assert there.looked == ["live"]


@pytest.mark.parametrize("option", ["--keep", "--abra"])
def test_nor_does_who_gave_an_option_that_only_live_has(machine: MakeMachine, option: str) -> None:
    there = machine(live=NO_LIVE)
    with pytest.raises(NotPossibleHere, match=str(NO_LIVE)):
        there.choose("auto", None, option)
    assert there.looked == ["live"]


def test_nor_does_who_named_an_engine(machine: MakeMachine) -> None:
    there = machine(live=NO_LIVE)
    with pytest.raises(NotPossibleHere, match=str(NO_LIVE)):
        there.choose("auto", Path("engine"))
    assert there.looked == ["live"]


def test_who_asked_for_nothing_gets_virtual_and_hears_of_it(machine: MakeMachine) -> None:
    there = machine(live=NO_LIVE)
    assert there.choose("auto") is VIRTUAL
    assert there.lines[0] == f"NOT LIVE: {NO_LIVE}."
    assert "virtual time" in there.words
    assert "stamplab doctor" in there.words
    assert "sudo" not in there.words


def test_who_is_not_root_hears_how_to_be(machine: MakeMachine) -> None:
    there = machine(live=NO_ROOT)
    assert there.choose("auto") is VIRTUAL
    assert there.lines[-1] == "For the live world: sudo stamplab the same"


@pytest.mark.parametrize("broken", [BROKEN, UsageError("STAMPLAB_ENGINE names nothing")])
def test_a_failing_apparatus_gets_no_other(machine: MakeMachine, broken: LabError) -> None:
    there = machine(live=broken)
    with pytest.raises(type(broken), match=str(broken)):
        there.choose("auto")
    assert there.looked == ["live"]


# Where virtual cannot be had.


@pytest.mark.parametrize("missing", [NO_VIRTUAL, BROKEN])
def test_who_asked_for_virtual_gets_no_other(machine: MakeMachine, missing: LabError) -> None:
    there = machine(virtual=missing)
    with pytest.raises(type(missing), match=str(missing)):
        there.choose("virtual")
    assert there.looked == ["virtual"]


@pytest.mark.parametrize("missing", [NO_LIVE, NO_ROOT])
def test_where_neither_can_be_had_both_say_why(
    machine: MakeMachine, missing: NotPossibleHere
) -> None:
    there = machine(live=missing, virtual=NO_VIRTUAL)
    with pytest.raises(NotPossibleHere) as raised:
        there.choose("auto")
    assert str(missing) in str(raised.value)
    assert str(NO_VIRTUAL) in str(raised.value)
    assert type(raised.value) is type(missing)
    assert raised.value.exit_code == 77
    assert "NOT LIVE" not in there.words


def test_a_virtual_world_that_fails_is_no_lack_of_this_machine(machine: MakeMachine) -> None:
    there = machine(live=NO_LIVE, virtual=BROKEN)
    with pytest.raises(LabError, match="the daemon died") as raised:
        there.choose("auto")
    assert raised.value.exit_code == 2


# What cannot go together.


@pytest.mark.parametrize(
    ("engine", "options", "named"),
    [
        (Path("engine"), (), "--engine"),
        (None, ("--keep",), "--keep"),
        (None, ("--abra",), "--abra"),
    ],
)
def test_virtual_with_an_option_of_live_is_a_contradiction(
    machine: MakeMachine, engine: Path | None, options: tuple[str, ...], named: str
) -> None:
    there = machine()
    with pytest.raises(UsageError, match=f"{named} is of the live world.*--world virtual"):
        there.choose("virtual", engine, *options)
    assert there.looked == []


@pytest.mark.parametrize("option", ["--keep", "--engine=engine"])
def test_a_command_says_so_before_it_does_anything(tmp_path: Path, option: str) -> None:
    words = ["repro", "discourse", "--world", "virtual", "--runs", str(tmp_path), option]
    (tmp_path / "engine").mkdir()
    with pytest.raises(UsageError, match=f"{option.partition('=')[0]} is of the live world"):
        CliRunner().invoke(main.stamplab, words, standalone_mode=False, catch_exceptions=False)


# What the evidence says of either.


def test_the_evidence_says_what_played_the_swarm() -> None:
    live, other = Live(APPARATUS).engine, VIRTUAL.engine
    assert (live.world, live.version, live.source) == ("live", "20.10.24", "a test")
    assert (other.world, other.version) == ("virtual", f"SwarmKit {worlds.SWARMKIT}")
    assert (live.cgroup_version, other.cgroup_version) == (1, 0)


def test_the_version_is_the_one_that_swarmsim_is_made_of() -> None:
    module = (SWARMSIM.sources / "go.mod").read_text()
    assert f"github.com/moby/swarmkit/v2 {worlds.SWARMKIT}" in module


def test_the_images_of_the_virtual_world_have_every_command() -> None:
    assert VIRTUAL.with_commands(("curl", "pg_isready")) is VIRTUAL


def test_a_virtual_world_writes_its_history_and_leaves_no_scratch(
    virtual: Virtual, tmp_path: Path
) -> None:
    lines: list[object] = []
    opening = Opening(service="app", on_record=lambda record: lines.append(record.what))
    with virtual.open(tmp_path, opening) as (world, scratch):
        assert scratch.is_dir()
        world.record(Note(text="here"))
        assert world.next(5.0) is not None
    assert not scratch.exists()
    records, is_torn = read_history(tmp_path / "history.jsonl")
    assert not is_torn
    assert [msgspec.json.encode(record.what) for record in records] == list(
        map(msgspec.json.encode, lines)
    )
    assert Note(text="here") in lines
