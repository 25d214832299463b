"""What is known of a bug report's play when it is over: input of signs, shapes and the table."""

from __future__ import annotations

import msgspec

from stamplab.harness.checks.ground_truth import GroundTruth
from stamplab.harness.checks.timeline import ServiceTimeline
from stamplab.harness.guard import Outcome, Ruling
from stamplab.harness.guard.report import GuardReport
from stamplab.lab.model.history import CommandRan, Record
from stamplab.lab.model.service_request import ServiceRequest


class ClientResult(msgspec.Struct, frozen=True, kw_only=True):
    """How a docker client's own wait ended."""

    command: str
    waited_s: float
    exit_code: int | None
    """None: it was still waiting when everybody else had gone."""
    last_words: str

    @staticmethod
    def of(ran: CommandRan) -> ClientResult:
        """Read it from the record of its command; a client that was given up on was killed."""
        lines = [line for line in ran.output.splitlines() if line.strip()]
        return ClientResult(
            command=" ".join(ran.argv),
            waited_s=ran.took_s,
            exit_code=None if ran.exit_code < 0 else ran.exit_code,
            last_words=lines[-1].strip() if lines else "",
        )


class GuardResult(msgspec.Struct, frozen=True, kw_only=True):
    """What ``stamplab guard`` said of a deploy, run around it as in a CI."""

    outcome: Outcome
    reason: str
    exit_code: int
    decided_s: float
    """When it ended, in the world's time."""
    api_calls: int

    @staticmethod
    def of(record: Record) -> GuardResult:
        """Read it from the record of its end; no document of its own is unknown."""
        assert isinstance(record.what, CommandRan)  # noqa: S101 - that is its end
        ran = record.what
        try:
            report = GuardReport.from_json(ran.output)
            outcome, reason = Outcome(report.outcome), report.reason
            api_calls = report.api_calls
        except (msgspec.MsgspecError, ValueError):
            outcome, reason, api_calls = Outcome.UNKNOWN, ran.output.strip(), 0
        return GuardResult(
            outcome=outcome,
            reason=reason,
            exit_code=ran.exit_code,
            decided_s=record.seen_s,
            api_calls=api_calls,
        )


class DeployResult(msgspec.Struct, frozen=True, kw_only=True):
    """One deploy: what its client said, what both guards said, and what became of it."""

    service: str
    request: ServiceRequest
    what: str
    at_s: float
    """When it was done, in the world's time."""
    ruling: Ruling
    truth: GroundTruth
    client: ClientResult | None
    """None in a world that has no docker client."""
    command: GuardResult | None = None
    """None in a world that it cannot reach."""


class BugReportPlay(msgspec.Struct, frozen=True, kw_only=True):
    """One play."""

    deploys: tuple[DeployResult, ...]
    timelines: dict[str, ServiceTimeline]
    """By the services' names within the stack."""
    until_s: float

    @property
    def last(self) -> DeployResult:
        """The last deploy."""
        return self.deploys[-1]

    @property
    def timeline(self) -> ServiceTimeline:
        """The timeline of the service that was deployed last."""
        return self.timelines[self.last.request.name]
