"""Does to a live swarm what somebody else would, at its times, while the harness is at work."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import docker
import msgspec
import requests

from lab.errors import LabError
from lab.history import Acted, HistoryWriter
from lab.live.api import fetch
from lab.live.recorders.recorder import Recorder
from lab.nemesis import Act, Operation, RollBack, SetLimit, edited, in_words

_OK = 200


class _Version(msgspec.Struct, rename="pascal"):
    index: int


class _Service(msgspec.Struct, rename="pascal"):
    spec: msgspec.Raw
    version: _Version
    id: str = msgspec.field(name="ID")


class Nemesis(Recorder):
    """Performs acts upon one service; times are counted from its start."""

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
        """Do each act when its time has come, then wait to be stopped."""
        for act in self._acts:
            if self.stopping.wait(max(0.0, self._began_s + act.after_s - self._now_s())):
                return
            match act.what:
                case SetLimit(limit_bytes=limit_bytes, reason=reason):
                    self._set_limit(limit_bytes, reason)
                case operation:
                    refused = operate(self._api, self._service, operation)
                    acted = Acted(what=in_words(operation), refused=refused)
                    self.history.append(self.source, acted)
        self.stopping.wait()


def operate(api: docker.APIClient, name: str, operation: Operation) -> str:
    """Do one operation; return the engine's words where it refuses, else nothing.

    Raises LabError when it does not answer at all.
    """
    raw = fetch(api, f"services/{name}")
    if raw is None:
        return f"there is no service {name}"
    service = msgspec.json.decode(raw, type=_Service)
    params = {"version": str(service.version.index)}
    if isinstance(operation, RollBack):
        params["rollback"] = "previous"
    try:
        answer = api.post(
            f"{api.base_url}/v{api.api_version}/services/{service.id}/update",
            params=params,
            data=edited(bytes(service.spec), operation),
            headers={"Content-Type": "application/json"},
        )
    except requests.RequestException as error:
        raise LabError(f"the engine does not answer for an update of {name}: {error}") from error
    return "" if answer.status_code == _OK else answer.text.strip()
