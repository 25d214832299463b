"""What an observer sees of a service that was never there."""

from __future__ import annotations

from typing import Any

import msgspec

from stamplab.harness.checks.ground_truth import GroundTruth, ServiceObserver, TrueOutcome
from stamplab.harness.checks.timeline import ServiceTimeline, timeline_of
from stamplab.harness.guard import Outcome, Ruling
from stamplab.lab.model import docker_json
from stamplab.lab.model.history import Observation, ServiceSeen, TasksSeen
from stamplab.lab.model.service_request import ServiceRequest
from stamplab.lab.model.swarm import Service, Task
from stamplab.scenarios.bug_reports.report import BugReport, Sign
from stamplab.scenarios.bug_reports.results import BugReportPlay, ClientResult, DeployResult
from stamplab.scenarios.bug_reports.step import Create, Step

STACK = "story"
NAME = "story_web"
BASE = ServiceRequest()
HEAD = ServiceRequest(stamp="2", version="2")


def report(*signature: Sign, steps: tuple[Step, ...] = (), **how: Any) -> BugReport:
    """A report that nobody has made."""
    given = {"name": "story", "source": "moby#1", "fixed_in": "", "shape": None, **how}
    return BugReport(
        title="a story",
        seen="that",
        expected="this",
        steps=steps or (Create(request=BASE),),
        signature=signature,
        control="it is made up",
        **given,
    )


def spec(wanted: ServiceRequest) -> bytes:
    return wanted.spec_json(STACK, "app:1", 1 << 30)


def service(
    wanted: ServiceRequest,
    state: str | None = None,
    *,
    previous: ServiceRequest | None = None,
    message: str = "",
) -> ServiceSeen:
    """The service inspected, with the engine's own JSON."""
    described: dict[str, Any] = {"ID": "s1", "Spec": msgspec.json.decode(spec(wanted))}
    if previous is not None:
        described["PreviousSpec"] = msgspec.json.decode(spec(previous))
    if state is not None:
        described["UpdateStatus"] = {"State": state, "StartedAt": "t1", "Message": message}
    raw = msgspec.json.encode(described)
    return ServiceSeen(name=NAME, service=docker_json.parse_service(raw), raw=msgspec.Raw(raw))


def gone() -> ServiceSeen:
    return ServiceSeen(name=NAME, service=None)


def task(
    name: str, wanted: ServiceRequest, state: str = "running", *, exit_code: int | None = None
) -> Task:
    seen = service(wanted).service
    assert isinstance(seen, Service)
    alive = state in ("running", "pending", "starting")
    return Task(
        id=name,
        service_id="s1",
        slot=1,
        desired_state="running" if alive else "shutdown",
        state=state,
        spec_digest=seen.spec.task_digest,
        image="app:1",
        created_unix_s=0.0,
        status_unix_s=0.0,
        exit_code=exit_code,
    )


def tasks(*listed: Task) -> TasksSeen:
    return TasksSeen(service=NAME, tasks=listed)


def observed(*moments: tuple[float, Observation]) -> ServiceObserver:
    observer = ServiceObserver(NAME)
    for at_s, what in moments:
        observer.feed(at_s, what)
    return observer


def life(observer: ServiceObserver, *first: str) -> ServiceTimeline:
    return timeline_of(observer, first)


def ruling(outcome: Outcome, decided_s: float = 10.0) -> Ruling:
    return Ruling(outcome=outcome, reason="because", service=NAME, decided_s=decided_s)


def tried(
    outcome: Outcome,
    fate: TrueOutcome,
    *,
    wanted: ServiceRequest = HEAD,
    client: ClientResult | None = None,
    broke_s: float | None = None,
    decided_s: float = 10.0,
) -> DeployResult:
    return DeployResult(
        service=NAME,
        request=wanted,
        what="update web",
        at_s=0.0,
        ruling=ruling(outcome, decided_s),
        truth=GroundTruth(outcome=fate, text="so it is", broke_s=broke_s),
        client=client,
    )


def client(exit_code: int | None, waited_s: float = 5.0) -> ClientResult:
    return ClientResult(
        command="docker service update", waited_s=waited_s, exit_code=exit_code, last_words="done"
    )


def played(*deploys: DeployResult, of: ServiceTimeline) -> BugReportPlay:
    return BugReportPlay(deploys=deploys, timelines={"web": of}, until_s=70.0)
