"""C12: holds only if a constant tool is told from a changed one, and from one that is not known."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from stamplab.claims import abra_unchanged as module
from stamplab.claims.abra_unchanged import constant
from stamplab.harness.checks import tool_constancy
from stamplab.harness.checks.tool_constancy import Ruling
from stamplab.harness.verdict import Verdict
from stamplab.lab.nixos.fixtures import Made, make_profiles, object_name
from stamplab.lab.nixos.generations import Profile, read_profile

NOWHERE = Path("/nowhere/profiles")


def test_it_holds_and_says_plainly_what_was_read(tmp_path: Path) -> None:
    claim = constant(tmp_path / "constant", NOWHERE)
    assert (claim.id, claim.verdict, claim.where) == ("C12", Verdict.PASS, "constant/")
    assert claim.evidence == (
        "the reading, on made trees of links (not on the field's host): as in the report: constant "
        "since generation 4 (2026-06-01 12:00): the same store path in 8 generations, "
        f"/store/bf6azhpi{'0' * 24}-abra-0.13.0-beta; none is older; so it is the same from "
        "2026-06-01 12:00 to 2026-06-11 12:00; changed on the 8th: fail; one garbage-collected: "
        "unknown; one deleted: unknown; abra absent in one: unknown; too young: unknown; "
        "this machine has no generations of its own (no /nowhere/profiles)"
    )


def test_the_trees_are_left_as_evidence(tmp_path: Path) -> None:
    constant(tmp_path / "constant", NOWHERE)
    links = sorted((tmp_path / "constant" / "as-in-the-report" / "profiles").glob("system-*-link"))
    assert len(links) == 8


@pytest.mark.parametrize("blind", Verdict)
def test_a_judge_that_always_says_the_same_fails_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blind: Verdict
) -> None:
    def judge(
        read: Profile, since: datetime | None = None, until: datetime | None = None
    ) -> Ruling:
        steps = tool_constancy.timeline(read)
        return Ruling(verdict=blind, sentence="so it is", steps=steps, changes=())

    monkeypatch.setattr(module, "judge_constancy", judge)
    claim = constant(tmp_path / "constant", NOWHERE)
    assert claim.verdict is Verdict.FAIL
    assert f": {blind} (so it is), and not " in claim.evidence


def test_trees_that_cannot_be_made_leave_it_unknown(tmp_path: Path) -> None:
    (tmp_path / "constant").touch()
    claim = constant(tmp_path / "constant", NOWHERE)
    assert claim.verdict is Verdict.UNKNOWN
    assert "the trees could not be made and read: " in claim.evidence


def test_this_machines_own_generations_are_quoted_and_decide_nothing(tmp_path: Path) -> None:
    made = Made(number=7, made=datetime(2026, 6, 2).astimezone(), tool=object_name("abra-1"))
    host = make_profiles(tmp_path / "host", [made])
    claim = constant(tmp_path / "constant", host)
    assert claim.verdict is Verdict.PASS
    assert "; on this machine: constant since generation 7 (2026-06-02 00:00): " in claim.evidence
    (host / "system-7-link").unlink()
    claim = constant(tmp_path / "again", host)
    assert claim.verdict is Verdict.PASS
    assert claim.evidence.endswith("; on this machine: unknown: there is no generation")


def test_generations_that_cannot_be_read_are_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = tmp_path / "host"
    host.mkdir()

    def refuse(folder: Path) -> Profile:
        if folder == host:
            raise PermissionError(13, "Permission denied", str(folder))
        return read_profile(folder)

    monkeypatch.setattr(module, "read_profile", refuse)
    claim = constant(tmp_path / "constant", host)
    assert claim.verdict is Verdict.PASS
    assert "this machine's own generations could not be read: " in claim.evidence
