"""What reports are recognised by: small questions to a play, each with its words."""

from __future__ import annotations

from collections.abc import Callable

from stamplab.harness.checks.ground_truth import GroundTruth, TrueOutcome
from stamplab.harness.checks.timeline import ServiceTimeline
from stamplab.scenarios.bug_reports.report import Sign
from stamplab.scenarios.bug_reports.results import BugReportPlay, ClientResult, DeployResult


def client_exits(code: int) -> Sign:
    """Ask whether the docker client's own wait for the last deploy ended with this exit code."""
    return _of_client(f"the docker client exits {code}", lambda client, _: client.exit_code == code)


def client_hangs() -> Sign:
    """Ask whether the docker client waits for ever, as far as anybody watched."""
    return _of_client(
        "the docker client still waits a minute later", lambda client, _: client.exit_code is None
    )


def client_was_first() -> Sign:
    """Ask whether the docker client was done before the swarm began to go back."""

    def holds(client: ClientResult, deploy: DeployResult) -> bool:
        ended_s = deploy.at_s + client.waited_s
        return client.exit_code == 0 and ended_s < deploy.ruling.decided_s

    return _of_client("the docker client exits 0 before the swarm is done", holds)


def came_to(outcome: TrueOutcome, deploy: int = -1) -> Sign:
    """Ask whether this is the truth of a deploy."""

    def truth_in(play: BugReportPlay) -> GroundTruth:
        return play.deploys[deploy].truth

    return Sign(
        text=f"in truth it is {outcome}",
        holds=lambda play: truth_in(play).outcome is outcome,
        seen=lambda play: f"{truth_in(play).outcome}: {truth_in(play).text}",
    )


def state_is(state: str | None, service: str | None = None) -> Sign:
    """Ask whether this is the update state in the end."""
    return _of_timeline(
        f"UpdateStatus is {state or 'nil'} in the end",
        lambda timeline: timeline.state == state,
        lambda timeline: timeline.state or "nil",
        service,
    )


def never_says(state: str) -> Sign:
    """Ask whether this update state never came."""
    return _of_timeline(
        f"UpdateStatus is never {state}",
        lambda timeline: state not in timeline.states,
        lambda timeline: ", ".join(state or "nil" for state in timeline.states),
    )


def stamp_is(stamp: str, service: str | None = None) -> Sign:
    """Ask whether this is the stamp in the end."""
    return _of_timeline(
        f"the stamp is {stamp} in the end",
        lambda timeline: timeline.stamp == stamp,
        lambda timeline: timeline.stamp or "none",
        service,
    )


def nothing_runs() -> Sign:
    """No task at all runs in the end."""
    return _of_timeline(
        "no task runs in the end",
        lambda timeline: not timeline.running,
        lambda timeline: f"{len(timeline.running)} run",
    )


def still_pending(service: str) -> Sign:
    """Ask whether no node takes the service's only living task, though one could."""
    return _of_timeline(
        "its only living task is pending in the end",
        lambda timeline: _living(timeline) == ["pending"],
        lambda timeline: ", ".join(_living(timeline)) or "no living task",
        service,
    )


def lost_the_first() -> Sign:
    """Ask whether the tasks from before the update run no more, though it was taken back."""
    return _of_timeline(
        "the first task does not run any more",
        lambda timeline: not timeline.kept_first,
        lambda _: "it runs on",
    )


def kept_the_first() -> Sign:
    """Ask whether the tasks from before the update run all the same."""
    return _of_timeline(
        "the first task runs on",
        lambda timeline: timeline.kept_first,
        lambda _: "it does not run any more",
    )


def names_no_task() -> Sign:
    """Ask whether the message that named the failed task is gone."""
    return _of_timeline(
        "UpdateStatus names no task and no reason in the end",
        lambda timeline: _message(timeline) == "rollback completed",
        lambda timeline: _message(timeline) or "no message",
    )


def has_no_previous() -> Sign:
    """There is nothing left to go back to."""
    return _of_timeline(
        "PreviousSpec is the broken spec itself",
        lambda timeline: (
            timeline.end is not None
            and timeline.end.previous_spec is not None
            and timeline.end.previous_spec.task_digest == timeline.end.spec.task_digest
        ),
        lambda timeline: "another one" if timeline.end and timeline.end.previous_spec else "none",
    )


def both_ran() -> Sign:
    """Old and new ran at once."""
    return _of_timeline(
        "the old and the new task ran at once",
        lambda timeline: timeline.overlapped,
        lambda _: "one after the other",
    )


def _message(timeline: ServiceTimeline) -> str:
    status = timeline.end.update_status if timeline.end else None
    return status.message if status else ""


def _living(timeline: ServiceTimeline) -> list[str]:
    return [task.state for task in timeline.tasks if not task.is_terminal]


def _client_text(client: ClientResult | None) -> str:
    if client is None:
        return "no docker client"
    ended = "still waiting" if client.exit_code is None else f"exit {client.exit_code}"
    return f"{ended} after {client.waited_s:.1f} s"


def _of_client(text: str, holds: Callable[[ClientResult, DeployResult], bool]) -> Sign:
    def holds_in(play: BugReportPlay) -> bool | None:
        client = play.last.client
        return None if client is None else holds(client, play.last)

    return Sign(text=text, holds=holds_in, seen=lambda play: _client_text(play.last.client))


def _of_timeline(
    text: str,
    holds: Callable[[ServiceTimeline], bool],
    seen: Callable[[ServiceTimeline], str],
    service: str | None = None,
) -> Sign:
    def timeline_in(play: BugReportPlay) -> ServiceTimeline:
        return play.timelines[service] if service else play.timeline

    return Sign(
        text=f"{service}: {text}" if service else text,
        holds=lambda play: holds(timeline_in(play)),
        seen=lambda play: seen(timeline_in(play)),
    )
