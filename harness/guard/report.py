"""The guard's report as a JSON document. Its field names stay; docs/guard.md explains them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from stamplab.harness.guard.stack_verdict import ServiceVerdict

SCHEMA = 1


class Deploy(msgspec.Struct, frozen=True, kw_only=True):
    """The deploy command and how it ended."""

    argv: tuple[str, ...]
    exit_code: int | None
    """A shell's: 128 + n where signal n ended it; None where it had not ended."""
    took_s: float
    problem: str
    """Why it could not be run, or did not end by itself; empty where it did."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known at the end."""

    outcome: str
    exit_code: int
    reason: str
    targets: tuple[str, ...]
    engine: str
    baseline: str
    deploy: Deploy | None
    waited_s: float
    api_calls: int
    services: Sequence[ServiceVerdict]
    schema: int = SCHEMA


def document(report: Report) -> str:
    """The document, to be read by people too."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode()
