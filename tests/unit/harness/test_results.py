"""The level is the highest rung of an unbroken ladder; results.json has the field's keys."""

from __future__ import annotations

from itertools import product

import msgspec
import pytest

from stamplab.harness.ci.results import LADDER, Results, StageResult
from stamplab.lab.model.history import StageEnd
from stamplab.lab.model.schema import NewerSchema

ENDS: tuple[StageEnd, ...] = ("pass", "fail", "unknown", "skipped")


def results(*stages: tuple[str, StageEnd]) -> Results:
    return Results(
        run_id="dstamp-1",
        recipe="discourse",
        ref="7ae7b0f7",
        stages=tuple(
            StageResult(stage=name, end=end)
            if end == "pass"
            else StageResult(stage=name, end=end, reason=f"{name} broke", failed_step="hc1")
            for name, end in stages
        ),
        abra="a stand-in",
        domain="discourse.example",
    )


@pytest.mark.parametrize("ends", list(product(("pass", "fail"), repeat=4)))
def test_the_first_rung_that_is_not_passed_blocks_those_above(ends: tuple[StageEnd, ...]) -> None:
    unbroken = ends.index("fail") if "fail" in ends else 4
    assert results(*zip(LADDER, ends, strict=True)).level == unbroken


@pytest.mark.parametrize("end", ENDS)
def test_only_a_pass_is_a_rung(end: StageEnd) -> None:
    assert results(("install", "pass"), ("upgrade", end)).level == (2 if end == "pass" else 1)
    assert results(("install", end), ("upgrade", "pass")).level == (2 if end == "pass" else 0)


def test_the_fields_two_levels() -> None:
    everything: list[tuple[str, StageEnd]] = [(rung, "pass") for rung in LADDER]
    assert results(*everything).level == 4
    assert results(("install", "pass"), ("upgrade", "fail")).level == 1


def test_no_stage_no_level() -> None:
    assert results().level == 0


def test_an_unknown_stage_is_no_rung_and_the_order_does_not_matter() -> None:
    assert results(("lint", "pass"), ("upgrade", "pass"), ("install", "pass")).level == 2


def test_what_capped_the_level_is_the_first_stage_that_did_not_pass() -> None:
    capped = results(("install", "pass"), ("upgrade", "fail"), ("functional", "skipped"))
    assert capped.capped_by == "upgrade: upgrade broke"
    assert results(("install", "pass")).capped_by == "the stages that were asked for"
    no_reason = StageResult(stage="upgrade", end="skipped")
    bare = msgspec.structs.replace(results(), stages=(no_reason,))
    assert bare.capped_by == "upgrade: skipped"


def test_the_json_has_the_fields_keys() -> None:
    text = results(("install", "pass"), ("upgrade", "fail")).as_json()
    assert text.endswith(b"}\n")
    assert b'"level": 1' in text
    assert b'"upgrade": "fail"' in text
    assert msgspec.json.decode(text) == {
        "schema": 2,
        "run_id": "dstamp-1",
        "recipe": "discourse",
        "ref": "7ae7b0f7",
        "domain": "discourse.example",
        "level": 1,
        "capped_by": "upgrade: upgrade broke",
        "install": "pass",
        "upgrade": "fail",
        "reasons": {"upgrade": "upgrade broke"},
        "failed_steps": {"upgrade": "hc1"},
        "abra": "a stand-in",
    }


@pytest.mark.parametrize("ends", list(product(ENDS, repeat=2)))
def test_what_was_written_is_read_back(ends: tuple[StageEnd, ...]) -> None:
    made = results(*zip(("install", "upgrade"), ends, strict=True))
    assert Results.from_json(made.as_json(), "results.json") == made


def test_a_file_that_lacks_a_key_or_is_of_a_newer_schema_is_not_read() -> None:
    with pytest.raises(msgspec.ValidationError):
        Results.from_json(b"{}", "results.json")
    newer = results().as_json().replace(b'"schema": 2', b'"schema": 3')
    with pytest.raises(NewerSchema, match=r"results.json was written by schema 3, .* up to 2"):
        Results.from_json(newer, "results.json")
