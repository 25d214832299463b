"""The level is the highest rung of an unbroken ladder; results.json has the field's keys."""

from __future__ import annotations

from itertools import product

import msgspec
import pytest

from stamplab.harness.ci.results import LADDER, Results, StageEnd, StageResult

ENDS: tuple[StageEnd, ...] = ("pass", "fail", "unknown", "skipped")


def results(*stages: tuple[str, StageEnd]) -> Results:
    return Results(
        run_id="dstamp-1",
        recipe="discourse",
        ref="7ae7b0f7",
        stages=tuple(
            StageResult(stage=name, end=end, reason="" if end == "pass" else f"{name} broke")
            for name, end in stages
        ),
        abra="a stand-in",
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
        "run_id": "dstamp-1",
        "recipe": "discourse",
        "ref": "7ae7b0f7",
        "level": 1,
        "capped_by": "upgrade: upgrade broke",
        "install": "pass",
        "upgrade": "fail",
        "reasons": {"upgrade": "upgrade broke"},
        "abra": "a stand-in",
    }
