"""Record of a play: its history, and what the harness concluded. Input of all judges."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import msgspec

from stamplab.harness.checks.attribution import Attribution, attribute
from stamplab.harness.checks.shape import Shape
from stamplab.harness.checks.signature import Signature, read_signature
from stamplab.harness.ci.app import App
from stamplab.harness.ci.naming import app_domain
from stamplab.harness.ci.results import Results, StageResult
from stamplab.lab.errors import LabError
from stamplab.lab.model.history import (
    Deployed,
    Finding,
    History,
    PolicyRead,
    StageEnded,
    observations,
)
from stamplab.lab.model.history_file import read_history
from stamplab.lab.model.schema import decode_document


class PlayRecord(msgspec.Struct, frozen=True, eq=False, dict=True):
    """Evidence of one play; every verdict on it is derived from the history."""

    app: App
    results: Results
    history: History
    folder: Path
    declared_shape: Shape | None
    """The shape that its scenario declares."""

    @cached_property
    def attribution(self) -> Attribution | None:
        """Why the upgrade ended as it did."""
        return attribute(self.history, self.app.service)

    @cached_property
    def signature(self) -> Signature:
        """Whether it was the incident."""
        return read_signature(self.attribution, self.app.stamp_label)

    def findings(self, step: str) -> list[Finding]:
        """Return the findings of one step of the harness, in order."""
        return [finding for finding in observations(self.history, Finding) if finding.step == step]

    @property
    def policy(self) -> PolicyRead | None:
        """The recipe's own policy at head; None where it was not read."""
        read = observations(self.history, PolicyRead)
        return read[-1] if read else None

    @property
    def ended_s(self) -> float:
        """When the last stage had ended; what came later was only watched."""
        ends = [record.seen_s for record in self.history if isinstance(record.what, StageEnded)]
        return ends[-1] if ends else 0.0

    @property
    def upgrade(self) -> StageResult:
        """How the upgrade stage ended."""
        unreached = "the upgrade stage was not reached"
        default = StageResult(stage="upgrade", end="unknown", reason=unreached)
        return next((ended for ended in self.results.stages if ended.stage == "upgrade"), default)

    @cached_property
    def stamps(self) -> tuple[str | None, str | None, str | None]:
        """The stamps of base, of head, and at the end."""
        upgrade, label = self.attribution, self.app.stamp_label
        if upgrade is None:
            return None, None, None
        head = upgrade.head.labels.get(label) if upgrade.head else None
        return upgrade.base.labels.get(label), head, upgrade.last.service.spec.labels.get(label)


PULL_REQUEST = "2"
"""Number of the pull request that every play belongs to: the app's domain is made with it."""


class _Options(msgspec.Struct, frozen=True):
    service: str
    shape: Shape | None = None


class _Manifest(msgspec.Struct, frozen=True):
    options: _Options


def read_play(folder: Path) -> PlayRecord:
    """Read a play back from its evidence, of whichever schema, to be judged again.

    Raises LabError where a part of the evidence is missing, damaged, or of a newer schema.
    """
    try:
        raw = (folder / "results.json").read_bytes()
        results = Results.from_json(raw, folder / "results.json")
        path = folder / "manifest.json"
        options = decode_document(path.read_bytes(), _Manifest, path).options
    except OSError as error:
        raise LabError(f"{folder} is no whole play: {error}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LabError(f"{folder} has a damaged document: {error}") from error
    history, _ = read_history(folder / "history.jsonl")
    # Schema 1 did not keep the domain.
    domain = results.domain or app_domain(results.recipe, PULL_REQUEST, results.ref)
    app = App(recipe=results.recipe, domain=domain, service_name=options.service)
    if app.stack not in {deployed.stack for deployed in observations(history, Deployed)}:
        raise LabError(f"{folder} does not show the deploy of {app.stack}: it cannot be judged")
    return PlayRecord(app, results, history, folder, options.shape)
