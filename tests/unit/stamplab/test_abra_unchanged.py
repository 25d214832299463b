"""C12 on a machine's own NixOS generations, and what it says where there are none to judge."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from stamplab.claims import offline_claims
from stamplab.claims.abra_unchanged import abra_is_unchanged
from stamplab.claims.discourse import Claim, counted_verdicts
from stamplab.claims.plan import CLAIMS, Choice
from stamplab.cli.repro_discourse import report_on
from stamplab.harness.verdict import Verdict
from stamplab.lab.errors import NotPossibleHere
from stamplab.render import show_report
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.play_record import PlayRecord
from stamplab.scenarios.discourse.plays import Settings
from tests.nixos_profiles import GenerationSpec, make_profiles, object_name

# The report quotes only the digest's beginning; object_name fills it up with zeros.
ABRA = object_name("abra-0.13.0-beta", "bf6azhpi")
OTHER = object_name("abra-0.14.0-beta")
DAYS = {4: 1, 5: 2, 6: 3, 7: 5, 8: 6, 9: 8, 10: 10, 11: 11}
"""When in June 2026 each generation was made; only the first and the last are the report's."""
NOWHERE = Path("/nowhere/profiles")


def generations(
    changed_at: int = 99, *, collected: int = 0, absent: int = 0, month: int = 6
) -> list[GenerationSpec]:
    return [
        GenerationSpec(
            number=number,
            made=datetime(2026, month, day, 12).astimezone(),
            tool=None if number == absent else ABRA if number < changed_at else OTHER,
            collected=number == collected,
        )
        for number, day in DAYS.items()
    ]


def claim_on(folder: Path, made: list[GenerationSpec]) -> Claim:
    return abra_is_unchanged(make_profiles(folder.resolve(), made))


def without(number: int) -> list[GenerationSpec]:
    return [spec for spec in generations() if spec.number != number]


@pytest.mark.parametrize(
    ("made", "verdict", "evidence"),
    [
        (generations(), Verdict.PASS, "the same store path in 8 generations, "),
        (generations(changed_at=9), Verdict.FAIL, "generation 9 (2026-06-08 12:00) has "),
        (generations(changed_at=12), Verdict.PASS, "so it is the same from 2026-06-01 23:59 to "),
        (generations(collected=8), Verdict.UNKNOWN, "generation 8 (2026-06-06 12:00): gone ("),
        (without(8), Verdict.UNKNOWN, "generation 8: gone (deleted: it has no link)"),
        (generations(absent=8), Verdict.UNKNOWN, "the tool is absent"),
        (without(4), Verdict.UNKNOWN, "nothing is known of 2026-06-01 23:59: the oldest that is"),
    ],
)
def test_generations_of_the_time_of_the_report_are_judged(
    tmp_path: Path, made: list[GenerationSpec], verdict: Verdict, evidence: str
) -> None:
    claim = claim_on(tmp_path, made)
    assert (claim.id, claim.verdict, claim.not_possible_here) == ("C12", verdict, "")
    assert evidence in claim.evidence
    assert claim.where == str(tmp_path.resolve() / "profiles")
    assert counted_verdicts([claim]) == (verdict,)


def test_a_change_after_the_report_explains_nothing(tmp_path: Path) -> None:
    later = GenerationSpec(number=12, made=datetime(2026, 7, 1).astimezone(), tool=OTHER)
    assert claim_on(tmp_path, [*generations(), later]).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (
            [msgspec.structs.replace(spec, tool=None) for spec in generations()],
            "none of this machine's 8 generations has abra",
        ),
        (generations(month=7), "this machine's oldest generation is of 2026-07-01, after the"),
    ],
)
def test_generations_that_are_none_of_the_reports_are_not_judged(
    tmp_path: Path, made: list[GenerationSpec], reason: str
) -> None:
    claim = claim_on(tmp_path, made)
    assert claim.verdict is None
    assert claim.not_possible_here.startswith(reason)


def test_a_profile_without_a_generation_is_not_judged(tmp_path: Path) -> None:
    claim = claim_on(tmp_path, [])
    assert claim.verdict is None
    profiles = tmp_path.resolve() / "profiles"
    assert claim.not_possible_here == f"{profiles} has no generation of a NixOS system"


def test_what_is_unreadable_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("stamplab.claims.abra_unchanged.read_profile", refuse)
    claim = claim_on(tmp_path, generations())
    assert claim.verdict is Verdict.UNKNOWN
    assert "this machine's generations cannot be read: " in claim.evidence


def test_without_generations_the_verdict_ignores_it(played: dict[str, PlayRecord]) -> None:
    claim = abra_is_unchanged(NOWHERE)
    plays = {key: [play] for key, play in played.items()}
    claims = tuple(name for name in CLAIMS if name not in {"C2", "C9"})
    choice = Choice(settings=Settings(), claims=claims)
    report = report_on(choice, plays, EvidenceFolder(Path("runs")), "again", "", [claim])
    assert report.claims[-1] == claim
    assert report.verdict is Verdict.PASS
    changed = msgspec.structs.replace(claim, verdict=Verdict.FAIL)
    report = report_on(choice, plays, EvidenceFolder(Path("runs")), "again", "", [changed])
    assert report.verdict is Verdict.FAIL


def test_a_person_and_a_machine_read_why_it_is_not_possible() -> None:
    claim = abra_is_unchanged(NOWHERE)
    choice = Choice(settings=Settings(), claims=("C12",))
    report = report_on(choice, {}, EvidenceFolder(Path("runs")), "again", "", [claim])
    console = Console(width=200, record=True)
    show_report(report, console)
    row = next(line for line in console.export_text().splitlines() if " C12 " in line)
    assert " not possible here " in row
    reason = "there is no /nowhere/profiles, so this machine has no NixOS generations"
    assert msgspec.json.decode(msgspec.json.encode(claim)) == {
        "id": "C12",
        "text": claim.text,
        "verdict": None,
        "evidence": "",
        "where": "",
        "not_possible_here": reason,
    }


def test_asked_for_alone_it_is_not_possible_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offline_claims, "abra_is_unchanged", lambda: abra_is_unchanged(NOWHERE))
    with pytest.raises(NotPossibleHere, match="C12 cannot be shown here: there is no /nowhere"):
        offline_claims.require_possible(["C12"])
    offline_claims.require_possible(CLAIMS)


def test_a_claim_that_was_stored_before_is_read() -> None:
    stored = b'{"id": "C12", "text": "t", "verdict": "pass", "evidence": "e", "where": "w/"}'
    claim = msgspec.json.decode(stored, type=Claim)
    assert claim == Claim(id="C12", text="t", verdict=Verdict.PASS, evidence="e", where="w/")
