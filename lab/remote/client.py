"""A client of an engine that can only look: the sole verb that it has is GET."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import docker
import docker.errors
import docker.tls
import msgspec
import requests

from stamplab.lab.errors import LabError
from stamplab.lab.remote.endpoint import Endpoint
from stamplab.lab.remote.ssh import SshBridge

_OK = 200
_NOT_FOUND = 404
_ANY_VERSION = "1.41"
"""With "auto" the SDK's constructor would ask for it, and with the wrong certificates."""
_TIMEOUT_S = 20
"""No answer that is asked for is long in the making; without a bound a dead network holds us."""

Filters = Mapping[str, Sequence[str]]


class Silent(LabError):
    """The engine did not answer, or answered that it cannot: what the swarm does is not known."""


class NotAManager(LabError):
    """The engine answers, but it is no manager of a swarm."""


class _Swarm(msgspec.Struct, rename="pascal"):
    local_node_state: str = ""
    control_available: bool = False
    node_id: str = msgspec.field(name="NodeID", default="")
    nodes: int = 0


class _Info(msgspec.Struct, rename="pascal"):
    swarm: _Swarm = msgspec.field(default_factory=_Swarm)


# GET is the only verb (ADR 0037).
class Client:
    """One engine, looked at. Close it. Each thread needs one of its own (`another`)."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Connect. Raises Silent, with the reason, where that is not possible."""
        self.endpoint = endpoint
        self.calls = 0
        """How many were made, those of its siblings included."""
        self._bridge = SshBridge(endpoint.host) if endpoint.host.startswith("ssh://") else None
        self._sessions: list[docker.APIClient] = []
        try:
            self._api = self._session(_ANY_VERSION)
            self._version, self._info = self._introduced()
        except BaseException:
            self.close()
            raise

    def get(self, path: str, filters: Filters | None = None) -> bytes | None:
        """GET a path of the API; None where there is no such thing. Raises Silent."""
        return self._content(self._ask(f"v{self._version}/{path}", filters))

    def stream(self, filters: Filters, since: str | None) -> EventStream:
        """Open the stream of events, where given from a moment in the past on. Raises Silent."""
        api = self._session(self._version)
        self.calls += 1
        try:
            return EventStream(api, api.events(decode=True, since=since, filters=filters))
        except (requests.RequestException, docker.errors.DockerException, OSError) as error:
            api.close()
            raise Silent(self._why(error)) from error

    def node_id(self) -> str:
        """The id of the node that the engine is. Raises NotAManager."""
        swarm = self._info.swarm
        if swarm.local_node_state != "active":
            raise NotAManager(
                f"the engine at {self.endpoint} is in no swarm (its node is "
                f"{swarm.local_node_state or 'inactive'}): "
                "name a manager of the swarm by DOCKER_HOST or a docker context"
            )
        if not swarm.control_available:
            raise NotAManager(
                f"the engine at {self.endpoint} is a worker, and only a manager can say what "
                "becomes of a service: name a manager by DOCKER_HOST or a docker context"
            )
        return swarm.node_id

    @property
    def is_alone(self) -> bool:
        """Whether its node was the swarm's only one, as it was asked first."""
        return self._info.swarm.nodes == 1

    def close(self) -> None:
        """Close all connections."""
        while self._sessions:
            self._sessions.pop().close()
        if self._bridge is not None:
            self._bridge.close()

    def _introduced(self) -> tuple[str, _Info]:
        """The API's version that the engine itself is at, for it serves its own; and who it is."""
        answer = self._ask("info")
        version = answer.headers.get("Api-Version", "")
        try:
            info = msgspec.json.decode(self._content(answer) or b"", type=_Info)
        except msgspec.DecodeError:
            version, info = "", _Info()
        if not version:
            raise Silent(f"what answers at {self.endpoint} is no docker engine")
        return version, info

    def _ask(self, path: str, filters: Filters | None = None) -> requests.Response:
        self.calls += 1
        params = {"filters": msgspec.json.encode(filters).decode()} if filters else None
        try:
            return self._api.get(f"{self._api.base_url}/{path}", params=params, timeout=_TIMEOUT_S)
        except (requests.RequestException, OSError) as error:
            raise Silent(self._why(error)) from error

    def _content(self, answer: requests.Response) -> bytes | None:
        if answer.status_code == _NOT_FOUND:
            return None
        if answer.status_code != _OK:
            raise Silent(f"the engine at {self.endpoint} says: {_said(answer.content)}")
        return bytes(answer.content).strip()

    def _session(self, version: str) -> docker.APIClient:
        endpoint = self.endpoint
        try:
            api = docker.APIClient(
                base_url=self._bridge.address if self._bridge else endpoint.host,
                version=version,
                timeout=_TIMEOUT_S,
                tls=_tls(endpoint),
            )
        except (requests.RequestException, docker.errors.DockerException, OSError) as error:
            raise Silent(self._why(error)) from error
        # Requests would put REQUESTS_CA_BUNDLE in the place of the engine's own authority.
        api.trust_env = endpoint.tls is None
        self._sessions.append(api)
        return api

    def _why(self, error: Exception) -> str:
        """Why there is no answer, in one sentence."""
        said = self._bridge.last_words if self._bridge else ""
        if said:
            return f"the engine at {self.endpoint} cannot be reached, ssh says: {said}"
        causes = list(_causes(error))
        hint = ""
        if any("SSL" in type(cause).__name__ for cause in causes):
            hint = ": TLS was refused; see DOCKER_CERT_PATH, or the certificates of the context"
        elif any("HTTPS server" in str(cause) for cause in causes):
            hint = ": it wants TLS; see DOCKER_TLS_VERIFY and DOCKER_CERT_PATH"
        cause = next((one for one in reversed(causes) if str(one)), error)
        return f"the engine at {self.endpoint} cannot be reached{hint} ({cause})"


class EventStream:
    """The engine's events as they come. Any thread may close it."""

    def __init__(
        self, api: docker.APIClient, stream: docker.CancellableStream[dict[str, Any]]
    ) -> None:
        self._api = api
        self._stream = stream

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Each event; ends when the stream does. Raises nothing for how it ends."""
        with suppress(requests.RequestException, docker.errors.DockerException, OSError):
            yield from self._stream

    def close(self) -> None:
        """End it."""
        with suppress(OSError, AttributeError):  # what it waited on has gone already
            self._stream.close()
        self._api.close()


def _tls(endpoint: Endpoint) -> docker.tls.TLSConfig | bool:
    tls = endpoint.tls
    if tls is None:
        return False
    cert = (str(tls.cert), str(tls.key)) if tls.cert and tls.key else None
    ca = str(tls.ca) if tls.ca else None
    return docker.tls.TLSConfig(client_cert=cert, ca_cert=ca, verify=tls.verify)


def _said(content: bytes) -> str:
    """The engine's words in its answer."""
    try:
        return str(msgspec.json.decode(content)["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return content.decode(errors="replace").strip() or "nothing"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, what it wraps, and what that was caused by, to the first cause."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = [item for item in one.args if isinstance(item, BaseException)]
        reason = getattr(one, "reason", None)
        if isinstance(reason, BaseException):
            inner.append(reason)
        waiting += [*inner, *(item for item in (one.__cause__, one.__context__) if item)]
