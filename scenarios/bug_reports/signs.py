"""What reports are recognised by: small questions to a play, each with its words."""

from __future__ import annotations

from collections.abc import Callable

from stamplab.harness.checks.deploy_ground_truth import Fate
from stamplab.scenarios.bug_reports.report import Sign
from stamplab.scenarios.bug_reports.timeline import Life, Played, Tried


def client_exits(code: int, deploy: int = -1) -> Sign:
    """The docker client's own wait ended so."""

    def holds(played: Played) -> bool | None:
        client = played.tried[deploy].client
        return None if client is None else client.exit_code == code

    return Sign(text=f"the docker client exits {code}", holds=holds)


def client_hangs(deploy: int = -1) -> Sign:
    """The docker client waits for ever, as far as anybody watched."""

    def holds(played: Played) -> bool | None:
        client = played.tried[deploy].client
        return None if client is None else client.exit_code is None

    return Sign(text="the docker client still waits a minute later", holds=holds)


def client_was_first() -> Sign:
    """The docker client had said its word before the swarm began to go back."""

    def holds(played: Played) -> bool | None:
        tried = played.last
        if tried.client is None:
            return None
        began_s = tried.ruling.decided_s
        return tried.client.exit_code == 0 and tried.at_s + tried.client.waited_s < began_s

    return Sign(text="the docker client exits 0 before the swarm is done", holds=holds)


def came_to(fate: Fate, deploy: int = -1) -> Sign:
    """The truth of a deploy."""
    return _of_deploy(f"in truth it is {fate}", lambda tried: tried.truth.fate is fate, deploy)


def state_is(state: str | None, service: str | None = None) -> Sign:
    """The update state in the end."""
    said = f"UpdateStatus is {state or 'nil'} in the end"
    return _of_life(said, lambda life: life.state == state, service)


def never_says(state: str) -> Sign:
    """An update state that never comes."""
    return _of_life(f"UpdateStatus is never {state}", lambda life: state not in life.states)


def stamp_is(stamp: str, service: str | None = None) -> Sign:
    """The stamp in the end."""
    return _of_life(f"the stamp is {stamp} in the end", lambda life: life.stamp == stamp, service)


def nothing_runs() -> Sign:
    """Nothing at all."""
    return _of_life("no task runs in the end", lambda life: not life.running)


def still_pending(service: str) -> Sign:
    """A task that no node takes, though one could."""
    return _of_life(
        "its only living task is pending in the end",
        lambda life: [task.state for task in life.tasks if not task.is_terminal] == ["pending"],
        service,
    )


def lost_the_first() -> Sign:
    """What ran before the update does not run any more, though the update was taken back."""
    return _of_life("the first task does not run any more", lambda life: not _kept(life))


def kept_the_first(service: str | None = None) -> Sign:
    """What ran before the update runs all the same."""
    return _of_life("the first task runs on", _kept, service)


def names_no_task() -> Sign:
    """The message that named the failed task is gone."""
    return _of_life(
        "UpdateStatus names no task and no reason in the end",
        lambda life: (
            life.end is not None
            and life.end.update_status is not None
            and life.end.update_status.message == "rollback completed"
        ),
    )


def has_no_previous() -> Sign:
    """There is nothing left to go back to."""
    return _of_life(
        "PreviousSpec is the broken spec itself",
        lambda life: (
            life.end is not None
            and life.end.previous_spec is not None
            and life.end.previous_spec.task_digest == life.end.spec.task_digest
        ),
    )


def both_ran() -> Sign:
    """Old and new at once."""
    return _of_life("the old and the new task ran at once", lambda life: life.overlapped)


def _kept(life: Life) -> bool:
    return bool(life.first) and life.first <= life.running


def _of_deploy(text: str, holds: Callable[[Tried], bool], deploy: int) -> Sign:
    return Sign(text=text, holds=lambda played: holds(played.tried[deploy]))


def _of_life(text: str, holds: Callable[[Life], bool], service: str | None = None) -> Sign:
    said = f"{service}: {text}" if service else text
    return Sign(
        text=said, holds=lambda played: holds(played.lives[service] if service else played.life)
    )
