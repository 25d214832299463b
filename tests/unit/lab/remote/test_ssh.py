"""An engine behind ssh: the words that reach it, and what is left when it cannot be reached."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from stamplab.lab.errors import LabError, UsageError
from stamplab.lab.remote import ssh as ssh_bridge
from stamplab.lab.remote.client import Client, NoAnswer
from stamplab.lab.remote.endpoint import Endpoint
from stamplab.lab.remote.ssh import SshBridge, ssh_command
from tests.scripts import script

DIAL = ("docker", "system", "dial-stdio")


@pytest.mark.parametrize(
    ("url", "options", "dial"),
    [
        ("ssh://there", (), DIAL),
        ("ssh://me@there", ("-l", "me"), DIAL),
        ("ssh://me@there:2222", ("-l", "me", "-p", "2222"), DIAL),
        ("ssh://there/", (), DIAL),
        ("ssh://there/run/d.sock", (), ("docker", "--host=unix:///run/d.sock", *DIAL[1:])),
    ],
)
def test_its_words_are_dockers(url: str, options: tuple[str, ...], dial: tuple[str, ...]) -> None:
    assert ssh_command(url) == (
        "ssh",
        *options,
        *("-o", "ConnectTimeout=30", "-T", "--", "there"),
        *dial,
    )


@pytest.mark.parametrize("url", ["ssh://", "ssh:///x", "ssh://me:secret@there", "ssh://there?x=1"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="no address of an engine behind ssh"):
        ssh_command(url)


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in the place of ssh; the test writes it."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return script(tmp_path / "ssh", "exec cat")


def asked(bridge: SshBridge, text: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(bridge.address.removeprefix("unix://"))
        connection.sendall(text)
        return connection.recv(100)


def test_each_connection_is_carried_by_its_own(ssh: Path) -> None:
    bridge = SshBridge("ssh://there")
    try:
        assert asked(bridge, b"one") == b"one"
        assert asked(bridge, b"two") == b"two"
    finally:
        bridge.close()
    assert not Path(bridge.address.removeprefix("unix://")).parent.exists()


def test_one_that_would_not_end_is_ended(ssh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_bridge, "_END_TIMEOUT_S", 0.3)
    ssh.write_text(
        f"#!{sys.executable}\nimport os, signal\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nos.write(1, b'x')\nsignal.pause()\n"
    )
    bridge = SshBridge("ssh://there")
    assert asked(bridge, b"") == b"x"
    bridge.close()


def test_ssh_is_quoted_where_it_refuses(ssh: Path) -> None:
    script(ssh, "echo 'me@there: Permission denied (publickey).' >&2\nexit 255")
    with pytest.raises(NoAnswer, match=r"ssh says: me@there: Permission denied \(publickey\)\."):
        Client(Endpoint(host="ssh://me@there", named_by="a test"))


def test_a_machine_without_ssh_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="needs the program ssh"):
        SshBridge("ssh://there")


def test_an_ssh_that_cannot_be_run_is_said(ssh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(ssh.parent))
    ssh.write_text("#!/no/such/interpreter\n")
    with pytest.raises(NoAnswer, match="ssh cannot be run"):
        Client(Endpoint(host="ssh://there", named_by="a test"))
