"""``stamplab repro discourse`` as a user meets it: its output, its exit codes, its manners."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil
import pytest

from stamplab.claims.abra_unchanged import abra_is_unchanged
from stamplab.claims.stamping import C2
from stamplab.lab.live.lab import Apparatus
from stamplab.render import Screen
from stamplab.runner.worlds import Virtual
from tests import PYTHON_PATH
from tests.live import traces

ROOT = Path(__file__).parents[2]
ASKED_FOR = ("repro", "discourse", "--world", "live", "--runs", "my runs")
WITHOUT_GROUPS = (
    *("unshare", "--mount", "--propagation=private", "sh", "-c"),
    'umount --recursive --lazy /sys/fs/cgroup && exec "$@"',
    "-",
)
REPRO = (sys.executable, "-m", "stamplab", "repro", "discourse", "--fast")


def run(
    *arguments: str,
    folder: Path,
    prefix: tuple[str, ...] = (),
    timeout_s: float = 280,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*prefix, *REPRO, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": PYTHON_PATH, "COLUMNS": "100", **environment},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*REPRO, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": PYTHON_PATH},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def clean(done: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.live
def test_it_exits_0_and_prints_every_claim_as_pass(apparatus: Apparatus, tmp_path: Path) -> None:
    before = traces.everything()
    done = run(folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = done.stdout.splitlines()
    for claim in ("C1", "C2", "C3", "C4", "C5", "C7", "C8", "C9"):
        assert " pass " in next(row for row in rows if f" {claim} " in row)
    c12 = abra_is_unchanged().verdict or "not possible here"
    assert f" {c12} " in next(row for row in rows if " C12 " in row)
    assert "verdict: pass" in done.stdout
    assert "both monitors are 1 s" in clean(done)
    assert "(HC1)" in done.stdout
    assert traces.left_since(before) == {}
    latest = tmp_path / "runs" / "repro-discourse" / "latest"
    report = msgspec.json.decode((latest / "verdict.json").read_bytes())
    assert [
        (judge_negative_control["end"], judge_negative_control["verdict"])
        for judge_negative_control in report["teeth"]
    ] == [("fail", "pass")] * 11
    levels = {path.parent.name: level(path.parent) for path in latest.glob("*/results.json")}
    stamped = {path.stem for path in (latest / "stamping").glob("*.json")}
    assert stamped == {experiment.name for experiment in C2}
    assert {name: levels[name] for name in levels if name[:2] in {"a-", "b-", "c-", "d-"}} == {
        "a-ample": 2,
        "b-guard-off": 1,
        "c-guard-on": 1,
        "d-stop-first": 2,
    }
    assert {
        levels[judge_negative_control["name"]] for judge_negative_control in report["teeth"]
    } == {1}
    assert {path.name for path in (latest / "c-guard-on").iterdir()} >= {
        "console.log",
        "dockerd.log",
        "history.jsonl",
        "manifest.json",
        "results.json",
        "verdict.json",
    }
    shapes = {path.parent.name: path.read_bytes() for path in latest.glob("*/shape.json")}
    compared = {name: msgspec.json.decode(shape) for name, shape in shapes.items()}
    assert len(compared) == 15
    assert [name for name, claim in compared.items() if claim["differences"]] == []
    assert all(claim["declared"] == claim["found"] for claim in compared.values())
    console = (latest / "c-guard-on" / "console.log").read_text()
    assert "[DSTAMP] post-redeploy svc inspect UpdateStatus.State=" in console
    assert "head spec applied then swarm-rolled-back" in console
    assert "was OOM-killed (kernel: task_memcg=/stamplab-" in console
    fixed = (latest / "d-stop-first" / "console.log").read_text()
    assert "UpdateStatus=completed chaos-version=" in fixed


@pytest.mark.live
def test_without_pressure_it_says_what_is_missing_and_exits_1(
    apparatus: Apparatus, tmp_path: Path
) -> None:
    done = run("--ample", "--claim=C4", "--json", "--quiet", folder=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr == ""
    report = msgspec.json.decode(done.stdout)
    assert report["verdict"] == "fail"
    assert report["reproduced"].startswith("not reproduced: missing sign «rolled back» (seen: ")


@pytest.mark.live
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_tears_down_and_keeps_the_evidence(
    apparatus: Apparatus, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    before = traces.everything()
    process = start(tmp_path)
    folder = tmp_path / "runs" / "repro-discourse" / "latest"
    wait_until(lambda: "stage upgrade" in read(folder / "a-ample" / "console.log"))
    process.send_signal(number)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == code, stderr
    assert "Traceback" not in stderr
    assert "the lab was torn down" in stderr
    assert traces.left_since(before) == {}
    verdict = msgspec.json.decode((folder / "verdict.json").read_bytes())
    assert verdict["verdict"] == "unknown"
    assert "interrupted" in verdict["note"]
    assert read(folder / "a-ample" / "history.jsonl").endswith("\n")


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


def python(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *words],
        env={**os.environ, "PYTHONPATH": PYTHON_PATH},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_an_interrupt_that_falls_into_a_finalizer_is_not_lost(name: str, code: int) -> None:
    """Python ignores what is raised there, and GitPython, for one, has long finalizers."""
    done = python(INTO_A_FINALIZER, name)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


INTO_A_CONSTRUCTOR = """
import os, signal, sys, time
import click
from stamplab.cli import main as cli

class HalfMade:
    def __init__(self):
        if len(sys.argv) > 1:
            os.kill(os.getpid(), getattr(signal, sys.argv[1]))
            time.sleep(60)

    def __del__(self):
        self.opened_later.close()

cli.stamplab = click.command()(lambda: HalfMade() and None)
cli.main([])
"""


@pytest.mark.parametrize(("words", "code"), [(("SIGINT",), 130), (("SIGTERM",), 143), ((), 0)])
def test_what_was_half_made_at_an_interrupt_complains_no_more(
    words: tuple[str, ...], code: int
) -> None:
    """GitPython's configuration reader does; without an interrupt it is a fault, and is shown."""
    done = python(INTO_A_CONSTRUCTOR, *words)
    assert done.returncode == code, done.stderr
    assert ("AttributeError" in done.stderr) is (code == 0)


@pytest.mark.live
def test_a_daemon_that_dies_exits_2_with_one_sentence(apparatus: Apparatus, tmp_path: Path) -> None:
    before = traces.everything()
    process = start(tmp_path)
    folder = tmp_path / "runs" / "repro-discourse" / "latest"
    wait_until(lambda: "stage upgrade" in read(folder / "a-ample" / "console.log"))
    for child in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # a health check that has just ended
            if child.name() == "dockerd":
                child.kill()
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 2, stderr
    assert "Traceback" not in stderr
    assert "stamplab: the lab's dockerd ended by itself" in stderr.splitlines()[-1]
    assert traces.left_since(before) == {}
    verdict = msgspec.json.decode((folder / "verdict.json").read_bytes())
    assert verdict["verdict"] == "unknown"


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
def test_no_memory_controller_exits_77_with_one_sentence(
    apparatus: Apparatus, tmp_path: Path
) -> None:
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
def test_a_socket_path_too_long_exits_2_with_one_sentence(
    apparatus: Apparatus, tmp_path: Path
) -> None:
    done = run(folder=tmp_path, STAMPLAB_DIR=str(tmp_path / ("long" * 30)))
    assert done.returncode == 2, done.stdout + done.stderr
    assert "set STAMPLAB_DIR to a shorter folder" in clean(done).splitlines()[-1]


def test_not_root_exits_77_and_says_the_command_for_root(tmp_path: Path) -> None:
    script = "import os, sys; os.geteuid = lambda: 1000\nfrom stamplab.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, *ASKED_FOR],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": PYTHON_PATH},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
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
    done = run(
        f"--engine={tools}", folder=tmp_path, PATH=str(tools), STAMPLAB_CACHE=str(tmp_path / "c")
    )
    assert done.returncode == 77
    assert "dockerd, docker, containerd" in clean(done).splitlines()[-1]


def test_a_reader_that_goes_away_is_no_verdict() -> None:
    with pytest.raises(BrokenPipeError):
        Screen().on_broken_pipe()


def test_bad_usage_exits_64(tmp_path: Path) -> None:
    assert run("--trials=none", folder=tmp_path).returncode == 64
    assert run("--memory-scale=-1", folder=tmp_path).returncode == 64
    assert run("surplus", folder=tmp_path).returncode == 64


@pytest.mark.live
@pytest.mark.deep
@pytest.mark.timeout(1800)
def test_ten_of_ten_are_reproduced_and_ten_of_ten_fixed(
    apparatus: Apparatus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run("--trials=10", "--quiet", folder=tmp_path, timeout_s=1700)
    with capsys.disabled():
        assert_ten_of_ten(done)


def assert_ten_of_ten(done: subprocess.CompletedProcess[str]) -> None:
    """Ten of ten were reproduced, ten of ten fixed; the figures are printed in any case."""
    print("\n".join(line for line in done.stdout.splitlines() if "/10 " in line))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10/10 (95 % interval 72%-100%) reproduced by signature under start-first" in done.stdout
    assert "10/10 (95 % interval 72%-100%) converged at head under stop-first" in done.stdout


def level(play: Path) -> int:
    judged_claim: int = msgspec.json.decode((play / "results.json").read_bytes())["level"]
    return judged_claim


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def wait_until(condition: object) -> None:
    assert callable(condition)
    deadline_s = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline_s, "the moment to interrupt never came"
        time.sleep(0.05)
