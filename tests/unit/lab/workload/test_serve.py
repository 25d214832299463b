"""The application: does it hold the memory and lead the life that its plan says?"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.lab.workload.conftest import Serve
from tests.unit.lab.workload.running import DEADLINE_S, Application, run, wait_until

MIB = 1 << 20
LONG = 3600


def about(plan_bytes: int) -> object:
    """The plan, with room for the program's own pages and for the kernel's rough counting."""
    return pytest.approx(plan_bytes, abs=2 * MIB)


def resident_bytes(pid: int) -> int:
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGESIZE")


def test_memory_follows_the_plan_and_then_it_serves(serve: Serve) -> None:
    app = serve(
        version="v2",
        peak_bytes=64 * MIB,
        steady_bytes=24 * MIB,
        boot_s=0.2,
        hold_s=0.1,
        ready_s=0.1,
    )
    assert app.wait_for("boot")["rss_bytes"] < 4 * MIB
    assert app.wait_for("peak")["rss_bytes"] == about(64 * MIB)
    assert app.wait_for("steady")["rss_bytes"] == about(24 * MIB)
    app.wait_for("ready")
    status, headers, body = app.get("/any/path?at=all")
    answer = json.loads(body)
    assert (status, headers["X-Stampload-Version"], headers["Connection"]) == (200, "v2", "close")
    assert (answer["version"], answer["pid"]) == ("v2", app.process.pid)
    assert answer["rss_bytes"] == about(24 * MIB)
    assert app.get("/health")[0] == 200
    assert app.phases() == ["boot", "peak", "steady", "ready"]


def test_the_times_in_the_log_are_not_before_the_plan(serve: Serve) -> None:
    app = serve(peak_bytes=MIB, boot_s=0.1, hold_s=0.1, ready_s=0.1)
    at_s = {phase: app.wait_for(phase)["at_s"] for phase in ("boot", "peak", "steady", "ready")}
    assert at_s["peak"] >= 0.1
    assert at_s["peak"] + 0.099 <= at_s["steady"]  # printed with three digits
    assert at_s["steady"] + 0.099 <= at_s["ready"]


def test_memory_is_never_ahead_of_the_plan(serve: Serve) -> None:
    app = serve(peak_bytes=512 * MIB, boot_s=8)

    def grown() -> bool:
        return resident_bytes(app.process.pid) > 8 * MIB

    wait_until(grown, "memory")
    app.process.terminate()
    line = app.wait_for("stopping")
    assert 8 * MIB < line["rss_bytes"] < 64 * MIB * line["at_s"] + 2 * MIB


def test_the_port_is_closed_until_ready(serve: Serve) -> None:
    app = serve(peak_bytes=MIB, ready_s=LONG)
    app.wait_for("steady")
    assert not app.is_open()


def test_never_ready(serve: Serve) -> None:
    app = serve(never_ready=1)
    app.wait_for("steady")
    time.sleep(0.1)
    assert not app.is_open()
    assert app.phases() == ["boot", "peak", "steady"]


@pytest.mark.parametrize("in_child", [0, 1])
def test_terminated_in_boot(serve: Serve, in_child: int) -> None:
    app = serve(peak_bytes=64 * MIB, boot_s=LONG, in_child=in_child)
    app.wait_for("boot")
    app.process.terminate()
    assert app.wait_for_end() == 0
    assert app.phases() == ["boot", "stopping", "exit"]


@pytest.mark.parametrize("in_child", ["0", "1"])
def test_signals_are_heard_during_an_overdue_boot(stampload: Path, in_child: str) -> None:
    script = (
        "import os, signal, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"  # stays pending over exec
        "os.execv(sys.argv[1], ['stampload', 'serve', '--peak-bytes', str(1 << 30)])\n"
    )
    ended = (
        subprocess.run(  # ends when nobody holds the output open: no child is left behind either
            [sys.executable, "-c", script, stampload],
            env={"STAMPLOAD_IN_CHILD": in_child},
            capture_output=True,
            timeout=DEADLINE_S,
        )
    )
    boot, stopping, _ = [json.loads(line) for line in ended.stdout.splitlines()]
    assert (boot["phase"], stopping["phase"], ended.returncode) == ("boot", "stopping", 0)
    assert stopping["rss_bytes"] < 32 * MIB


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_when_ready(app: Application, number: int) -> None:
    app.process.send_signal(number)
    assert app.wait_for_end() == 0
    assert app.phases()[-2:] == ["stopping", "exit"]


def test_stopping_takes_time_serves_no_one_and_keeps_the_memory(serve: Serve) -> None:
    app = serve(steady_bytes=24 * MIB, stop_s=LONG)
    app.wait_for("ready")
    app.process.terminate()
    assert app.wait_for("stopping")["rss_bytes"] == about(24 * MIB)
    app.process.terminate()  # a second time changes nothing
    time.sleep(0.05)
    assert app.process.poll() is None
    assert not app.is_open()


def test_crash_at_a_moment(serve: Serve) -> None:
    app = serve(exit_at_s=0.2, exit_code=7, peak_bytes=MIB, boot_s=LONG)
    assert app.wait_for_end() == 7
    assert app.phases() == ["boot", "exit"]


@pytest.mark.parametrize("code", [0, 3, 255])
def test_exit_on_request(app: Application, code: int) -> None:
    assert app.get(f"/exit?code={code}")[0] == 200
    assert app.wait_for_end() == code


@pytest.mark.parametrize("target", ["/exit", "/exit?code=256", "/exit?code=1234", "/exit?code=1x"])
def test_exit_with_no_proper_code_is_refused(app: Application, target: str) -> None:
    assert app.get(target)[0] == 400
    assert app.get("/")[0] == 200


def test_fails_on_request(app: Application) -> None:
    assert app.get("/health")[0] == 200
    app.get("/fail")
    app.get("/fail")
    assert app.get("/health")[0] == 503
    assert app.get("/")[0] == 200
    assert app.phases().count("unhealthy") == 1


def test_unhealthy_from_a_moment_on(serve: Serve) -> None:
    app = serve(unhealthy_at_s=0.1)
    app.wait_for("ready")
    app.wait_for("unhealthy")
    assert app.get("/health")[0] == 503


def test_a_silent_client_holds_up_no_one(app: Application) -> None:
    with socket.create_connection(("127.0.0.1", app.port), timeout=DEADLINE_S) as silent:
        assert app.get("/")[0] == 200
        silent.sendall(b"GET /health HT")
        assert app.get("/")[0] == 200
        silent.sendall(b"TP/1.1\r\n\r\n")
        assert silent.recv(4096).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("request_", [b"\r\n\r\n", b"GET http HTTP/1.1\r\n\r\n", b"G" * 9000])
def test_what_is_no_request_is_answered_400(app: Application, request_: bytes) -> None:
    with socket.create_connection(("127.0.0.1", app.port), timeout=DEADLINE_S) as client:
        client.sendall(request_)
        assert client.recv(4096).startswith(b"HTTP/1.1 400 ")
    assert app.get("/")[0] == 200


def test_more_clients_than_places(app: Application) -> None:
    crowd = [socket.create_connection(("127.0.0.1", app.port)) for _ in range(200)]
    for client in crowd:
        client.close()
    assert app.get("/")[0] == 200


def test_a_child_holds_the_memory(serve: Serve) -> None:
    app = serve(peak_bytes=64 * MIB, steady_bytes=24 * MIB, boot_s=0.1, in_child=1)
    assert app.wait_for("peak")["rss_bytes"] == about(64 * MIB)
    assert app.wait_for("ready")["rss_bytes"] == about(24 * MIB)
    (child,) = app.children()
    assert resident_bytes(app.process.pid) < 4 * MIB
    os.kill(child, signal.SIGKILL)
    app.wait_for("child-killed")
    assert app.get("/health")[0] == 503
    assert app.get("/")[0] == 200
    assert app.children() == []  # reaped


def test_a_child_killed_in_boot_leaves_a_parent_that_is_never_ready(serve: Serve) -> None:
    app = serve(peak_bytes=64 * MIB, boot_s=LONG, in_child=1)
    wait_until(lambda: len(app.children()) == 1, "the child")
    os.kill(app.children()[0], signal.SIGKILL)
    app.wait_for("child-killed")
    time.sleep(0.05)
    assert app.process.poll() is None
    assert not app.is_open()


def test_a_child_does_not_outlive_its_parent(serve: Serve) -> None:
    app = serve(steady_bytes=MIB, in_child=1)
    app.wait_for("ready")
    (child,) = app.children()
    app.process.kill()
    app.wait_for_end()

    def gone() -> bool:
        status = Path(f"/proc/{child}/stat")
        return not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"

    wait_until(gone, "the end of the child")


def test_the_oom_score_is_raised_where_the_memory_is(serve: Serve) -> None:
    alone, parent = serve(oom_score_adj=700), serve(oom_score_adj=700, in_child=1)
    before = Path("/proc/self/oom_score_adj").read_text().strip()
    alone.wait_for("ready")
    parent.wait_for("ready")
    scores = [
        Path(f"/proc/{pid}/oom_score_adj").read_text().strip()
        for pid in (alone.process.pid, *parent.children(), parent.process.pid)
    ]
    assert scores == ["700", "700", before]


def test_the_oom_score_is_not_lowered(stampload: Path) -> None:
    script = 'echo 900 > /proc/self/oom_score_adj; exec "$0" serve --oom-score-adj 800'
    done = run(Path("/bin/sh"), "-c", script, str(stampload))
    assert done.returncode == 64
    assert "can only be raised: it is 900, the plan asks for 800" in done.stderr


@pytest.mark.parametrize(
    ("variables", "options", "sentence"),
    [
        ({"PEAK_BYTES": "1", "STEADY_BYTES": "2"}, [], "the peak (1 bytes) is below the steady"),
        ({"PEAK_BYTES": "64M"}, [], "STAMPLOAD_PEAK_BYTES must be a plain integer"),
        ({"PEAK_BYTES": "-1"}, [], "STAMPLOAD_PEAK_BYTES must be a plain integer"),
        ({"PEAK_BYTES": "9" * 30}, [], "STAMPLOAD_PEAK_BYTES must be a plain integer"),
        ({"BOOT_S": "1e3"}, [], "STAMPLOAD_BOOT_S must be seconds such as 1.5, not '1e3'"),
        ({"BOOT_S": "inf"}, [], "STAMPLOAD_BOOT_S must be seconds"),
        ({"BOOT_S": ""}, [], "STAMPLOAD_BOOT_S must be seconds"),
        ({"BOOT_S": "1."}, [], "STAMPLOAD_BOOT_S must be seconds"),
        ({"EXIT_CODE": "256"}, [], "STAMPLOAD_EXIT_CODE must be a plain integer from 0 to 255"),
        ({"OOM_SCORE_ADJ": "-5"}, [], "STAMPLOAD_OOM_SCORE_ADJ must be a plain integer from 0"),
        ({"NEVER_READY": "yes"}, [], "STAMPLOAD_NEVER_READY must be 1 or 0"),
        ({"VERSION": ""}, [], "STAMPLOAD_VERSION is empty"),
        ({"VERSION": "a\nb"}, [], "the version must be at most 128 printable"),
        ({"VERSION": "v" * 129}, [], "the version must be at most 128 printable"),
        ({"PEEK_BYTES": "1"}, [], "unknown variable STAMPLOAD_PEEK_BYTES"),
        ({}, ["--port", "0"], "--port must be a plain integer from 1 to 65535, not '0'"),
        ({}, ["--port"], "--port needs a value"),
        ({}, ["--por=1"], "unknown option '--por=1'"),
        ({}, ["extra"], "unknown option 'extra'"),
    ],
)
def test_a_bad_plan_is_refused_in_one_sentence(
    stampload: Path, variables: dict[str, str], options: list[str], sentence: str
) -> None:
    done = run(stampload, "serve", *options, **variables)
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr.startswith(f"stampload: {sentence}")
    assert done.stderr.count("\n") == 1


def test_an_option_overrides_the_environment(stampload: Path) -> None:
    options = ("--exit-code=9", "--exit-at-s", "0", "--never-ready")
    assert run(stampload, "serve", *options, EXIT_CODE="8", BOOT_S="1.5").returncode == 9


def test_a_port_that_is_taken(stampload: Path, app: Application) -> None:
    done = run(stampload, "serve", "--port", str(app.port))
    assert done.returncode == 1
    assert done.stderr.startswith(f"stampload: cannot listen on port {app.port}: Address ")


@pytest.mark.parametrize("arguments", [[], ["unknown"]])
def test_no_mode_shows_the_usage(stampload: Path, arguments: list[str]) -> None:
    done = run(stampload, *arguments)
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr.startswith("usage: stampload serve")


@pytest.mark.parametrize("mode", ["serve", "client"])
def test_hears_signals_as_pid_1(stampload: Path, mode: str, tmp_path: Path) -> None:
    options = ["--never-ready"] if mode == "serve" else ["--host", "127.0.0.1", "--port", "1"]
    log = tmp_path / "log"
    with log.open("wb") as stdout:
        outer = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", stampload, mode, *options],
            stdout=stdout,
            stderr=subprocess.PIPE,
        )
    try:
        wait_until(lambda: outer.poll() is not None or b"\n" in log.read_bytes(), "its start")
        if outer.poll() is not None:
            assert outer.stderr is not None
            pytest.skip(f"no PID namespace here: {outer.stderr.read().decode()}")
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGTERM)
        assert outer.wait(timeout=DEADLINE_S) == 0
    finally:
        outer.kill()
        outer.communicate(timeout=DEADLINE_S)


@pytest.mark.parametrize(("slot", "fails"), [(1, False), (2, True)])
def test_a_fault_of_one_slot_is_no_other_tasks(serve: Serve, slot: int, *, fails: bool) -> None:
    app = serve(exit_at_s=0.2, exit_code=3, slot=slot, fault_slot=2)
    if fails:
        assert app.process.wait(DEADLINE_S) == 3
    else:
        app.wait_for("ready")
        time.sleep(0.4)
        assert app.process.poll() is None


def test_never_ready_is_a_fault_of_its_slot_too(serve: Serve) -> None:
    serve(never_ready=1, slot=1, fault_slot=2).wait_for("ready")
