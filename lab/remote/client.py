"""A client that can only read: GET is the only verb that it has. And the engine's event stream."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

import docker
import docker.errors
import docker.tls
import msgspec
import requests

from stamplab.lab.errors import LabError
from stamplab.lab.model.engine_json import Happened, read_event
from stamplab.lab.remote.endpoint import Endpoint

if TYPE_CHECKING:
    from stamplab.lab.remote.ssh import SshBridge

_OK = 200
_NOT_FOUND = 404
_ANY_VERSION = "1.41"
"""With "auto" the SDK's constructor would ask for the version, with the wrong certificates."""
_TIMEOUT_S = 20
"""No answer takes the engine long; without a bound a dead network would hold the guard."""

_REOPEN_S = (0.05, 0.1, 0.25)
"""Waits before a stream of events is opened again, as long as none brings an event."""
_REFUSED_S = (*_REOPEN_S, 0.5, 1.0, 5.0)
"""The same where the engine refuses the stream."""
_END_TIMEOUT_S = 2.0

Filters = Mapping[str, Sequence[str]]

EVENT_FILTERS: Filters = {
    "type": ["service", "container", "node"],
    "event": ["create", "update", "remove", "start", "die", "oom", "health_status"],
}
"""Every event that can tell of an update. Each run of a health check makes three further events."""


class NoAnswer(LabError):
    """The engine did not answer, or answered that it cannot: the swarm's state is not known."""


class NotAManager(LabError):
    """The engine answers, but it is no manager of a swarm."""


class _SwarmInfo(msgspec.Struct, rename="pascal"):
    local_node_state: str = ""
    control_available: bool = False
    node_id: str = msgspec.field(name="NodeID", default="")


class _Info(msgspec.Struct, rename="pascal"):
    swarm: _SwarmInfo = msgspec.field(default_factory=_SwarmInfo)


# GET is the only verb (ADR 0037).
class Client:
    """A connection to one engine. Close it."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Connect. Raises NoAnswer, with the reason, where that is not possible."""
        self.endpoint = endpoint
        self.calls = 0
        """API calls made so far, the opening of event streams included."""
        self._bridge = _bridge_to(endpoint)
        self._sessions: list[docker.APIClient] = []
        try:
            self._api = self._open_session(_ANY_VERSION)
            self._version, self._info = self._read_info()
        except BaseException:
            self.close()
            raise

    def get(self, path: str, filters: Filters | None = None) -> bytes | None:
        """GET a path of the API; None where the engine answers 404. Raises NoAnswer."""
        return self._content(self._request(f"v{self._version}/{path}", filters))

    def stream(self, filters: Filters, since: str | None) -> EventStream:
        """Open a stream of events, from a past moment on where one is given. Raises NoAnswer."""
        api = self._open_session(self._version)
        self.calls += 1
        try:
            return EventStream(api, api.events(decode=True, since=since, filters=filters))
        except (requests.RequestException, docker.errors.DockerException, OSError) as error:
            api.close()
            raise NoAnswer(self._reason(error)) from error

    def node_id(self) -> str:
        """Return the id of the engine's own node. Raises NotAManager."""
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

    def close(self) -> None:
        """Close all connections."""
        while self._sessions:
            self._sessions.pop().close()
        if self._bridge is not None:
            self._bridge.close()

    def _read_info(self) -> tuple[str, _Info]:
        """Return the version of the API that the engine itself serves, and its node's part."""
        answer = self._request("info")
        version = answer.headers.get("Api-Version", "")
        try:
            info = msgspec.json.decode(self._content(answer) or b"", type=_Info)
        except msgspec.DecodeError:
            version, info = "", _Info()
        if not version:
            raise NoAnswer(f"what answers at {self.endpoint} is no docker engine")
        return version, info

    def _request(self, path: str, filters: Filters | None = None) -> requests.Response:
        self.calls += 1
        params = {"filters": msgspec.json.encode(filters).decode()} if filters else None
        try:
            return self._api.get(f"{self._api.base_url}/{path}", params=params, timeout=_TIMEOUT_S)
        except (requests.RequestException, OSError) as error:
            raise NoAnswer(self._reason(error)) from error

    def _content(self, answer: requests.Response) -> bytes | None:
        if answer.status_code == _NOT_FOUND:
            return None
        if answer.status_code != _OK:
            message = _error_message(answer.content)
            raise NoAnswer(f"the engine at {self.endpoint} says: {message}")
        return bytes(answer.content).strip()

    def _open_session(self, version: str) -> docker.APIClient:
        endpoint = self.endpoint
        try:
            api = docker.APIClient(
                base_url=self._bridge.address if self._bridge else endpoint.host,
                version=version,
                timeout=_TIMEOUT_S,
                tls=_tls(endpoint),
            )
        except (requests.RequestException, docker.errors.DockerException, OSError) as error:
            raise NoAnswer(self._reason(error)) from error
        # Requests would put REQUESTS_CA_BUNDLE in the place of the engine's own authority.
        api.trust_env = endpoint.tls is None
        self._sessions.append(api)
        return api

    def _reason(self, error: Exception) -> str:
        """Say in one sentence why there is no answer."""
        from_ssh = self._bridge.last_words if self._bridge else ""
        if from_ssh:
            return f"the engine at {self.endpoint} cannot be reached, ssh says: {from_ssh}"
        causes = list(_causes(error))
        hint = ""
        if any("SSL" in type(cause).__name__ for cause in causes):
            hint = ": TLS was refused; see DOCKER_CERT_PATH, or the certificates of the context"
        elif any("HTTPS server" in str(cause) for cause in causes):
            hint = ": it wants TLS; see DOCKER_TLS_VERIFY and DOCKER_CERT_PATH"
        cause = next((cause for cause in reversed(causes) if str(cause)), error)
        return f"the engine at {self.endpoint} cannot be reached{hint} ({cause})"


class EventStream:
    """One open stream of the engine's events. Any thread may close it."""

    def __init__(
        self, api: docker.APIClient, stream: docker.CancellableStream[dict[str, Any]]
    ) -> None:
        self._api = api
        self._stream = stream

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield each event until the stream ends; raise nothing for how it ends."""
        with suppress(requests.RequestException, docker.errors.DockerException, OSError):
            yield from self._stream

    def close(self) -> None:
        """End the stream."""
        with suppress(OSError, AttributeError):  # its socket has gone already
            self._stream.close()
        self._api.close()


class EventSource(Protocol):
    """Opens streams of events, as `Client` does."""

    def stream(self, filters: Filters, since: str | None) -> EventStream:
        """Open a stream. Raises NoAnswer."""


class Connected(msgspec.Struct, frozen=True):
    """The stream of events is open: from here on every event arrives."""


class Disconnected(msgspec.Struct, frozen=True):
    """The stream of events has ended: until it is open again no event arrives."""

    reason: str


class EventFollower:
    """A thread that passes on each event, and each opening and end of the stream.

    After an end it asks for all events since the last one that it received. An engine remembers 256
    events, and none from before its own start (moby daemon/events/events.go:13), so the guard takes
    a snapshot after each break all the same.
    """

    def __init__(
        self,
        source: EventSource,
        receive: Callable[[Happened | Connected | Disconnected], None],
    ) -> None:
        self._source = source
        self._receive = receive
        self._stopping = threading.Event()
        self._stream: EventStream | None = None
        self._last: Happened | None = None
        self._thread = threading.Thread(target=self._run, name="docker events", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        stream = self._stream
        if stream is not None:
            stream.close()
        self._thread.join(_END_TIMEOUT_S)

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            last_before = self._last
            reason = self._follow()
            if self._stopping.is_set():
                return
            self._receive(Disconnected(reason))
            failures = 0 if self._last is not last_before else failures + 1
            waits_s = _REFUSED_S if self._stream is None else _REOPEN_S
            self._stopping.wait(waits_s[min(failures, len(waits_s) - 1)])

    def _follow(self) -> str:
        """Follow one stream to its end; return why it ended."""
        self._stream = None
        try:
            self._stream = self._source.stream(EVENT_FILTERS, _since(self._last))
        except NoAnswer as error:
            return str(error)
        self._receive(Connected())
        try:
            for item in self._stream:
                event = read_event(item)
                if event != self._last:  # a reopened stream repeats the last event
                    self._last = event
                    self._receive(event)
        except msgspec.MsgspecError as error:
            return f"the engine sent an event that is not understood: {error}"
        finally:
            self._stream.close()
        return "the stream of events ended"


def _bridge_to(endpoint: Endpoint) -> SshBridge | None:
    if not endpoint.host.startswith("ssh://"):
        return None
    from stamplab.lab.remote.ssh import SshBridge

    return SshBridge(endpoint.host)


def _tls(endpoint: Endpoint) -> docker.tls.TLSConfig | bool:
    tls = endpoint.tls
    if tls is None:
        return False
    cert = (str(tls.cert), str(tls.key)) if tls.cert and tls.key else None
    ca = str(tls.ca) if tls.ca else None
    return docker.tls.TLSConfig(client_cert=cert, ca_cert=ca, verify=tls.verify)


def _since(last: Happened | None) -> str | None:
    """Write an event's moment as the API takes it: seconds, a point, nanoseconds."""
    if last is None:
        return None
    seconds, nanoseconds = divmod(last.unix_ns, 1_000_000_000)
    return f"{seconds}.{nanoseconds:09d}"


def _error_message(content: bytes) -> str:
    """Return the engine's message in an answer that is an error."""
    try:
        return str(msgspec.json.decode(content)["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return content.decode(errors="replace").strip() or "nothing"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, the errors that it wraps, and their causes, down to the first cause."""
    yielded: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        current = waiting.pop(0)
        if id(current) in yielded:
            continue
        yielded.add(id(current))
        yield current
        wrapped = [item for item in current.args if isinstance(item, BaseException)]
        reason = getattr(current, "reason", None)
        if isinstance(reason, BaseException):
            wrapped.append(reason)
        chained = (current.__cause__, current.__context__)
        waiting += [*wrapped, *(item for item in chained if item)]
