"""A program that is kept running: it answers, fails in one sentence, and is never left behind."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from stamplab.lab.errors import LabError
from stamplab.lab.support.jsonl_process import JsonlProcess
from stamplab.lab.support.processes import ProcessId
from tests.scripts import script

ECHO = 'while read -r line; do echo "$$ $line"; done'


def pid_in(answer: bytes) -> int:
    return int(answer.split()[0])


def test_one_process_answers_all_questions(tmp_path: Path) -> None:
    running = JsonlProcess(script(tmp_path / "answering", ECHO))
    first, second = running.ask(b"one"), running.ask(b"two")
    assert first.split()[1:] == [b"one"]
    assert second.split()[1:] == [b"two"]
    assert pid_in(first) == pid_in(second)
    running.end()
    assert not psutil.pid_exists(pid_in(first))


def test_it_starts_again_after_its_end(tmp_path: Path) -> None:
    running = JsonlProcess(script(tmp_path / "answering", ECHO))
    first = running.ask(b"one")
    running.end()
    running.end()
    second = running.ask(b"two")
    assert pid_in(second) != pid_in(first)
    running.end()


def test_it_gets_the_given_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "ours")
    answering = script(tmp_path / "answering", 'read -r line; echo "$OURS,$ITS"')
    running = JsonlProcess(answering, {"ITS": "its"})
    assert running.ask(b"") == b",its"
    running.end()


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("exit 3", r"\(exit code 3\): no message"),
        ("echo no such thing >&2; exit 3", r"\(exit code 3\): no such thing"),
        ("read -r line; printf half", r"\(exit code 0\): no message"),
        ("exec 0<&-; exec 1>&-; sleep 0.2", r"\(exit code 0\): no message"),
    ],
)
def test_a_program_that_ends_is_quoted(tmp_path: Path, lines: str, reason: str) -> None:
    running = JsonlProcess(script(tmp_path / "answering", lines))
    with pytest.raises(LabError, match=f"answering ended by itself {reason}"):
        running.ask(b"x")


def test_after_a_failure_the_next_question_has_a_new_process(tmp_path: Path) -> None:
    mark = tmp_path / "started"
    running = JsonlProcess(
        script(tmp_path / "answering", f"[ -e {mark} ] || {{ touch {mark}; exit 1; }}\n{ECHO}")
    )
    with pytest.raises(LabError):
        running.ask(b"x")
    assert running.ask(b"x").endswith(b" x")
    running.end()


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("lines", "question"),
    [
        pytest.param("exec sleep 600", b"x" * (1 << 20), id="it never reads the question"),
        pytest.param(
            "while printf x; do sleep 0.05; done", b"x", id="its answer comes in bits for ever"
        ),
    ],
)
def test_the_deadline_is_one_for_question_and_answer(
    tmp_path: Path, lines: str, question: bytes
) -> None:
    running = JsonlProcess(script(tmp_path / "answering", lines), timeout_s=0.5)
    with pytest.raises(LabError, match=r"answering has not answered for 0.5 s"):
        running.ask(question)


def test_a_question_larger_than_a_pipe_is_answered(tmp_path: Path) -> None:
    running = JsonlProcess(script(tmp_path / "answering", "sleep 0.2; read -r line; echo ${#line}"))
    assert running.ask(b"x" * (1 << 20)) == b"%d" % (1 << 20)
    running.end()


def test_one_that_is_late_is_ended(tmp_path: Path) -> None:
    answering = script(
        tmp_path / "answering", f"echo $$ >{tmp_path}/pid; read -r line; exec sleep 600"
    )
    running = JsonlProcess(answering, timeout_s=0.5)
    with pytest.raises(LabError, match=r"answering has not answered for 0.5 s"):
        running.ask(b"x")
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_what_cannot_be_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="absent cannot be run: No such file"):
        JsonlProcess(tmp_path / "absent").ask(b"x")


def test_it_ends_with_the_object(tmp_path: Path) -> None:
    running = JsonlProcess(script(tmp_path / "answering", ECHO))
    pid = pid_in(running.ask(b"x"))
    del running
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize("end", ["", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"])
def test_it_ends_with_us_however_we_end(tmp_path: Path, end: str) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from stamplab.lab.support.jsonl_process import JsonlProcess\n"
        "running = JsonlProcess(Path(sys.argv[1]))\n"
        "print(running.ask(b'x').split()[0].decode(), flush=True)\n" + end
    )
    answering = str(script(tmp_path / "answering", ECHO))
    done = subprocess.run(
        [sys.executable, "-c", code, answering], capture_output=True, text=True, check=False
    )
    assert done.returncode == (-9 if end else 0), done.stderr
    assert has_ended(int(done.stdout))


def has_ended(pid: int) -> bool:
    """Wait for it; a zombie has ended, whoever should have collected it."""
    deadline_s = time.monotonic() + 30
    while (process := ProcessId.of(pid)) and process.is_alive():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.01)
    return True
