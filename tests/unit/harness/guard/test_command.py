"""The command: its words, its exit codes, its document, and its end by whatever ends it."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import pytest

from stamplab.harness.guard import Outcome
from tests.programs import Command, Ended, python, start_python, wait_until
from tests.unit.harness.guard.conftest import APP
from tests.unit.lab.remote.engine import Engine, container, task

FIELDS = (
    *("outcome", "exit_code", "reason", "targets", "engine", "baseline", "deploy", "waited_s"),
    *("api_calls", "services", "schema"),
)

Run = Callable[..., Ended]


@pytest.fixture
def run(stamplab: Command, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The guard of that engine, in the test's own process."""
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    return partial(stamplab, "guard")


def document(text: str) -> dict[str, Any]:
    read = json.loads(text)
    assert isinstance(read, dict)
    assert read.keys() == {*FIELDS}
    assert read["schema"] == 2
    return read


@pytest.mark.parametrize(
    ("words", "exit_code", "message"),
    [
        ((), 0, "converged: the deploy left the service unchanged"),
        (("--expect", "a=b"), 14, "the service's label a is None, not 'b'"),
        (("--expect-image", "image:base"), 0, "converged"),
        (("--expect-image", "image:head"), 14, "the image image:head was expected"),
        (("--commit", "0123456789"), 15, "no commit is named (HC1)"),
    ],
)
def test_a_deploy_that_changes_nothing(
    up: Engine, run: Run, words: tuple[str, ...], exit_code: int, message: str
) -> None:
    result = run(APP, *words, "--", "true")
    assert result.code == exit_code
    assert message in result.out


def test_without_a_command_the_last_update_is_judged_and_that_is_said(up: Engine, run: Run) -> None:
    result = run(APP, "--json")
    assert result.code == 0
    assert "no deploy command: the last update is judged" in result.err
    read = document(result.out)
    assert (read["baseline"], read["deploy"]) == ("what the services say of their past", None)


def test_a_deploy_that_fails(up: Engine, run: Run) -> None:
    result = run(APP, "--json", "--", "sh", "-c", "exit 3")
    assert result.code == 17
    read = document(result.out)
    assert read["outcome"] == "deploy command failed"
    assert read["deploy"]["exit_code"] == 3
    assert read["deploy"]["argv"] == ["sh", "-c", "exit 3"]
    assert read["exit_code"] == 17


def test_a_deploy_that_cannot_be_run(up: Engine, run: Run) -> None:
    result = run(APP, "--", "no-such-program")
    assert result.code == 17
    assert "no-such-program cannot be run: No such file or directory" in result.out


def test_a_deploy_that_hangs(up: Engine, run: Run) -> None:
    result = run(APP, "--timeout", "0.5", "--json", "--", "sleep", "1000")
    assert result.code == 17
    read = document(result.out)
    assert read["deploy"]["exit_code"] == 143
    assert "did not return within" in read["deploy"]["problem"]
    assert "did not return within" in read["reason"]


def test_what_never_converges_ends_at_the_time_out(up: Engine, run: Run) -> None:
    up.tasks = []
    assert run(APP, "--timeout", "0.6", "--", "true").code == 12


def test_a_hold_that_is_asked_for_is_waited_for(up: Engine, run: Run) -> None:
    result = run(APP, "--hold", "3", "--json")
    assert result.code == 0
    assert document(result.out)["waited_s"] >= 3


def test_nothing_of_that_name(engine: Engine, run: Run) -> None:
    result = run("nope", "--quiet")
    assert result.code == 19
    assert result.out == "nope: removed: there is no service and no stack nope\n"
    assert result.err == ""


@pytest.mark.parametrize(
    "words",
    [
        (APP, "--expect", "nonsense"),
        (APP, "--commit", "nonsense"),
        (APP, "--context", "no-such-context"),
        (APP, "--hold", "60", "--timeout", "60"),
    ],
)
def test_what_makes_no_sense_is_64(up: Engine, run: Run, words: tuple[str, ...]) -> None:
    assert run(*words, "--", "true").code == 64


@pytest.mark.parametrize(
    "words", [(), ("--timeout", "0", APP), ("--timeout", "x", APP), ("--", "true")]
)
def test_what_is_no_command_line_is_refused(run: Run, words: tuple[str, ...]) -> None:
    assert run(*words).code == 64


def test_no_swarm_is_unknown_and_nothing_is_deployed(
    engine: Engine, run: Run, tmp_path: Path
) -> None:
    engine.info = {"Swarm": {"LocalNodeState": "inactive"}}
    result = run(APP, "--json", "--", "touch", str(tmp_path / "deployed"))
    assert result.code == 2
    read = document(result.out)
    assert (read["outcome"], read["exit_code"]) == ("unknown", 2)
    assert "is in no swarm" in read["reason"]
    assert not (tmp_path / "deployed").exists()


def test_no_engine_deploys_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    result = run(APP, "--", "touch", tmp_path / "deployed")
    assert result.code == 2
    assert "cannot be reached" in result.err
    assert not (tmp_path / "deployed").exists()


def test_every_exit_code_is_in_the_help(stamplab: Command) -> None:
    text = " ".join(stamplab("guard", "--help").out.split())
    for outcome in Outcome:
        assert f" {outcome.exit_code} " in f" {text} ".replace(",", " ").replace(".", " ")


def test_it_is_one_of_stamplabs_commands(stamplab: Command) -> None:
    assert "guard" in stamplab("--help").out


# As a program of its own.


PROGRAM = ("-m", "stamplab")


class Running:
    def __init__(self, engine: Engine, *words: str, program: Sequence[str] = PROGRAM) -> None:
        self.process = start_python("-P", *program, "guard", *words, DOCKER_HOST=engine.address)
        self.stderr: list[str] = []
        assert self.process.stderr is not None
        self._reader = threading.Thread(target=self._read, args=(self.process.stderr,))
        self._reader.start()

    def _read(self, stream: IO[str]) -> None:
        self.stderr.extend(iter(stream.readline, ""))

    def wait_until_it_says(self, text: str) -> None:
        def reached() -> bool:
            assert self.process.poll() is None, self.stderr
            return any(text in line for line in self.stderr)

        wait_until(reached, text, 30)

    def end(self) -> tuple[int, str, str]:
        assert self.process.stdout is not None
        out = self.process.stdout.read()
        returned = self.process.wait(60)
        self._reader.join()
        return returned, out, "".join(self.stderr)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(60)
        self._reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


@contextmanager
def running(engine: Engine, *words: str, program: Sequence[str] = PROGRAM) -> Iterator[Running]:
    guard_process = Running(engine, *words, program=program)
    try:
        yield guard_process
    finally:
        guard_process.close()


def test_an_upgrade_from_the_baseline_to_the_verdict(up: Engine, tmp_path: Path) -> None:
    """The deploy waits for the test, which does to the swarm what it would do."""
    go = tmp_path / "go"
    os.mkfifo(go)
    before = up.services[APP]
    with running(up, APP, "--json", "--expect", "v=2", "--", "cat", str(go)) as guarding:
        guarding.wait_until_it_says("the deploy command has not returned")
        after = up.put(APP, task="head", labels={"v": "2"}, previous=before, state="updating")
        up.tasks.append(task("new", after, "starting"))
        up.happen("start", "new")
        go.write_text("deployed\n")
        guarding.wait_until_it_says("0 of 1 tasks of the new spec run")
        up.tasks = [task("old", before, "shutdown"), task("new", after)]
        up.happen("health_status: healthy", "new")
        guarding.wait_until_it_says("the update state is still updating")
        up.put(APP, task="head", labels={"v": "2"}, previous=before, state="completed")
        returned, out, err = guarding.end()
    assert returned == 0, err
    read = document(out)
    assert read["services"][0]["how"] == "updated"
    assert "deployed\n" in err  # beside the document, not in it
    assert {method for method, _ in up.requests} == {"GET"}


def rolled_back(
    up: Engine, tmp_path: Path, program: Sequence[str] = PROGRAM
) -> tuple[int, str, str]:
    """Play an update whose task is OOM-killed in its boot; return how the guard has ended."""
    before = up.services[APP]
    go = tmp_path / "go"
    os.mkfifo(go)
    words = (APP, "--json", "--", "cat", str(go))
    with running(up, *words, program=program) as guarding:
        guarding.wait_until_it_says("the deploy command has not returned")
        after = up.put(APP, task="head", previous=before, state="updating")
        up.tasks.append(task("new", after, "starting"))
        go.write_text("")
        guarding.wait_until_it_says("0 of 1 tasks of the new spec run")
        message = "update rolled back due to failure or early termination of task new"
        up.tasks[-1] = task(
            "new", after, "failed", error="task: non-zero exit (137)", exit_code=137
        )
        up.containers["container-new"] = container("new", runs=False, oom=True, exit_code=137)
        up.put(APP, state="rollback_started", message=message)
        up.happen("die", "new")
        up.put(APP, state="rollback_completed", message="rollback completed")
        return guarding.end()


def test_a_rollback_names_the_task_and_the_oom_kill(up: Engine, tmp_path: Path) -> None:
    returned, out, err = rolled_back(up, tmp_path)
    assert returned == 10, err
    (service,) = document(out)["services"]
    assert service["failure"] == {
        "task": "new",
        "state": "failed",
        "error": "task: non-zero exit (137)",
        "node": "node-here",
        "container": "container-new",
        "exit_code": 137,
        "oom_killed": True,
        "oom_known_by": "the engine's OOMKilled of its container",
        "ran_s": 2.5,
        "window": "before running",
    }
    assert "OOM-killed" in service["reason"]


@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_an_interrupt_ends_the_deploy_and_claims_nothing(
    up: Engine, tmp_path: Path, number: signal.Signals, exit_code: int
) -> None:
    pid = tmp_path / "pid"
    script = f"echo $$ >{pid}.new; mv {pid}.new {pid}; sleep 1000"
    with running(up, APP, "--json", "--", "sh", "-c", script) as guarding:
        guarding.wait_until_it_says("the deploy command has not returned")
        wait_until(pid.exists, "the deploy", 30)
        guarding.process.send_signal(number)
        returned, out, err = guarding.end()
    assert returned == exit_code
    read = document(out)
    assert (read["outcome"], read["exit_code"]) == ("unknown", exit_code)
    assert "nothing is claimed" in read["reason"]
    assert "nothing is claimed" in err
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_an_interrupt_while_it_waits_is_no_success(up: Engine) -> None:
    up.tasks = []
    with running(up, APP, "--", "true") as guarding:
        guarding.wait_until_it_says("0 of 1 tasks")
        guarding.process.send_signal(signal.SIGINT)
        returned, out, err = guarding.end()
    assert (returned, out) == (130, "")
    assert "interrupted by SIGINT" in err


def test_an_engine_that_goes_for_good_is_unknown_with_the_reason(up: Engine) -> None:
    up.tasks = []
    with running(up, APP, "--timeout", "3", "--", "true") as guarding:
        guarding.wait_until_it_says("0 of 1 tasks")
        up.is_down = True
        up.cut()
        returned, out, _ = guarding.end()
    assert returned == 2
    assert out.startswith(f"{APP}: unknown: sight was lost of the swarm (guard: at the deadline")
    assert "not a swarm manager" in out


@pytest.mark.parametrize(("deploy", "exit_code"), [("true", 0), ("false", 17)])
def test_a_reader_that_has_gone_gets_the_exit_code(up: Engine, deploy: str, exit_code: int) -> None:
    with running(up, APP, "--", deploy) as guarding:
        assert guarding.process.stdout is not None
        guarding.process.stdout.close()
        assert guarding.process.wait(60) == exit_code


AT_A_TERMINAL = """
import os, pty, sys
keys, *words = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.executable, [sys.executable, "-P", "-m", "stamplab", "guard", *words])
output, typed = b"", False
while True:
    try:
        data = os.read(terminal, 1000)
    except OSError:
        break
    if not data:
        break
    output += data
    if b"ready" in output and not typed:
        typed = True
        os.write(terminal, keys.encode().decode("unicode_escape").encode())
print(output.decode())
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.mark.parametrize(
    ("keys", "exit_code", "message"),
    [("yes\\n", 0, "it read yes"), ("\\x03", 130, "interrupted by SIGINT")],
)
def test_the_deploy_may_ask_a_person(up: Engine, keys: str, exit_code: int, message: str) -> None:
    deploy = ("sh", "-c", "echo ready; read answer && echo it read $answer")
    words = (keys, APP, "--quiet", "--", *deploy)
    done = python("-c", AT_A_TERMINAL, *words, timeout_s=50, DOCKER_HOST=up.address)
    assert message in done.stdout
    assert done.stdout.splitlines()[-1] == str(exit_code), done.stdout + done.stderr


def test_its_help_needs_nothing_of_the_lab() -> None:
    script = (
        "import sys, stamplab.entry\n"
        "from stamplab.cli.guard import run\n"
        "run(['--help'])\n"
        "print(sorted({'git', 'hypothesis', 'docker', 'requests', 'psutil', 'yaml', 'rich', "
        "'stamplab.cli.main', 'stamplab.lab.live'} & set(sys.modules)), file=sys.stderr)"
    )
    done = python("-c", script)
    assert done.stderr.splitlines()[-1] == "[]", done.stderr


def test_its_work_needs_nothing_of_the_lab(up: Engine) -> None:
    script = (
        "import sys, stamplab.entry\n"
        "from stamplab.cli.guard import run\n"
        f"print(run(['{APP}', '--quiet', '--', 'true']))\n"
        "unwanted = {'git', 'hypothesis', 'psutil', 'yaml', 'rich'}\n"
        "unwanted |= {'stamplab.cli.main', 'stamplab.lab.live'}\n"
        "print(sorted(unwanted & set(sys.modules)))"
    )
    done = python("-c", script, DOCKER_HOST=up.address)
    assert done.stdout.splitlines()[-2:] == ["0", "[]"], done.stdout + done.stderr


COUNTED = """
import os, sys
counted, *sys.argv[1:] = sys.argv[1:]
leave = os._exit
def count_and_leave(code):
    with open(counted, "w") as file:
        file.write(" ".join(name for name in sys.modules if name.split(".")[0] == "stamplab"))
    leave(code)
os._exit = count_and_leave
from stamplab.entry import main
main()
"""


def test_a_whole_run_loads_at_most_28_of_our_modules(up: Engine, tmp_path: Path) -> None:
    """Whoever wants to know what a guard does need not read more; packages count as well."""
    counted = tmp_path / "counted"
    returned, _, err = rolled_back(up, tmp_path, ("-c", COUNTED, str(counted)))
    assert returned == 10, err
    modules = counted.read_text().split()
    assert "stamplab.lab.remote.watcher" in modules
    assert len(modules) <= 28, sorted(modules)
