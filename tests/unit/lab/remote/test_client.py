"""Reaching an engine by TCP, TLS and ssh; what is said where that is refused; and clocks."""

from __future__ import annotations

import socketserver
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from stamplab.harness.guard import Outcome
from stamplab.harness.guard.deploy_watch import DeployWatch, follow
from stamplab.harness.guard.expectations import WatchPlan
from stamplab.lab.remote.client import Client, NoAnswer
from stamplab.lab.remote.endpoint import Endpoint, Tls
from stamplab.lab.remote.watcher import SwarmWatcher
from tests.certificate import CERT, KEY
from tests.unit.lab.remote.engine import Engine, _Handler, container, task

APP = "shop_app"


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    engine: Engine

    def handle_error(self, *_: object) -> None:
        """A client that does not like us says so itself."""


@contextmanager
def by_tcp(engine: Engine, *, tls: bool = False) -> Iterator[str]:
    """The engine on a port of this machine."""
    with _TcpServer(("127.0.0.1", 0), _Handler) as server:
        server.engine = engine
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERT, KEY)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"tcp://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def node_of(host: str, tls: Tls | None = None) -> str:
    with closing(Client(Endpoint(host=host, named_by="a test", tls=tls))) as client:
        return client.node_id()


def test_by_tcp(engine: Engine) -> None:
    with by_tcp(engine) as host:
        assert node_of(host) == "node-here"


@pytest.mark.parametrize(
    "tls",
    [Tls(ca=CERT), Tls(ca=CERT, cert=CERT, key=KEY), Tls(verify=False)],
    ids=["its authority is known", "and ours", "it need not say who it is"],
)
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_by_tls(engine: Engine, tls: Tls) -> None:
    with by_tcp(engine, tls=True) as host:
        assert node_of(host, tls) == "node-here"


def test_an_engine_that_cannot_say_who_it_is(engine: Engine) -> None:
    with (
        by_tcp(engine, tls=True) as host,
        pytest.raises(NoAnswer, match="TLS was refused; see DOCKER_CERT_PATH, or the certificates"),
    ):
        node_of(host, Tls())


def test_an_engine_that_knows_no_tls(engine: Engine) -> None:
    with by_tcp(engine) as host, pytest.raises(NoAnswer, match="TLS was refused"):
        node_of(host, Tls(ca=CERT))


def test_an_engine_that_wants_tls_and_gets_none(engine: Engine) -> None:
    with by_tcp(engine, tls=True) as host, pytest.raises(NoAnswer, match="cannot be reached"):
        node_of(host)


def test_nobody_at_that_port() -> None:
    with pytest.raises(NoAnswer, match="Connection refused"):
        node_of("tcp://127.0.0.1:1")


def test_certificates_that_are_not_there_are_said(tmp_path: Path) -> None:
    tls = Tls(ca=tmp_path / "none", cert=tmp_path / "none", key=tmp_path / "none")
    with pytest.raises(NoAnswer, match="certificate and key files must be provided"):
        node_of("tcp://127.0.0.1:1", tls)


DIAL_STDIO = f"""#!{sys.executable}
import os, socket, sys, threading
engine = socket.socket(socket.AF_UNIX)
engine.connect(os.environ["ENGINE"])
def up():
    while data := os.read(0, 65536):
        engine.sendall(data)
    engine.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := engine.recv(65536):
    os.write(1, data)
"""


def test_a_swarm_by_ssh(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ssh").write_text(DIAL_STDIO)
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("ENGINE", engine.address.removeprefix("unix://"))
    verdict = judged(engine, Endpoint(host="ssh://there", named_by="a test"))
    assert verdict is Outcome.CONVERGED
    assert {method for method, _ in engine.requests} == {"GET"}


def judged(
    engine: Engine, endpoint: Endpoint, meanwhile: Callable[[], None] = lambda: None
) -> Outcome:
    """Judge the service as it is, after it has come up."""
    engine.tasks = [task("1", engine.put(APP))]
    engine.containers = {"container-1": container("1")}
    with closing(Client(endpoint)) as client, closing(SwarmWatcher(client, [APP])) as swarm:
        watch = DeployWatch(
            WatchPlan(targets=(APP,), deadline_s=swarm.now_s() + 20, deploys=False), swarm.node
        )
        watch.begin(swarm.baseline())
        meanwhile()
        return follow(swarm, watch).outcome


@pytest.mark.parametrize("step_s", [-86_400.0, 86_400.0])
def test_a_step_of_the_machines_clock_changes_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, step_s: float
) -> None:
    """It is stepped each time that it is read: what counts is a clock that never is."""
    before, steps = time.time, iter(range(1_000_000))
    began_s = time.monotonic()
    monkeypatch.setattr(time, "time", lambda: before() + step_s * next(steps))
    assert judged(engine, Endpoint(host=engine.address, named_by="a test")) is Outcome.CONVERGED
    assert time.monotonic() - began_s >= 0.2  # the monitor of the service


def test_a_step_of_the_engines_clock_changes_nothing(engine: Engine) -> None:
    """Its events then tell of another day."""

    def meanwhile() -> None:
        engine.say(
            b'{"Type":"service","Action":"update","timeNano":1,'
            b'"Actor":{"ID":"x","Attributes":{"name":"shop_app"}}}\n'
        )
        engine.cut()

    endpoint = Endpoint(host=engine.address, named_by="a test")
    assert judged(engine, endpoint, meanwhile) is Outcome.CONVERGED
