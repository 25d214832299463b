"""The host is the same before and after a lab, however the lab ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil
import pytest

from stamplab.lab.cgroup.host import read_cgroup_host
from stamplab.lab.live.lab import Apparatus, live_lab
from stamplab.lab.live.lease import LabFolder, labs_root
from stamplab.lab.live.reaper import reap
from tests.cli.reproduction import assert_every_claim_passed, read, run, start
from tests.live import host, traces
from tests.programs import python, wait_until

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("reaping_alone")]


@pytest.fixture(scope="module")
def warm(apparatus: Apparatus, tmp_path_factory: pytest.TempPathFactory) -> Apparatus:
    """Let the kernel load what it loads for a first lab: it does so outside of all namespaces.

    Those modules are all that a lab leaves until the next boot.
    """
    if Path("/proc/modules").exists():
        with live_lab(apparatus, tmp_path_factory.mktemp("warm"), "app", 8080):
            pass
    return apparatus


@pytest.fixture
def before(warm: Apparatus) -> host.Snapshot:
    return host.snapshot()


@pytest.fixture
def upgrading(
    before: host.Snapshot, tmp_path: Path, evidence: Path
) -> Iterator[subprocess.Popen[str]]:
    """A command that is in the middle of its first upgrade."""
    process = start(tmp_path, "--claim=control")
    try:
        console = evidence / "a-ample" / "console.log"
        wait_until(lambda: "stage upgrade" in read(console), "the upgrade")
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture
def no_traces(before: host.Snapshot) -> Iterator[None]:
    """Labs leave nothing of their own either."""
    traces_before = traces.everything()
    yield
    assert traces.left_since(traces_before) == {}


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    """The evidence of the command that runs in the test's folder."""
    return tmp_path / "runs" / "repro-discourse" / "latest"


@pytest.mark.usefixtures("no_traces")
def test_after_success(before: host.Snapshot, tmp_path: Path) -> None:
    done = run(folder=tmp_path)
    assert_every_claim_passed(done, tmp_path)
    assert host.differences_since(before) == {}


@pytest.mark.usefixtures("no_traces")
def test_after_a_daemon_that_dies(
    before: host.Snapshot, upgrading: subprocess.Popen[str], evidence: Path
) -> None:
    for child in psutil.Process(upgrading.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # a health check that has just ended
            if child.name() == "dockerd":
                child.kill()
    _, stderr = upgrading.communicate(timeout=120)
    assert upgrading.returncode == 2, stderr
    assert "Traceback" not in stderr
    assert "stamplab: the lab's dockerd ended by itself" in stderr.splitlines()[-1]
    verdict = msgspec.json.decode((evidence / "verdict.json").read_bytes())
    assert verdict["verdict"] == "unknown"
    assert host.differences_since(before) == {}


@pytest.mark.usefixtures("no_traces")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_after_an_interrupt_the_evidence_is_kept(
    before: host.Snapshot,
    upgrading: subprocess.Popen[str],
    evidence: Path,
    number: signal.Signals,
    code: int,
) -> None:
    upgrading.send_signal(number)
    _, stderr = upgrading.communicate(timeout=120)
    assert upgrading.returncode == code, stderr
    assert "Traceback" not in stderr
    assert "the lab was torn down" in stderr
    verdict = msgspec.json.decode((evidence / "verdict.json").read_bytes())
    assert verdict["verdict"] == "unknown"
    assert "interrupted" in verdict["note"]
    assert read(evidence / "a-ample" / "history.jsonl").endswith("\n")
    assert host.differences_since(before) == {}


def test_kill_9_leaves_what_the_lease_names_and_nothing_else(
    before: host.Snapshot, upgrading: subprocess.Popen[str]
) -> None:
    folder = lab_of(upgrading.pid)
    lease = folder.read_lease()
    upgrading.kill()
    upgrading.communicate(timeout=120)

    def is_leased(name: str) -> bool:
        is_folder = name in {f"file {folder.path}", f"file {labs_root()}"}
        return is_folder or bool(re.fullmatch(rf"control group /.*{lease.cgroup}(/.*)?", name))

    assert host.differences_since(before, but=is_leased) == {}
    left = host.differences(before, host.snapshot())
    assert f"file {folder.path}" in left
    assert any(name.endswith(lease.cgroup) for name in left)
    assert lease.init is not None
    assert not lease.init.is_alive()
    assert [removal.resisted for removal in reap() if removal.lab.name == lease.lab_id] == [""]
    assert host.differences_since(before) == {}


def test_a_control_group_is_seen(before: host.Snapshot) -> None:
    cgroups = read_cgroup_host()
    root = cgroups.v1["memory"] if cgroups.memory_version == 1 else cgroups.unified
    assert root is not None
    group = root / "stamplab-test"
    group.mkdir()
    try:
        changes = host.differences(before, host.snapshot())
    finally:
        group.rmdir()
    assert changes[f"control group {group}"] == (None, "")
    assert host.differences_since(before) == {}


LISTEN = """
import os, socket
if os.fork():
    os._exit(0)
listener = socket.create_server(("127.0.0.1", 0))
print(os.getpid(), f"0100007F:{listener.getsockname()[1]:04X}", flush=True)
os.close(1)
listener.accept()
"""


@pytest.mark.parametrize(("home", "value"), [("/", host.THEIRS), ("/x/lab-0123abcd", "")])
def test_an_orphan_counts_if_it_is_of_a_lab(home: str, value: str) -> None:
    """Its parent is gone, so only what it was started with tells whose it is."""
    command = [sys.executable, "-I", "-c", LISTEN]
    done = subprocess.run(
        command, env={"HOME": home}, stdout=subprocess.PIPE, text=True, timeout=60, check=True
    )
    pid, address = done.stdout.split()
    try:
        assert host.snapshot()[f"socket tcp {address}"] == value
    finally:
        os.kill(int(pid), signal.SIGKILL)


# Every change is made inside of namespaces that end with the script, on a host's whole snapshot.
CHANGES = """
import socket, subprocess, sys
from pathlib import Path
from tests.live import host

def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)

folder = Path(sys.argv[1])
before = host.snapshot()
ip("link", "set", "lo", "up")
ip("link", "add", "stamplab-test", "type", "bridge")
ip("rule", "add", "from", "192.0.2.7", "table", "main", "priority", "77")
ip("-6", "route", "add", "blackhole", "2001:db8::/32")
forward = "/proc/sys/net/ipv4/ip_forward"
Path(forward).write_text(str(1 - int(before[forward])))
listeners = [socket.create_server(("127.0.0.1", 2377)), socket.socket(socket.AF_UNIX)]
listeners[1].bind(str(folder / "test.sock"))
listeners[1].listen()
subprocess.run(["mount", "-t", "tmpfs", "stamplab-test", str(folder)], check=True)
for name, (was, now) in host.differences(before, host.snapshot()).items():
    print(name)
"""


def test_each_kind_of_change_is_seen(apparatus: Apparatus, tmp_path: Path) -> None:
    own = ("unshare", "--mount", "--net", "--propagation=private")
    done = python("-c", CHANGES, str(tmp_path), prefix=own)
    assert done.returncode == 0, done.stderr
    output = done.stdout
    for change in (
        "link stamplab-test",
        "link lo",
        "addresses of lo",
        'rule -4 {"',
        'route -6 {"dev": "lo", "dst": "2001:db8::/32"',
        "/proc/sys/net/ipv4/ip_forward",
        "/proc/sys/net/ipv4/conf/stamplab-test/forwarding",
        "socket tcp 0100007F:0949",
        f"socket unix {tmp_path}/test.sock",
    ):
        assert change in output, output
    assert any("stamplab-test" in line for line in output.splitlines() if line[:6] == "mount "), (
        output
    )


def test_a_rule_of_the_packet_filter_is_seen(apparatus: Apparatus) -> None:
    tool = apparatus.engine.tools["iptables"]
    name = "iptables" if tool.name == "xtables-nft-multi" else ""
    script = f"""
import subprocess
from tests.live import host
before = host.snapshot()
command = [word for word in ({str(tool)!r}, {name!r}, "-t", "nat", "-N", "STAMPLAB-TEST") if word]
subprocess.run(command, env={apparatus.engine.environment!r}, check=True)
print(host.differences(before, host.snapshot()))
"""
    done = python("-c", script, prefix=("unshare", "--net"))
    assert ":STAMPLAB-TEST -" in done.stdout, done.stdout + done.stderr


def test_what_is_somebody_elses_may_change() -> None:
    mine, theirs = {"a": "1", "b": ""}, {"a": "1", "b": "", "socket": host.THEIRS}
    assert host.differences(mine, theirs) == {}
    assert host.differences(theirs, mine) == {}
    assert host.differences({**mine, "socket": ""}, theirs) == {}
    assert host.differences(mine, {"a": "2", "c": ""}) == {
        "a": ("1", "2"),
        "b": ("", None),
        "c": (None, ""),
    }


def lab_of(owner: int) -> LabFolder:
    """The lab that a command has up."""
    for path in labs_root().iterdir():
        folder = LabFolder(path)
        if f'"pid": {owner},' in read(folder.lease_file):
            return folder
    raise AssertionError(f"process {owner} has no lab")
