"""``stamplab repro discourse`` as a user meets it: its output, its exit codes, its manners."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import msgspec
import pytest

from stamplab.lab.live.lab import Apparatus
from stamplab.render import Screen
from stamplab.runner.worlds import Virtual
from tests.cli.reproduction import REPRO, ROOT, assert_ten_of_ten, clean, run
from tests.live import traces
from tests.programs import Command, python

ASKED_FOR = ("repro", "discourse", "--world", "live", "--runs", "my runs")
WITHOUT_GROUPS = (
    *("unshare", "--mount", "--propagation=private", "sh", "-c"),
    'umount --recursive --lazy /sys/fs/cgroup && exec "$@"',
    "-",
)


@pytest.mark.live
def test_without_pressure_it_says_what_is_missing(apparatus: Apparatus, tmp_path: Path) -> None:
    done = run("--ample", "--claim=C4", "--json", "--quiet", folder=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr == ""
    report = msgspec.json.decode(done.stdout)
    assert report["verdict"] == "fail"
    assert report["reproduced"].startswith("not reproduced: missing sign «rolled back» (seen: ")


INTO_A_FINALIZER = """
import os, signal, sys, time
import click
from stamplab.cli import main as cli

class Closing:
    def __del__(self):
        os.kill(os.getpid(), getattr(signal, sys.argv[1]))
        time.sleep(0.01)

def work():
    Closing()
    time.sleep(60)

cli.stamplab = click.command()(work)
cli.main([])
"""


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_an_interrupt_that_falls_into_a_finalizer_is_not_lost(name: str, code: int) -> None:
    """Python ignores what is raised there, and GitPython, for one, has long finalizers."""
    done = python("-c", INTO_A_FINALIZER, name, timeout_s=50)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


INTO_A_CONSTRUCTOR = """
import os, signal, sys, time
import click
from stamplab.cli import main as cli

class HalfMade:
    def __init__(self):
        if "in a cycle" in sys.argv:
            self.itself = self
        if len(sys.argv) > 1:
            os.kill(os.getpid(), getattr(signal, sys.argv[1]))
            time.sleep(60)

    def __del__(self):
        self.opened_later.close()

cli.stamplab = click.command()(lambda: HalfMade() and None)
cli.main([])
"""


@pytest.mark.parametrize(
    ("words", "code"),
    [(("SIGINT",), 130), (("SIGINT", "in a cycle"), 130), (("SIGTERM",), 143), ((), 0)],
)
def test_a_half_made_object_is_silent_after_an_interrupt(words: tuple[str, ...], code: int) -> None:
    """GitPython's configuration reader does; without an interrupt it is a fault, and is shown."""
    done = python("-c", INTO_A_CONSTRUCTOR, *words, timeout_s=50)
    assert done.returncode == code, done.stderr
    assert ("AttributeError" in done.stderr) is (code == 0)


@pytest.mark.live
def test_a_full_disk_exits_2_with_one_sentence(apparatus: Apparatus, tmp_path: Path) -> None:
    before = traces.everything()
    script = 'mount -t tmpfs -o size=64k tmpfs "$0" && exec "$@"'
    full = tmp_path / "full"
    full.mkdir()
    done = run(
        f"--runs={full}",
        folder=tmp_path,
        prefix=("unshare", "--mount", "--propagation=private", "sh", "-c", script, str(full)),
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "No space left on device" in clean(done).splitlines()[-1]
    assert traces.left_since(before) == {}


@pytest.mark.live
def test_no_memory_controller_is_said_in_one_sentence(apparatus: Apparatus, tmp_path: Path) -> None:
    done = run("--world", "live", folder=tmp_path, prefix=WITHOUT_GROUPS)
    assert done.returncode == 77, done.stdout + done.stderr
    assert "no memory control group" in clean(done).splitlines()[-1]


@pytest.mark.live
def test_where_no_live_lab_can_run_it_is_played_in_virtual_time_and_said_loudly(
    apparatus: Apparatus, virtual: Virtual, tmp_path: Path
) -> None:
    done = run("--claim", "C4", "--claim", "C7", folder=tmp_path, prefix=WITHOUT_GROUPS)
    assert done.returncode == 0, done.stdout + done.stderr
    message = clean(done)
    assert "NOT LIVE: " in message
    assert "no memory control group" in message
    assert "by the real SwarmKit in virtual time" in message
    manifests = list((tmp_path / "runs" / "repro-discourse" / "latest").rglob("manifest.json"))
    assert {msgspec.json.decode(claim.read_bytes())["world"] for claim in manifests} == {"virtual"}


@pytest.mark.live
def test_a_long_socket_path_is_said_in_one_sentence(apparatus: Apparatus, tmp_path: Path) -> None:
    done = python(*REPRO, folder=tmp_path, STAMPLAB_DIR=str(tmp_path / ("long" * 30)))
    assert done.returncode == 2, done.stdout + done.stderr
    assert "set STAMPLAB_DIR to a shorter folder" in clean(done).splitlines()[-1]


def test_not_root_exits_77_and_says_the_command_for_root(tmp_path: Path) -> None:
    script = "import os, sys; os.geteuid = lambda: 1000\nfrom stamplab.cli.main import main; main()"
    done = python("-c", script, *ASKED_FOR, folder=tmp_path)
    assert done.returncode == 77
    sentence, command = done.stderr.splitlines()
    assert "needs root" in sentence
    assert command == f"  sudo {ROOT / 'run'} {shlex.join(ASKED_FOR)}"


@pytest.mark.skipif(
    os.geteuid() != 0, reason="not root: that is said before engines are looked for"
)
def test_no_engine_exits_77_and_names_what_is_missing(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "sh").symlink_to("/bin/sh")
    cache = str(tmp_path / "c")
    words = (*REPRO, f"--engine={tools}")
    done = python(*words, folder=tmp_path, PATH=str(tools), STAMPLAB_CACHE=cache)
    assert done.returncode == 77
    assert "dockerd, docker, containerd" in clean(done).splitlines()[-1]


def test_a_reader_that_goes_away_is_no_verdict() -> None:
    with pytest.raises(BrokenPipeError):
        Screen().on_broken_pipe()


@pytest.mark.parametrize("word", ["--trials=none", "--memory-scale=-1", "surplus"])
def test_bad_usage_exits_64(stamplab: Command, word: str) -> None:
    assert stamplab("repro", "discourse", "--fast", word).code == 64


@pytest.mark.live
@pytest.mark.deep
@pytest.mark.timeout(1800)
def test_ten_of_ten_are_reproduced_and_ten_of_ten_fixed(
    apparatus: Apparatus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run("--trials=10", "--quiet", folder=tmp_path, timeout_s=1700)
    with capsys.disabled():
        assert_ten_of_ten(done)
