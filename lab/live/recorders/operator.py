"""A second operator at a live swarm, who acts at given times while the harness is at work."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import docker
import msgspec
import requests

from stamplab.lab.errors import LabError
from stamplab.lab.faults.operator import (
    Act,
    LoseSight,
    Operation,
    Recreate,
    Remove,
    RollBack,
    SetLimit,
    edited,
    in_words,
    operator_record,
)
from stamplab.lab.live.api import fetch
from stamplab.lab.live.recorders.recorder import Recorder
from stamplab.lab.model.history import RecorderLost
from stamplab.lab.model.history_file import HistoryWriter

_OK = (200, 201)


class _ServiceVersion(msgspec.Struct, rename="pascal"):
    index: int


class _ServiceAnswer(msgspec.Struct, rename="pascal"):
    spec: msgspec.Raw
    version: _ServiceVersion
    id: str = msgspec.field(name="ID")


class OperatorRecorder(Recorder):
    """Performs acts on one service; their times count from the start of the thread."""

    def __init__(
        self,
        api: docker.APIClient,
        history: HistoryWriter,
        set_limit: Callable[[int | None, str], None],
        now_s: Callable[[], float],
        service: str,
        acts: Sequence[Act],
    ) -> None:
        super().__init__("nemesis", history, lambda: None)
        self._api = api
        self._set_limit = set_limit
        self._now_s = now_s
        self._began_s = now_s()
        self._service = service
        self._acts = sorted(acts, key=lambda act: act.after_s)

    def record(self) -> None:
        """Perform each act at its time, then wait to be stopped."""
        for act in self._acts:
            if self.stopping.wait(max(0.0, self._began_s + act.after_s - self._now_s())):
                return
            match act.what:
                case SetLimit(limit_bytes=limit_bytes, reason=reason):
                    self._set_limit(limit_bytes, reason)
                case LoseSight() as deed:
                    lost = RecorderLost(recorder=self.source, reason=in_words(deed))
                    self.history.append(self.source, lost)
                case operation:
                    refused = operate(self._api, self._service, operation)
                    self.history.append(self.source, operator_record(operation, refused))
        self.stopping.wait()


def operate(api: docker.APIClient, name: str, operation: Operation) -> str:
    """Perform one operation; return the engine's message where it refuses, else nothing.

    Raises LabError when the engine does not answer.
    """
    raw = fetch(api, f"services/{name}")
    if raw is None:
        return f"there is no service {name}"
    service = msgspec.json.decode(raw, type=_ServiceAnswer)
    spec = edited(bytes(service.spec), operation)
    try:
        match operation:
            case Remove():
                answers = [_delete(api, service)]
            case Recreate():
                answers = [_delete(api, service), _post(api, "services/create", spec)]
            case _:
                answers = [_update(api, service, spec, isinstance(operation, RollBack))]
    except requests.RequestException as error:
        raise LabError(f"the engine does not answer about {name}: {error}") from error
    return "; ".join(answer.text.strip() for answer in answers if answer.status_code not in _OK)


def _update(
    api: docker.APIClient, service: _ServiceAnswer, spec: bytes, roll_back: bool
) -> requests.Response:
    query = f"version={service.version.index}{'&rollback=previous' if roll_back else ''}"
    return _post(api, f"services/{service.id}/update?{query}", spec)


def _post(api: docker.APIClient, path: str, spec: bytes) -> requests.Response:
    json = {"Content-Type": "application/json"}
    return api.post(f"{api.base_url}/v{api.api_version}/{path}", data=spec, headers=json)


def _delete(api: docker.APIClient, service: _ServiceAnswer) -> requests.Response:
    return api.delete(f"{api.base_url}/v{api.api_version}/services/{service.id}")
