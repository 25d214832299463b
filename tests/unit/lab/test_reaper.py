"""What dead labs left is told from what live ones need, whenever the owner died."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from stamplab.lab.cgroup.host import CgroupHost
from stamplab.lab.errors import UsageError
from stamplab.lab.live import reaper
from stamplab.lab.live.lab import end_lab
from stamplab.lab.live.lease import MARK, LabFolder, Lease, claim_folder, claim_name
from stamplab.lab.live.reaper import Standing, reap, survey
from stamplab.lab.support.processes import ProcessId, processes_with_variable
from tests import PYTHON_PATH

GONE = ProcessId(pid=2**22 + 1, started_ticks=1, boot_id="an-earlier-boot", namespace="pid:[1]")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "labs"


@pytest.fixture
def host(tmp_path: Path) -> CgroupHost:
    memory, cpu = tmp_path / "memory", tmp_path / "cpu"
    memory.mkdir()
    cpu.mkdir()
    return CgroupHost(v1={"memory": memory, "cpu": cpu}, unified=None)


def lab(root: Path, host: CgroupHost, **changes: object) -> tuple[LabFolder, Lease]:
    """A lab of our own, or (with an owner that is gone) a dead one, with groups on the host."""
    folder, lease = claim_folder(root, kept=False)
    for hierarchy in set(host.v1.values()):
        (hierarchy / folder.name / "container").mkdir(parents=True)
    changed = msgspec.structs.replace(lease, **changes)
    folder.write_lease(changed)
    return folder, changed


def standings(root: Path, host: CgroupHost) -> list[Standing]:
    return [lab.standing for lab in survey(root, host)]


@pytest.fixture
def stranger() -> Iterator[ProcessId]:
    with subprocess.Popen(["sleep", "600"]) as process:
        identity = ProcessId.of(process.pid)
        assert identity is not None
        yield identity
        process.kill()


def test_a_dead_lab_goes_with_its_groups_and_a_live_one_stays(root: Path, host: CgroupHost) -> None:
    live, _ = lab(root, host)
    dead, _ = lab(root, host, owner=GONE)
    (only,) = reap(root, host)
    assert (only.lab.name, only.resisted) == (dead.lab_id, "")
    assert [path.name for path in root.iterdir()] == [live.path.name]
    for hierarchy in host.v1.values():
        assert [path.name for path in hierarchy.iterdir()] == [live.name]
    assert reap(root, host) == ()


def test_the_last_dead_lab_takes_the_root_with_it(root: Path, host: CgroupHost) -> None:
    lab(root, host, owner=GONE)
    reap(root, host)
    assert not root.exists()
    assert survey(root, host) == ()


def test_what_the_dead_labs_processes_are_is_killed(root: Path, host: CgroupHost) -> None:
    folder, _ = lab(root, host, owner=GONE)
    environment = {**os.environ, MARK: folder.lab_id}
    others = {**os.environ, MARK: folder.lab_id[::-1] + "x"}
    with (
        subprocess.Popen(["sleep", "600"], env=environment) as theirs,
        subprocess.Popen(["sleep", "600"], env=others) as other,
    ):
        assert [process.pid for process in processes_with_variable(MARK, folder.lab_id)] == [
            theirs.pid
        ]
        reap(root, host)
        assert processes_with_variable(MARK, folder.lab_id) == []
        assert other.poll() is None
        other.kill()


def test_a_kept_lab_dies_with_its_init(root: Path, host: CgroupHost, stranger: ProcessId) -> None:
    folder, lease = lab(root, host, owner=GONE, kept=True, init=stranger)
    (status,) = survey(root, host)
    assert status.standing is Standing.KEPT
    assert f"stamplab end {folder.lab_id}" in status.what
    assert reap(root, host) == ()
    assert stranger.kill(timeout_s=20)
    assert standings(root, host) == [Standing.DEAD]
    folder.write_lease(msgspec.structs.replace(lease, init=None))  # never got that far
    assert standings(root, host) == [Standing.DEAD]


def test_what_another_pid_namespace_owns_is_left_alone(root: Path, host: CgroupHost) -> None:
    _, lease = lab(root, host)
    elsewhere = msgspec.structs.replace(lease.owner, namespace="pid:[1]")
    lab(root, host, owner=elsewhere)
    lab(root, host, owner=elsewhere, kept=True)
    assert sorted(standings(root, host)) == [Standing.AT_WORK, Standing.UNCLEAR, Standing.UNCLEAR]
    assert reap(root, host) == ()


def test_what_another_pid_namespace_owns_cannot_be_ended_from_here(
    root: Path, host: CgroupHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, lease = lab(root, host)
    elsewhere = msgspec.structs.replace(lease.owner, namespace="pid:[1]")
    folder, _ = lab(root, host, owner=elsewhere, kept=True)
    monkeypatch.setenv("STAMPLAB_DIR", str(root))
    with pytest.raises(UsageError, match=r"another pid namespace \(pid:\[1\]\): end it there"):
        end_lab(folder.lab_id)
    assert folder.lease_file.exists()


def test_a_lab_that_resists_keeps_its_lease_and_the_others_go(root: Path, host: CgroupHost) -> None:
    folders = sorted((lab(root, host, owner=GONE)[0] for _ in range(2)), key=lambda f: f.path)
    (host.v1["cpu"] / folders[0].name / "a-process").touch()
    resisting, gone = reap(root, host)
    assert "cannot be removed" in resisting.resisted
    assert gone.resisted == ""
    assert [path.name for path in root.iterdir()] == [folders[0].path.name]


def test_what_is_no_labs_or_has_no_lease_is_told_and_left(root: Path, host: CgroupHost) -> None:
    (root / "lab-without").mkdir(parents=True)
    (root / "notes.txt").touch()
    (root / ".claim-1a2b3c4d.nonsense").mkdir()
    (host.v1["memory"] / "stamplab-00000000").mkdir()
    assert standings(root, host) == [Standing.UNCLEAR] * 4
    assert reap(root, host) == ()
    assert len(list(root.iterdir())) == 3


DYING = """
import os, sys
from pathlib import Path
from stamplab.lab.live import lease

left = int(sys.argv[2])

def step(name, real):
    def stepped(*arguments, **options):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), 9)
        return real(*arguments, **options)
    return stepped

for name in ("mkdir", "rmdir", "write_bytes", "replace"):
    setattr(Path, name, step(name, getattr(Path, name)))
lease.shutil.rmtree = step("rmtree", lease.shutil.rmtree)

class Group:
    def remove(self):
        os.stat("/")

folder, held = lease.claim_folder(Path(sys.argv[1]), kept=False)
lease.end_lease(folder, held, Group())
"""


def test_an_owner_killed_at_any_step_leaves_what_is_reaped(root: Path, host: CgroupHost) -> None:
    """Every step of claiming and ending a lab is its last one once."""
    codes: list[int] = []
    while not codes or codes[-1] != 0:
        command = [sys.executable, "-c", DYING, str(root), str(len(codes))]
        done = subprocess.run(command, env={**os.environ, "PYTHONPATH": PYTHON_PATH}, check=False)
        codes.append(done.returncode)
        assert len(codes) < 40
        assert Standing.UNCLEAR not in standings(root, host)
        assert all(reaped.resisted == "" for reaped in reap(root, host))
        assert not root.exists() or list(root.iterdir()) == []
    assert codes == [-9] * (len(codes) - 1) + [0]
    assert len(codes) > 8


def test_a_folder_that_is_being_made_is_known_by_its_name(root: Path, host: CgroupHost) -> None:
    own = ProcessId.of(os.getpid())
    assert own is not None
    (root / claim_name("1a2b3c4d", own)).mkdir(parents=True)
    (lab,) = survey(root, host)
    assert (lab.name, lab.standing) == ("1a2b3c4d", Standing.AT_WORK)
    assert reap(root, host) == ()


def test_two_reapers_do_not_trip_over_each_other(root: Path, host: CgroupHost) -> None:
    folder, _ = lab(root, host, owner=GONE)
    assert reaper.reap(root, host)[0].resisted == ""
    folder.remove()  # what the slower one does then


@pytest.mark.parametrize("token", ["", "1", "1.2", "1.2.boot", "x.2.boot.pid:[1]", "1.x.boot.pid"])
def test_what_is_no_identity_is_read_as_none(token: str) -> None:
    assert ProcessId.from_token(token) is None


def test_an_identity_comes_back_from_a_name() -> None:
    own = ProcessId.of(os.getpid())
    assert own is not None
    assert ProcessId.from_token(own.token) == own
    assert not own.in_other_pid_namespace
    assert "/" not in own.token
