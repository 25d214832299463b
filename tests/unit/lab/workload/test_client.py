"""The health check and the client: is what they report what happened?"""

import random
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.lab.workload.conftest import Serve
from tests.unit.lab.workload.running import (
    Application,
    Nameserver,
    RawServer,
    free_port,
    run,
    run_client,
)

Reply = Callable[[bytes], list[bytes]]
FAST = ["--interval-ms", "5", "--timeout-ms", "20000"]


def at_least(count: int) -> Callable[[list[dict[str, Any]]], bool]:
    return lambda lines: len(lines) >= count


def record(address: str, name: bytes = b"\xc0\x0c") -> bytes:
    data = bytes(int(part) for part in address.split("."))
    return name + struct.pack(">HHIH", 1, 1, 60, 4) + data


def response(query: bytes, records: list[bytes], code: int = 0, count: int | None = None) -> bytes:
    flags = 0x8180 | code
    numbers = (flags, 1, len(records) if count is None else count, 0, 0)
    return query[:2] + struct.pack(">5H", *numbers) + query[12:] + b"".join(records)


def test_probe_is_content_with_200_only(stampload: Path, app: Application) -> None:
    port = ["--port", str(app.port)]
    assert run(stampload, "probe", *port).returncode == 0
    app.get("/fail")
    failed = run(stampload, "probe", *port)
    assert failed.returncode == 1
    assert failed.stderr == f"stampload: port {app.port}, /health: http: status 503\n"
    assert run(stampload, "probe", *port, "--path", "/").returncode == 0


def test_probe_takes_the_port_of_the_container(stampload: Path, app: Application) -> None:
    assert run(stampload, "probe", PORT=str(app.port)).returncode == 0


def test_probe_of_a_closed_port(stampload: Path) -> None:
    done = run(stampload, "probe", "--port", str(free_port()))
    assert done.returncode == 1
    assert done.stderr.endswith("connect: Connection refused\n")


def test_probe_does_not_wait_for_ever(stampload: Path) -> None:
    with RawServer(None) as server:
        done = run(stampload, "probe", "--port", str(server.port), "--timeout-ms", "50")
    assert (done.returncode, done.stderr.endswith(": timeout\n")) == (1, True)


def test_client_writes_down_every_request(stampload: Path, serve: Serve, tmp_path: Path) -> None:
    app = serve(version='v"1\\')
    app.wait_for("ready")
    began_ns = time.time_ns()
    arguments = ["--host", "127.0.0.1", "--port", str(app.port), *FAST]
    lines = run_client(stampload, arguments, at_least(5), tmp_path / "log")
    assert [line["n"] for line in lines] == list(range(len(lines)))
    for line in lines:
        assert set(line) == {"n", "sent_unix_ns", "took_ms", "ok", "version", "address"}
        assert (line["ok"], line["version"], line["address"]) == (True, 'v"1\\', "127.0.0.1")
        assert began_ns <= line["sent_unix_ns"] <= time.time_ns()
        assert line["took_ms"] > 0
    sent = [line["sent_unix_ns"] for line in lines]
    assert sent == sorted(sent)


def test_client_sees_an_outage_and_its_end(stampload: Path, serve: Serve, tmp_path: Path) -> None:
    port = free_port()
    started: list[Application] = []

    def enough(lines: list[dict[str, Any]]) -> bool:
        if lines and not started:
            started.append(serve(port=port))
        return bool(lines) and lines[-1]["ok"] is True

    arguments = ["--host", "127.0.0.1", "--port", str(port), *FAST]
    lines = run_client(stampload, arguments, enough, tmp_path / "log")
    assert lines[0]["error"] == "connect: Connection refused"
    assert (lines[0]["ok"], lines[0]["version"], lines[0]["address"]) == (False, None, "127.0.0.1")
    outcomes = [line["ok"] for line in lines]
    assert outcomes == sorted(outcomes)  # fails until ready, then never again


def test_client_asks_anew_each_time(stampload: Path, app: Application, tmp_path: Path) -> None:
    nothing, address = "127.99.99.99", "127.0.0.1"
    moved = False

    def reply(query: bytes) -> list[bytes]:
        nonlocal moved
        moved = len(nameserver.queries) > 3
        return [response(query, [record(address if moved else nothing), record("127.0.0.9")])]

    with Nameserver(reply) as nameserver:
        target = ["--host", "tasks.app", "--port", str(app.port)]
        arguments = [*target, "--nameserver", nameserver.address, *FAST]
        lines = run_client(stampload, arguments, at_least(8), tmp_path / "log")
    assert [line["address"] for line in lines] == [nothing] * 3 + [address] * (len(lines) - 3)
    assert lines[-1]["ok"]
    assert nameserver.queries[0][2:] == bytes.fromhex(
        "01000001000000000000" + "057461736b73" + "03617070" + "00" + "00010001"
    )
    assert len({query[:2] for query in nameserver.queries}) > 1  # a number of its own each


def ask(program: Path, reply: Reply, timeout_ms: int, count: int, log: Path) -> str:
    """Let the client resolve a name with this nameserver; return how its first request ended."""
    with Nameserver(reply) as nameserver:
        times = ["--interval-ms", "1", "--timeout-ms", str(timeout_ms)]
        arguments = ["--host", "app", "--port", "1", "--nameserver", nameserver.address, *times]
        lines = run_client(program, arguments, at_least(count), log)
    error: str = lines[0]["error"]
    return error


REACHED = "connect: Connection refused"  # an address was taken: nothing listens on its port 1
GOOD = record("127.0.0.1")


def beyond(query: bytes) -> bytes:
    """A pointer to what follows the query, where the first record begins."""
    return struct.pack(">H", 0xC000 | len(query))


ALIAS = b"\x01x\xc0\x0c\x00\x05\x00\x01" + bytes(4) + b"\0\2ab"
ANSWERS: dict[str, dict[str, Reply]] = {
    REACHED: {
        "an answer": lambda q: [response(q, [GOOD])],
        "an alias before": lambda q: [response(q, [ALIAS, GOOD])],
        "strays before": lambda q: [b"", b"x", response(b"no" + q[2:], []), response(q, [GOOD])],
    },
    "dns: no such name": {"no name": lambda q: [response(q, [], code=3)]},
    "dns: error code 2": {"failure": lambda q: [response(q, [], code=2)]},
    "dns: no address": {"empty": lambda q: [response(q, [])]},
    "dns: no answer": {
        "silence": lambda q: [],
        "our own question": lambda q: [q],
        "another number": lambda q: [response(bytes([q[0] ^ 1]) + q[1:], [GOOD])],
        "another question": lambda q: [response(q.replace(b"app", b"abc"), [GOOD])],
        "half a header": lambda q: [response(q, [GOOD])[:11]],
    },
    "dns: malformed answer": {
        "a record too few": lambda q: [response(q, [], count=1)],
        "half an address": lambda q: [response(q, [GOOD[:-1]])],
        "half a pointer": lambda q: [response(q, [b"\xc0"], count=1)],
        "a pointer to itself": lambda q: [response(q, [record("127.0.0.1", beyond(q))])],
        "a loop over a label": lambda q: [response(q, [record("127.0.0.1", b"\x01a" + beyond(q))])],
        "a pointer to nowhere": lambda q: [response(q, [record("127.0.0.1", b"\xff\xff")])],
        "a pointer into the header": lambda q: [response(q, [record("127.0.0.1", b"\xc0\x02")])],
        "a label of no kind": lambda q: [response(q, [record("127.0.0.1", b"\x7fabc")])],
        "a label past the end": lambda q: [response(q, [record("127.0.0.1", b"\x3fabc")])],
    },
}


@pytest.mark.parametrize(
    ("outcome", "name"), [(outcome, name) for outcome in ANSWERS for name in ANSWERS[outcome]]
)
def test_answers_of_a_nameserver(sanitized: Path, tmp_path: Path, outcome: str, name: str) -> None:
    timeout_ms = 60 if outcome == "dns: no answer" else 20000
    assert ask(sanitized, ANSWERS[outcome][name], timeout_ms, 1, tmp_path / "log") == outcome


def test_no_answer_crashes_the_client(sanitized: Path, tmp_path: Path) -> None:
    noise = random.Random(1)  # noqa: S311 - the same noise in every run

    def reply(query: bytes) -> list[bytes]:
        answer = bytearray(response(query, [record("127.0.0.1", b"\x01a\xc0\x0c"), GOOD]))
        for _ in range(noise.randint(1, 4)):
            answer[noise.randrange(len(query) + 2, len(answer))] = noise.randrange(256)
        return [bytes(answer[: noise.choice([len(answer), noise.randrange(len(answer))])])]

    ask(sanitized, reply, 60, 60, tmp_path / "log")


def test_no_nameserver_listens(stampload: Path, tmp_path: Path) -> None:
    arguments = ["--host", "app", "--nameserver", f"127.0.0.1:{free_port()}", *FAST]
    lines = run_client(stampload, arguments, at_least(1), tmp_path / "log")
    assert lines[0]["error"] == "dns: Connection refused"
    assert lines[0]["address"] is None


@pytest.mark.parametrize("host", ["a..b", ".", "x" * 64, "a." * 127 + "a"])
def test_what_is_no_name_is_not_asked_for(stampload: Path, host: str, tmp_path: Path) -> None:
    arguments = ["--host", host, "--nameserver", "127.0.0.1:1", *FAST]
    lines = run_client(stampload, arguments, at_least(1), tmp_path / "log")
    assert lines[0]["error"] == "dns: not a name"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "http: status 503"),
        (b"HTTP/1.0 404 Not Found\r\n\r\n", "http: status 404"),
        (b"", "http: no answer"),
        (b"HTTP/1.1 200 OK\r\nX-St", "http: incomplete answer"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "http: malformed answer"),
        (b"\0" * 9000, "http: incomplete answer"),
        (None, "timeout"),
    ],
)
def test_http_answers(sanitized: Path, tmp_path: Path, answer: bytes | None, error: str) -> None:
    with RawServer(answer) as server:
        timeout_ms = "50" if answer is None else "20000"
        arguments = ["--host", "127.0.0.1", "--port", str(server.port), "--timeout-ms", timeout_ms]
        lines = run_client(sanitized, arguments, at_least(1), tmp_path / "log")
    assert (lines[0]["ok"], lines[0]["error"]) == (False, error)


@pytest.mark.parametrize(
    ("header", "version"),
    [
        (b"", None),
        (b"x-stampload-version:v9\r\n", "v9"),
        (b'X-Stampload-Version: \xff\x01"\r\n', '\xff\x01"'),
        (b"X-Stampload-Version: " + b"\xff" * 300 + b"\r\n", "\xff" * 128),
    ],
)
def test_http_versions(sanitized: Path, tmp_path: Path, header: bytes, version: str | None) -> None:
    with RawServer(b"HTTP/1.1 200 OK\r\n" + header + b"\r\n") as server:
        arguments = ["--host", "127.0.0.1", "--port", str(server.port), *FAST]
        lines = run_client(sanitized, arguments, at_least(1), tmp_path / "log")
    assert (lines[0]["ok"], lines[0]["version"]) == (True, version)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "--host is missing"),
        (["--host", "a", "--nameserver", "1.2.3.4:"], "--nameserver must be ADDRESS"),
        (["--host", "a", "--nameserver", "1.2.3"], "--nameserver must be ADDRESS"),
        (["--host", "a", "--interval-ms", "0"], "--interval-ms must be a plain integer"),
    ],
)
def test_bad_options_of_the_client(stampload: Path, arguments: list[str], sentence: str) -> None:
    done = run(stampload, "client", *arguments)
    assert done.returncode == 64
    assert done.stderr.startswith(f"stampload: {sentence}")


def test_probe_refuses_a_path_that_is_none(stampload: Path) -> None:
    assert run(stampload, "probe", "--path", "health").returncode == 64
    assert run(stampload, "probe", "--path", "/a b").returncode == 64
