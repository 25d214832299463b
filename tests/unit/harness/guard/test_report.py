"""The guard's document, read back; and the line of a service."""

from __future__ import annotations

import msgspec
import pytest

from stamplab.harness.guard import Outcome
from stamplab.harness.guard.report import SCHEMA, GuardReport, ServiceVerdict
from stamplab.lab.model import schema
from stamplab.lab.model.schema import NewerSchema

SERVICE = ServiceVerdict(
    name="shop_app", outcome=Outcome.CONVERGED, reason="converged: it runs", how="updated"
)
REPORT = GuardReport(
    outcome="converged",
    exit_code=0,
    reason="shop_app: converged: it runs",
    targets=("shop",),
    engine="unix:///d.sock (a test)",
    baseline="before the deploy",
    deploy=None,
    waited_s=1.0,
    api_calls=4,
    services=(SERVICE,),
)


def of_schema(version: int) -> GuardReport:
    return msgspec.structs.replace(REPORT, schema=version)


@pytest.mark.parametrize("report", [REPORT, of_schema(1)])
def test_a_document_is_read_as_it_was_written(report: GuardReport) -> None:
    read = GuardReport.from_json(report.to_json())
    assert msgspec.structs.replace(read, services=tuple(read.services)) == report


def test_it_has_the_schema_of_all_documents() -> None:
    assert SCHEMA == schema.SCHEMA


def test_a_document_of_a_newer_schema_is_refused_with_both_versions() -> None:
    newer = of_schema(SCHEMA + 1).to_json()
    with pytest.raises(NewerSchema, match=f"schema {SCHEMA + 1}, .* reads up to {SCHEMA}") as it:
        GuardReport.from_json(newer)
    assert it.value.exit_code == 2


@pytest.mark.parametrize("text", ["", "stamplab: the engine cannot be reached", "{}"])
def test_what_is_no_document_is_a_decoding_error(text: str) -> None:
    with pytest.raises(msgspec.MsgspecError):
        GuardReport.from_json(text)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({}, "shop_app: converged: it runs"),
        (
            {"how": "pruned", "reason": "the deploy pruned it"},
            "shop_app: converged: the deploy pruned it",
        ),
        (
            {"outcome": Outcome.REMOVED, "how": None, "reason": "there is no service"},
            "shop_app: removed: there is no service",
        ),
        (
            {"outcome": Outcome.STAMP_MISMATCH, "reason": "the image x was expected"},
            "shop_app: stamp mismatch: the image x was expected",
        ),
    ],
)
def test_the_line_of_a_service_names_its_outcome_once(change: dict[str, object], line: str) -> None:
    assert str(msgspec.structs.replace(SERVICE, **change)) == line
