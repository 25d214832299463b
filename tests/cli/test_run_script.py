"""``./run``, tried with stand-ins for all that it would find on the machine or fetch."""

import os
import re
import shutil
import signal
import subprocess
import time
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "requirements"

ORDINARY_TOOLS = """cat cp cut date dirname du find flock grep head mkdir mv paste readlink rm sed
    sha256sum sleep sort tail uname uniq"""
ENGINE = ["dockerd", "docker", "containerd", "runc", "iptables", "ip", "busybox"]

# Plays the machine's Python, the virtual environment's, pip, and what is run in the end.
PYTHON = """#!/bin/sh
echo "$*" >>"$STUB_LOG"
case $* in
  *'import ctypes'*) exit "${STUB_UNUSABLE:-0}" ;;
  *'import ensurepip'*) ;;
  *'import sys; print'*) echo /stub 3.12.1 ;;
  *'-m venv'*) shift 3 && mkdir -p "$1/bin" && cp "$0" "$1/bin/python" ;;
  *'-m pip install'*)
    [ -z "${STUB_PIP_S-}" ] || exec sleep "$STUB_PIP_S"
    case $* in *go.txt) cp "$0" "${0%/*}/go" ;; esac
    exit "${STUB_PIP:-0}" ;;
  *) echo "argv: $*" && echo "$PYTHONPATH ${PYTHONHOME-}" && echo "$STAMPLAB_CACHE" && pwd &&
    echo "${PYTHONDONTWRITEBYTECODE-} $PYTHONPYCACHEPREFIX" ;;
esac
"""


class Machine:
    """A machine on which ``./run`` finds exactly the programs that a test gives it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / "bin"
        self.cache = folder / "cache"
        self.programs.mkdir()
        for tool in ORDINARY_TOOLS.split():
            path = shutil.which(tool)
            assert path, f"this machine lacks {tool}"
            (self.programs / tool).symlink_to(path)
        self.add("id", "#!/bin/sh\necho 0\n")
        self.add("python3", PYTHON)
        for program in ["git", "cc", *ENGINE]:
            self.add(program, "#!/bin/sh\n")
        self.add_go("go1.99.1")

    def add(self, name: str, script: str) -> None:
        (self.programs / name).write_text(script)
        (self.programs / name).chmod(0o755)

    def add_go(self, version: str) -> None:
        self.add("go", f"#!/bin/sh\necho {version}\n")

    def remove(self, *names: str) -> None:
        for name in names:
            (self.programs / name).unlink()

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [ROOT / "run", *arguments],
            cwd=self.folder,
            env={
                "PATH": str(self.programs),
                "STAMPLAB_CACHE": str(self.cache),
                "STUB_LOG": str(self.folder / "log"),
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        with self.start(*arguments, **environment) as process:
            output, errors = process.communicate(timeout=30)
        return process.returncode, output, errors

    def wait_for_pip(self) -> None:
        deadline = time.monotonic() + 20
        while not self.installs():
            assert time.monotonic() < deadline, "pip was not reached within 20 s"
            time.sleep(0.02)

    def installs(self) -> int:
        return sum("-m pip install" in call for call in self.python_calls())

    def python_calls(self) -> list[str]:
        log = self.folder / "log"
        return log.read_text().splitlines() if log.exists() else []

    def environments(self) -> list[str]:
        return [folder.name for folder in self.cache.glob("venv-*")]

    def lacks(self, *names: str) -> list[str]:
        """Of these programs, those that ``./run`` cannot find either in the sbin folders."""
        path = f"{self.programs}:/usr/sbin:/sbin"
        return [name for name in names if not shutil.which(name, path=path)]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_shell_can_parse_it() -> None:
    subprocess.run(["sh", "-n", ROOT / "run"], check=True)
    subprocess.run(["bash", "-n", ROOT / ".ci" / "run"], check=True)


def test_shellcheck_has_nothing_to_say() -> None:
    shellcheck = shutil.which("shellcheck")
    if not shellcheck:
        pytest.skip("there is no shellcheck on PATH")
    subprocess.run([shellcheck, ROOT / "run", ROOT / ".ci" / "run"], check=True)


def test_first_run_sets_up_and_second_run_says_nothing(machine: Machine) -> None:
    code, output, errors = machine.run("repro", "silent", "--seed", "7")
    assert code == 0
    assert "argv: -P -m stamplab repro silent --seed 7\n" in output
    assert re.fullmatch(r"stamplab: fetching requirements/lock.txt by pip .* in \d+ s\n", errors)

    calls = machine.python_calls()
    assert machine.run("repro", "silent", "--seed", "7") == (0, output, "")
    assert machine.python_calls() == [*calls, "-P -m stamplab repro silent --seed 7"]


def test_python_gets_the_checkout_the_cache_and_the_callers_folder(machine: Machine) -> None:
    output = machine.run("repro", PYTHONPATH="/elsewhere", PYTHONHOME="/elsewhere")[1]
    assert output.splitlines()[1:4] == [f"{ROOT} ", str(machine.cache), str(machine.folder)]


def test_what_python_compiles_is_cached_or_put_where_it_is_asked_for(machine: Machine) -> None:
    output = machine.run("repro", PYTHONDONTWRITEBYTECODE="1")[1]
    assert output.splitlines()[4] == f" {machine.cache}/pycache"
    output = machine.run("repro", PYTHONPYCACHEPREFIX="/elsewhere")[1]
    assert output.splitlines()[4] == " /elsewhere"


SIDE_BY_SIDE = (
    "-m pytest --numprocesses=logical --maxprocesses=4 --dist=loadfile --no-loadscope-reorder"
)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "-P -m stamplab --help"),
        (["--help"], "-P -m stamplab --help"),
        (["test", "--deep", "tests/lab"], f"{SIDE_BY_SIDE} --deep tests/lab"),
    ],
)
def test_what_is_run_in_the_end(machine: Machine, arguments: list[str], expected: str) -> None:
    assert f"argv: {expected}\n" in machine.run(*arguments)[1]


def test_tests_run_from_the_root_of_the_checkout(machine: Machine) -> None:
    assert machine.run("test")[1].splitlines()[3] == str(ROOT)


def test_setup_runs_nothing_after_it(machine: Machine) -> None:
    assert machine.run("setup")[:2] == (0, "")
    assert machine.run("setup") == (0, "", "")


def test_a_deleted_environment_is_made_again(machine: Machine) -> None:
    machine.run("setup")
    shutil.rmtree(machine.cache / machine.environments()[0])
    machine.run("setup")
    assert machine.installs() == 2


def test_zig_is_installed_where_no_compiler_links_statically(machine: Machine) -> None:
    machine.add("cc", "#!/bin/sh\nexit 1\n")
    code, _, errors = machine.run("setup")
    assert code == 0
    assert "fetching zig (no C compiler here links a static program) by pip into" in errors
    assert machine.run("setup") == (0, "", "")
    assert machine.installs() == 2


@pytest.mark.parametrize("version", ["", "go1.9.7", "go1.25.9"])
def test_go_is_installed_for_tests_where_none_is_new_enough(machine: Machine, version: str) -> None:
    machine.remove("go")
    if version:
        machine.add_go(version)
    code, _, errors = machine.run("test")
    assert code == 0
    assert "fetching go (there is none here from 1.26.0 on) by pip into" in errors
    assert machine.run("test")[2] == ""
    assert machine.installs() == 2


@pytest.mark.parametrize("version", ["go1.26.0", "go1.27.3", "go1.100.0"])
def test_a_go_that_is_new_enough_is_used(machine: Machine, version: str) -> None:
    machine.add_go(version)
    assert "fetching go" not in machine.run("test")[2]


@pytest.mark.parametrize(
    "command",
    [
        "explore discourse",
        "setup",
        "repro discourse",
        "repro discourse --world virtual",
        "replay --world=virtual",
        "run stamp_mirror",
        "abra app deploy -C x.example.org",
    ],
)
def test_whatever_stamps_is_brought_a_go_that_builds_go_git(machine: Machine, command: str) -> None:
    machine.add_go("go1.25.9")
    errors = machine.run(*command.split())[2]
    assert "fetching go (there is none here from 1.26.0 on) by pip into" in errors


@pytest.mark.parametrize("command", ["run stamp_mirror", "abra app deploy -C x.example.org"])
def test_no_go_is_installed_for_a_go_git_that_is_ready_made(machine: Machine, command: str) -> None:
    machine.remove("go")
    errors = machine.run(*command.split(), STAMPLAB_GOGIT="/usr/bin/gogit")[2]
    assert "fetching go" not in errors


def test_the_virtual_world_fetches_neither_engine_nor_compiler(machine: Machine) -> None:
    machine.remove("dockerd", "cc")
    assert machine.run("repro", "discourse", "--world", "virtual")[0] == 0
    assert machine.installs() == 1
    if machine.lacks("dockerd"):
        assert machine.run("repro", "discourse", "--world", "live")[0] == 77


@pytest.mark.parametrize("command", ["run", "run moby#43081", "doctor", "vet", "test --help"])
def test_no_go_is_installed_for_anything_else(machine: Machine, command: str) -> None:
    machine.remove("go")
    assert "fetching go" not in machine.run(*command.split())[2]


def test_who_is_not_root_may_be_given_the_virtual_world(machine: Machine) -> None:
    machine.remove("go")
    machine.add("id", "#!/bin/sh\necho 1000\n")
    assert "fetching go" in machine.run("repro")[2]
    assert "fetching go" not in machine.run("vet")[2]


def test_no_suitable_python(machine: Machine) -> None:
    code, output, errors = machine.run("--help", STUB_UNUSABLE="1")
    assert (code, output) == (77, "")
    assert errors == (
        "stamplab: this machine lacks Python 3.11 to 3.14 with its venv and ssl modules "
        "(on Debian and Ubuntu ./run fetches that itself).\n"
    )


def test_the_python_asked_for_is_not_replaced_by_another(machine: Machine) -> None:
    code, _, errors = machine.run("--help", STAMPLAB_PYTHON="/nowhere/python")
    assert code == 77
    assert "STAMPLAB_PYTHON=/nowhere/python is not Python 3.11 to 3.14" in errors


def test_every_missing_program_is_named_where_there_is_no_apt(machine: Machine) -> None:
    machine.remove("git", *ENGINE)
    missing = machine.lacks("git", *ENGINE[:-1])
    code, _, errors = machine.run("repro")
    assert code == 77
    assert f"this machine lacks {', '.join([*missing, 'a static busybox'])} (" in errors
    assert machine.environments() == []


def test_a_dynamic_busybox_does_not_count(machine: Machine) -> None:
    machine.add("busybox", "#!/bin/sh\n# /lib64/ld-linux-x86-64.so.2\n")
    code, _, errors = machine.run("repro")
    assert (code, "this machine lacks a static busybox (" in errors) == (77, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["judge"],
        ["doctor"],
        ["generations"],
        ["run", "stamp_copy"],
        ["abra"],
        ["repro", "--engine=/opt/engine"],
    ],
)
def test_no_engine_is_sought_where_none_is_needed(machine: Machine, arguments: list[str]) -> None:
    machine.remove(*ENGINE)
    assert machine.run(*arguments)[0] == 0


def test_no_engine_is_looked_for_beside_the_callers_own(machine: Machine) -> None:
    machine.remove(*ENGINE)
    assert machine.run("repro", STAMPLAB_ENGINE="/opt/engine")[0] == 0


def test_no_engine_is_looked_for_by_an_ordinary_user(machine: Machine) -> None:
    machine.remove(*ENGINE)
    machine.add("id", "#!/bin/sh\necho 1000\n")
    assert machine.run("repro")[0] == 0


def test_what_reads_repositories_needs_git(machine: Machine) -> None:
    machine.remove("git")
    for command in ("run", "abra"):
        code, _, errors = machine.run(command)
        assert (code, "lacks git" in errors) == (77, True)


def test_doctor_fetches_no_git_but_sees_one_that_was_unpacked(machine: Machine) -> None:
    machine.remove("git")
    assert machine.run("doctor")[0] == 0
    python = machine.cache / machine.environments()[0] / "bin" / "python"
    python.write_text('#!/bin/sh\necho "$PATH"\n')
    unpacked = machine.cache / "git"
    assert str(unpacked) not in machine.run("doctor")[1]
    unpacked.mkdir()
    (unpacked / ".complete").touch()
    assert f":{unpacked}/usr/bin:" in machine.run("doctor")[1]
    assert f":{unpacked}/usr/bin:" not in machine.run("--help")[1]


def test_a_failed_installation_leaves_nothing_and_is_redone(machine: Machine) -> None:
    code, _, errors = machine.run("setup", STUB_PIP="1")
    assert code == 2
    assert "stamplab: cannot install requirements/lock.txt by pip as configured: " in errors
    assert machine.environments() == []
    assert machine.run("setup")[0] == 0


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_broken_set_up_is_redone(machine: Machine, signum: signal.Signals, code: int) -> None:
    with machine.start("setup", STUB_PIP_S="30") as process:
        machine.wait_for_pip()
        os.killpg(process.pid, signum)
        assert process.wait(timeout=10) == code
    assert machine.environments() == []
    assert machine.run("setup")[0] == 0


def test_a_killed_set_up_is_redone(machine: Machine) -> None:
    with machine.start("setup", STUB_PIP_S="30") as process:
        machine.wait_for_pip()
        os.killpg(process.pid, signal.SIGKILL)
    assert len(machine.environments()) == 1
    assert machine.run("setup")[0] == 0
    assert machine.installs() == 2
    assert machine.run("setup") == (0, "", "")


def test_two_at_once_set_up_once(machine: Machine) -> None:
    with machine.start("setup", STUB_PIP_S="1") as first:
        machine.wait_for_pip()
        code, _, errors = machine.run("setup")
        assert first.wait(timeout=10) == 0
    assert (code, errors) == (0, "stamplab: another ./run is setting up; waiting for it.\n")
    assert machine.installs() == 1


@pytest.mark.parametrize("name", ["lock.txt", "zig.txt", "go.txt"])
def test_everything_is_pinned_by_hash_and_no_index_is_named(name: str) -> None:
    text = (REQUIREMENTS / name).read_text()
    requirements = text.replace("\\\n", "").splitlines()
    assert requirements
    for requirement in requirements:
        assert re.match(r"[\w.-]+==\S+( ; [^\\]+?)?( +--hash=sha256:[0-9a-f]{64})+$", requirement)
    assert "://" not in text


def test_the_lock_covers_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = {
        re.split(r"[^\w.-]", wish)[0].lower()
        for wish in project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    }
    locked = set(re.findall(r"^([\w.-]+)==", (REQUIREMENTS / "lock.txt").read_text(), re.MULTILINE))
    assert asked <= locked
