"""How recorders, leases and engines fail: in a sentence, and leaving nothing unsaid."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, cast

import docker
import docker.errors
import msgspec
import psutil
import pytest

from stamplab.lab.errors import LabError, NotPossibleHere
from stamplab.lab.live.engine import REQUIRED, find_engine, link_tools
from stamplab.lab.live.lease import LabFolder, Lease, claim_folder, end_lease
from stamplab.lab.live.recorders.clients import ClientPlan, ClientRecorder
from stamplab.lab.live.recorders.memory import MemoryRecorder
from stamplab.lab.live.recorders.recorder import Recorder
from stamplab.lab.model.history import MemorySample, RecorderLost
from stamplab.lab.model.history_file import HistoryWriter, read_history
from stamplab.lab.support.clock import WorldClock
from stamplab.lab.support.processes import ProcessId, boot_id, pid_namespace
from tests.unit.lab.fake_group import FakeGroup

# Recorders.


@pytest.fixture
def history(tmp_path: Path) -> Iterator[HistoryWriter]:
    history = HistoryWriter(tmp_path / "history.jsonl", time.monotonic)
    yield history
    history.close()


class Scripted(Recorder):
    def __init__(self, history: HistoryWriter, script: Callable[[Recorder], object]) -> None:
        super().__init__("scripted", history, lambda: None)
        self._script = script

    def record(self) -> None:
        self._script(self)


def fail_with(error: BaseException) -> Callable[[Recorder], NoReturn]:
    def script(_: Recorder) -> NoReturn:
        raise error

    return script


def loss_reasons(history: HistoryWriter) -> list[str]:
    records = read_history(history.path)[0]
    return [record.what.reason for record in records if isinstance(record.what, RecorderLost)]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (lambda _: None, "it ended by itself"),
        (fail_with(OSError(5, "Input/output error")), "OSError: [Errno 5] Input/output error"),
        (fail_with(LabError("said already")), "LabError: said already"),
        # rich ends the program when the terminal is gone, whichever thread it is that prints.
        (fail_with(SystemExit(1)), "SystemExit: 1"),
    ],
)
def test_a_recorder_that_ends_before_its_time_is_lost_however_it_ended(
    history: HistoryWriter, script: Callable[[Recorder], object], reason: str
) -> None:
    recorder = Scripted(history, script)
    recorder.start()
    recorder.join(20)
    with pytest.raises(LabError, match="the recorder of scripted was lost: "):
        history.take(0)
    assert loss_reasons(history) == [reason]


def test_what_breaks_because_a_recorder_is_stopped_is_no_loss(history: HistoryWriter) -> None:
    def script(recorder: Recorder) -> None:
        recorder.stopping.wait(20)
        raise OSError(9, "Bad file descriptor")

    recorder = Scripted(history, script)
    recorder.start()
    recorder.stop()
    assert history.take(0) is None
    assert loss_reasons(history) == []


def test_a_recorder_that_does_not_stop_is_named(history: HistoryWriter) -> None:
    release = threading.Event()

    class Stuck(Scripted):
        def join(self, timeout: float | None = None) -> None:
            super().join(min(timeout or 0.0, 0.01))

    recorder = Stuck(history, lambda _: release.wait(20))
    recorder.start()
    with pytest.raises(LabError, match="the recorder of scripted does not stop"):
        recorder.stop()
    release.set()
    threading.Thread.join(recorder, 20)


def test_memory_is_recorded_when_it_changes_and_only_then(history: HistoryWriter) -> None:
    sampled = threading.Event()

    class Group(FakeGroup):
        usages = iter((1, 1, 1, 2, 2, 1))

        def usage_bytes(self) -> int:
            usage = next(self.usages, None)
            if usage is None:
                sampled.set()
            return usage or 1

    recorder = MemoryRecorder(Group(), history)
    recorder.start()
    assert sampled.wait(20)
    recorder.stop()
    samples = [record.what for record in read_history(history.path)[0]]
    assert [s.usage_bytes for s in samples if isinstance(s, MemorySample)] == [1, 2, 1]


def test_clients_of_a_service_that_is_not_there_are_refused_in_a_sentence(
    history: HistoryWriter,
) -> None:
    class Api:
        def inspect_service(self, service: str) -> dict[str, Any]:
            raise docker.errors.NotFound("404", explanation=f"service {service} not found")

    api = cast(docker.APIClient, Api())
    with pytest.raises(LabError, match=r"no client can ask the service shop_app: .*not found"):
        plan = ClientPlan(service="app", port=8080, image="stampload:1")
        ClientRecorder(api, history, WorldClock(), "shop", plan)


def test_the_three_clocks_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    now = {"monotonic": 1000.0, "time": 1_780_000_000.0}
    for name in now:
        monkeypatch.setattr(time, name, lambda name=name: now[name])
    clock = WorldClock()
    now["monotonic"] += 2.5
    assert clock.now_s() == 2.5
    assert clock.of_boot(1002.5) == 2.5
    assert clock.of_unix(1_780_000_002.5) == 2.5
    now["time"] -= 3600  # somebody sets the wall clock back
    assert (clock.now_s(), clock.of_unix(1_780_000_002.5)) == (2.5, 2.5)


# Processes.


def test_a_name_that_is_no_text_does_not_hide_a_process() -> None:
    """Any process may call itself what it likes (prctl(2), PR_SET_NAME)."""
    code = (
        "import ctypes, sys; ctypes.CDLL(None).prctl(15, b'\\xff\\xfe) Z 1', 0, 0, 0);"
        "print('named', flush=True); sys.stdin.read()"
    )
    if not hasattr(ctypes.CDLL(None), "prctl"):
        pytest.skip("a name is set by prctl(2)")
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"named\n"
        identity = ProcessId.of(process.pid)
        assert identity is not None
        assert identity.is_alive()
        assert identity.kill(timeout_s=20)


def test_there_is_no_process_where_there_is_no_pid() -> None:
    assert ProcessId.of(2**22 + 1) is None
    never = ProcessId(pid=2**22 + 1, started_ticks=0, boot_id=boot_id(), namespace=pid_namespace())
    assert not never.is_alive()
    assert never.kill(timeout_s=0)


def test_a_process_that_outlives_its_kill_is_not_said_to_be_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wait(_: psutil.Process, timeout: float | None = None) -> NoReturn:
        raise psutil.TimeoutExpired(timeout or 0)

    monkeypatch.setattr(psutil.Process, "kill", lambda _: None)
    monkeypatch.setattr(psutil.Process, "wait", wait)
    own = ProcessId.of(os.getpid())
    assert own is not None
    assert not own.kill(timeout_s=0)


# Leases.


@pytest.fixture
def claimed(tmp_path: Path) -> tuple[LabFolder, Lease]:
    return claim_folder(tmp_path / "labs", kept=False)


def test_a_lease_is_replaced_whole_under_the_eyes_of_readers(
    claimed: tuple[LabFolder, Lease],
) -> None:
    folder, lease = claimed
    done = threading.Event()
    seen: set[Lease] = set()

    def read() -> None:
        while not done.is_set():
            seen.add(folder.read_lease())

    reader = threading.Thread(target=read)
    reader.start()
    kept = msgspec.structs.replace(lease, kept=True, init=lease.owner)
    for _ in range(50):
        folder.write_lease(kept)
        folder.write_lease(lease)
    done.set()
    reader.join(20)
    assert {lease} <= seen <= {lease, kept}


def test_a_lease_that_cannot_be_replaced_stays_as_it_was(
    claimed: tuple[LabFolder, Lease],
) -> None:
    folder, lease = claimed
    folder.lease_file.with_suffix(".new").mkdir()
    with pytest.raises(LabError, match=r"lease .*lease\.json cannot be written: Is a directory"):
        folder.write_lease(msgspec.structs.replace(lease, kept=True))
    assert folder.read_lease() == lease


def test_a_folder_whose_lease_cannot_be_written_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_lease(folder: LabFolder, _: Lease) -> NoReturn:
        raise LabError(f"the lease {folder.lease_file} cannot be written: disk full")

    monkeypatch.setattr(LabFolder, "write_lease", write_lease)
    with pytest.raises(LabError, match="disk full"):
        claim_folder(tmp_path / "labs", kept=False)
    assert not (tmp_path / "labs").exists()


def test_only_their_owner_may_look_into_a_labs_folder(claimed: tuple[LabFolder, Lease]) -> None:
    assert claimed[0].path.stat().st_mode & 0o077 == 0


def test_a_lease_goes_with_its_process(claimed: tuple[LabFolder, Lease]) -> None:
    folder, lease = claimed
    group = FakeGroup()
    with subprocess.Popen(["sleep", "60"]) as process:
        init = ProcessId.of(process.pid)
        assert init is not None
        end_lease(folder, msgspec.structs.replace(lease, init=init), group)
        assert not init.is_alive()
    assert group.removed == 1
    assert not folder.path.parent.exists()


def test_a_lease_whose_process_is_long_gone_is_ended_all_the_same(
    claimed: tuple[LabFolder, Lease],
) -> None:
    folder, lease = claimed
    gone = msgspec.structs.replace(lease.owner, boot_id="an earlier boot")
    end_lease(folder, msgspec.structs.replace(lease, init=gone), FakeGroup())
    assert not folder.path.exists()


def test_a_process_that_does_not_die_keeps_its_lease(
    claimed: tuple[LabFolder, Lease], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, lease = claimed
    monkeypatch.setattr(ProcessId, "kill", lambda *_, **__: False)
    group = FakeGroup()
    with pytest.raises(LabError, match=rf"process {os.getpid()} .* does not die; its lease stays"):
        end_lease(folder, msgspec.structs.replace(lease, init=lease.owner), group)
    assert group.removed == 0
    assert folder.read_lease() == lease


def test_a_group_that_does_not_go_keeps_its_lease(claimed: tuple[LabFolder, Lease]) -> None:
    folder, lease = claimed
    with pytest.raises(LabError, match="control group cannot be removed"):
        end_lease(folder, lease, FakeGroup(refuses=True))
    assert folder.read_lease() == lease


# Engines.


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on PATH and an empty cache."""
    monkeypatch.setenv("PATH", str(tmp_path / "host"))
    monkeypatch.setenv("STAMPLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("stamplab.lab.live.engine._SYSTEM_FOLDERS", ())
    return tmp_path


def put(folder: Path, *names: str, script: str = "echo Docker version 1.2.3, build abc") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return folder


def test_all_that_is_missing_is_named_at_once(bare: Path) -> None:
    put(bare / "host", "sh", "mount", "ip")
    with pytest.raises(NotPossibleHere) as raised:
        find_engine()
    named = str(raised.value).partition(": ")[2].partition(" not found")[0].split(", ")
    assert named == [name for name in REQUIRED if name not in {"sh", "mount", "ip"}]


def test_what_a_folder_lacks_is_taken_from_path(bare: Path) -> None:
    put(bare / "host", *REQUIRED)
    put(bare / "engine" / "sbin", "dockerd")
    engine = find_engine(bare / "engine")
    assert engine.tools["dockerd"] == bare / "engine" / "sbin" / "dockerd"
    assert engine.tools["mount"] == bare / "host" / "mount"
    assert engine.source == str(bare / "engine")


def test_a_folder_without_an_engine_does_not_pass_for_the_one_on_path(bare: Path) -> None:
    put(bare / "host", *REQUIRED)
    (bare / "engine").mkdir()
    with pytest.raises(NotPossibleHere, match=r"there is no dockerd in .*engine"):
        find_engine(bare / "engine")


def test_an_engine_given_by_a_relative_path_is_found_from_anywhere(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bare / "engine" / "bin", *REQUIRED)
    monkeypatch.chdir(bare)
    engine = find_engine(Path("engine"))
    assert all(tool.is_absolute() and tool.exists() for tool in engine.tools.values())


def test_what_cannot_be_executed_is_not_found(bare: Path) -> None:
    put(bare / "host", *REQUIRED)
    (bare / "host" / "runc").chmod(0o644)
    with pytest.raises(NotPossibleHere, match=": runc not found"):
        find_engine()


def test_optional_tools_may_be_absent_or_go_by_another_name(bare: Path) -> None:
    put(bare / "host", *REQUIRED)
    assert "docker-init" not in find_engine().tools
    put(bare / "host", "tini")
    assert find_engine().tools["docker-init"].name == "tini"


def test_a_tool_of_many_names_is_called_by_the_name_that_is_meant(bare: Path) -> None:
    names = set(REQUIRED) - {"iptables", "ip6tables"}
    put(bare / "host", *names)
    put(bare / "host", "xtables-nft-multi", script="echo ${0##*/}")
    links = link_tools(find_engine(), bare / "bin")
    for name in ("iptables", "ip6tables", "iptables-save"):
        ran = subprocess.run([links / name], capture_output=True, text=True, check=True)
        assert ran.stdout == f"{name}\n"


def test_without_libraries_beside_it_an_engine_needs_no_environment(bare: Path) -> None:
    put(bare / "engine" / "bin", *REQUIRED)
    (bare / "engine" / "lib" / "x86_64-linux-gnu").mkdir(parents=True)
    assert find_engine(bare / "engine").environment == {}


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo libdevmapper.so.1: cannot open >&2; exit 127", r"libdevmapper\.so\.1: cannot open"),
        ("exit 3", "exit status 3"),
    ],
)
def test_an_engine_that_does_not_run_is_quoted(bare: Path, script: str, message: str) -> None:
    put(bare / "host", *REQUIRED)
    put(bare / "host", "dockerd", script=script)
    with pytest.raises(LabError, match=rf"dockerd does not run: .*{message}"):
        find_engine()


def test_an_engine_of_another_machine_is_said_not_to_run(bare: Path) -> None:
    put(bare / "host", *REQUIRED)
    (bare / "host" / "dockerd").write_bytes(b"\x7fELF of another machine")
    with pytest.raises(LabError, match=r"dockerd does not run: .*Exec format error"):
        find_engine()
