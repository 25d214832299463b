"""A scenario that was played: its history and what the harness made of it. Input of all judges."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from stamplab.harness.checks.attribution import Attribution, attribute
from stamplab.harness.checks.signature import Signature, read_signature
from stamplab.harness.ci.app import App
from stamplab.harness.ci.results import Results
from stamplab.lab.model.history import Finding, History, Note
from stamplab.scenarios.scenario import Scenario


class PlayRecord:
    """One play, read from its evidence; everything here is derived from the history."""

    def __init__(
        self, scenario: Scenario, app: App, results: Results, history: History, folder: Path
    ) -> None:
        self.scenario = scenario
        self.app = app
        self.results = results
        self.history = history
        self.folder = folder

    @cached_property
    def attribution(self) -> Attribution | None:
        """Why the upgrade ended as it did."""
        return attribute(self.history, self.app.service)

    @cached_property
    def signature(self) -> Signature:
        """Whether it was the incident."""
        return read_signature(self.attribution, self.app.stamp_label)

    def findings(self, step: str) -> list[Finding]:
        """Return what a step of the harness concluded, in order."""
        return [
            record.what
            for record in self.history
            if isinstance(record.what, Finding) and record.what.step == step
        ]

    @property
    def ended_s(self) -> float:
        """When the last stage had ended; what came later was only watched."""
        ends = [
            record.seen_s
            for record in self.history
            if isinstance(record.what, Note) and record.what.text.startswith("<== stage ")
        ]
        return ends[-1] if ends else 0.0

    def upgrade_end(self) -> tuple[str, str]:
        """How the upgrade stage ended, and why."""
        for result in self.results.stages:
            if result.stage == "upgrade":
                return result.end, result.reason
        return "unknown", "the upgrade stage was not reached"

    @cached_property
    def stamps(self) -> tuple[str | None, str | None, str | None]:
        """The stamps of base, of head, and at the end."""
        attribution = self.attribution
        if attribution is None:
            return None, None, None
        label = self.app.stamp_label
        head = attribution.head.labels.get(label) if attribution.head else None
        return (
            attribution.base.labels.get(label),
            head,
            attribution.last.service.spec.labels.get(label),
        )
