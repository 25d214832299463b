"""Leases: whole at every moment, kept where a lab cannot be ended, and gone with it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest

from stamplab.lab.errors import LabError, UsageError
from stamplab.lab.live.lease import LabFolder, Lease, claim_folder, end_lease
from stamplab.lab.support.processes import ProcessId
from tests.reading import reading
from tests.unit.lab.fake_group import FakeGroup


@pytest.fixture
def claimed(tmp_path: Path) -> tuple[LabFolder, Lease]:
    return claim_folder(tmp_path / "labs", kept=False)


def test_a_lease_is_replaced_whole_under_its_readers(claimed: tuple[LabFolder, Lease]) -> None:
    folder, lease = claimed
    seen: set[Lease] = set()
    kept = msgspec.structs.replace(lease, kept=True, init=lease.owner)
    with reading(lambda: seen.add(folder.read_lease())):
        for _ in range(50):
            folder.write_lease(kept)
            folder.write_lease(lease)
    assert {lease} <= seen <= {lease, kept}


def test_a_lease_that_cannot_be_replaced_stays_as_it_was(claimed: tuple[LabFolder, Lease]) -> None:
    folder, lease = claimed
    folder.lease_file.with_suffix(".new").mkdir()
    with pytest.raises(LabError, match=r"lease .*lease\.json cannot be written: Is a directory"):
        folder.write_lease(msgspec.structs.replace(lease, kept=True))
    assert folder.read_lease() == lease


def test_no_folder_stays_without_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_lease_whose_process_is_long_gone_is_ended(claimed: tuple[LabFolder, Lease]) -> None:
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


def test_a_lease_is_there_from_the_first_moment_and_nothing_after_the_last(tmp_path: Path) -> None:
    root = tmp_path / "labs"
    folder, lease = claim_folder(root, kept=False)
    assert folder.read_lease() == lease
    assert lease.owner == ProcessId.of(os.getpid())
    assert lease.cgroup == f"/stamplab-{lease.lab_id}"
    assert folder.scratch.is_dir()
    group = FakeGroup()
    end_lease(folder, lease, group)
    assert group.removed == 1
    assert not root.exists()


def test_the_labs_root_stays_while_another_lab_is_in_it(tmp_path: Path) -> None:
    first, lease = claim_folder(tmp_path / "labs", kept=False)
    second, _ = claim_folder(tmp_path / "labs", kept=False)
    end_lease(first, lease, FakeGroup())
    assert second.read_lease().lab_id == second.lab_id


def test_a_socket_path_too_long_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    root = tmp_path / ("long" * 25)
    with pytest.raises(LabError, match="STAMPLAB_DIR to a shorter folder"):
        claim_folder(root, kept=False)
    assert not root.exists()


def test_a_relative_root_is_refused() -> None:
    with pytest.raises(UsageError, match="absolute"):
        claim_folder(Path("labs"), kept=False)


def test_a_root_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match="Not a directory"):
        claim_folder(tmp_path / "file" / "labs", kept=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_root_of_another_user_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "labs"
    root.mkdir()
    os.chown(root, 12345, 12345)
    with pytest.raises(LabError, match="belongs to another user"):
        claim_folder(root, kept=False)
    assert not list(root.glob("lab-*"))


def test_a_lease_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = LabFolder(tmp_path / "lab-1")
    with pytest.raises(LabError, match="cannot be read"):
        folder.read_lease()
    folder.path.mkdir()
    folder.lease_file.write_text("{")
    with pytest.raises(LabError, match="cannot be read"):
        folder.read_lease()
