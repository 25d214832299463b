"""Where the engine is: as the docker client itself decides it, and never another one silently."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest

from stamplab.lab.errors import LabError, UsageError
from stamplab.lab.remote.endpoint import DEFAULT_HOST, find_endpoint, for_children

Environment = dict[str, str]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "docker"


@pytest.fixture
def environment(config: Path) -> Environment:
    return {"DOCKER_CONFIG": str(config)}


def add_context(
    config: Path, name: str, host: str = "tcp://there:2376", *, tls: bool = False, **docker: object
) -> Path:
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = config / "contexts" / "meta" / key / "meta.json"
    meta.parent.mkdir(parents=True)
    endpoint = {"Host": host, **docker}
    meta.write_bytes(
        msgspec.json.encode({"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}})
    )
    if tls:
        files = config / "contexts" / "tls" / key / "docker"
        files.mkdir(parents=True)
        for part in ("ca", "cert", "key"):
            (files / f"{part}.pem").touch()
    return meta


def use(config: Path, name: str) -> None:
    config.mkdir(exist_ok=True)
    (config / "config.json").write_bytes(msgspec.json.encode({"currentContext": name}))


def test_where_nothing_is_said_it_is_the_socket(environment: Environment) -> None:
    endpoint = find_endpoint(None, environment)
    assert (endpoint.host, endpoint.named_by, endpoint.tls) == (
        DEFAULT_HOST,
        "the default address",
        None,
    )


def test_docker_host_is_taken(environment: Environment) -> None:
    endpoint = find_endpoint(None, environment | {"DOCKER_HOST": "unix:///else.sock"})
    assert str(endpoint) == "unix:///else.sock (DOCKER_HOST)"


def test_the_order_is_that_of_the_client(config: Path, environment: Environment) -> None:
    for name in ("asked", "variable", "current"):
        add_context(config, name, f"tcp://{name}:1")
    use(config, "current")
    both = environment | {"DOCKER_CONTEXT": "variable", "DOCKER_HOST": "tcp://host:1"}
    assert find_endpoint("asked", both).host == "tcp://asked:1"
    assert find_endpoint(None, both).host == "tcp://host:1"
    del both["DOCKER_HOST"]
    assert find_endpoint(None, both).host == "tcp://variable:1"
    assert find_endpoint(None, environment).host == "tcp://current:1"
    assert find_endpoint("default", both).host == DEFAULT_HOST
    hosted = environment | {"DOCKER_HOST": "tcp://host:1"}
    assert find_endpoint("default", hosted).host == "tcp://host:1"


def test_a_context_that_is_not_there_is_no_other(config: Path, environment: Environment) -> None:
    """The SDK would take the default one, and watch another swarm than is deployed to."""
    use(config, "gone")
    with pytest.raises(UsageError, match="there is no docker context 'gone'"):
        find_endpoint(None, environment)
    with pytest.raises(UsageError, match="there is no docker context 'nope'"):
        find_endpoint("nope", environment)


def test_without_a_configuration_the_home_is_looked_into(tmp_path: Path) -> None:
    add_context(tmp_path / ".docker", "mine", "tcp://mine:1")
    assert find_endpoint("mine", {"HOME": str(tmp_path)}).host == "tcp://mine:1"


@pytest.mark.parametrize("text", ["{", '{"Endpoints": {}}', '{"Endpoints": 3}', "[]", "\xff"])
def test_a_damaged_context_is_said(config: Path, environment: Environment, text: str) -> None:
    add_context(config, "bad").write_text(text, encoding="latin-1")
    with pytest.raises(LabError, match=r"docker context bad .* cannot be read"):
        find_endpoint("bad", environment)


def test_a_damaged_configuration_is_said(config: Path, environment: Environment) -> None:
    use(config, "x")
    (config / "config.json").write_text("{")
    with pytest.raises(LabError, match=r"configuration .* cannot be read"):
        find_endpoint(None, environment)


@pytest.mark.parametrize("text", ["[]", '{"currentContext": 3}', "{}"])
def test_a_configuration_may_name_none(config: Path, environment: Environment, text: str) -> None:
    config.mkdir()
    (config / "config.json").write_text(text)
    assert find_endpoint(None, environment).host == DEFAULT_HOST


@pytest.mark.parametrize(
    "host", ["npipe:////./pipe/docker", "fd://", "there", "there:2375", "ftp://x"]
)
def test_an_address_of_another_kind_is_refused(environment: Environment, host: str) -> None:
    with pytest.raises(UsageError, match="no address that can be talked to"):
        find_endpoint(None, environment | {"DOCKER_HOST": host})


# TLS.


@pytest.mark.parametrize(
    ("variables", "verify"),
    [
        ({}, None),
        ({"DOCKER_TLS_VERIFY": ""}, None),
        ({"DOCKER_TLS_VERIFY": "1"}, True),
        ({"DOCKER_TLS": "1"}, False),
        ({"DOCKER_TLS": "1", "DOCKER_TLS_VERIFY": "1"}, True),
    ],
)
def test_tls_by_the_environment(
    config: Path, environment: Environment, variables: Environment, verify: bool | None
) -> None:
    config.mkdir()
    (config / "ca.pem").touch()
    endpoint = find_endpoint(None, environment | {"DOCKER_HOST": "tcp://h:2376"} | variables)
    assert (endpoint.tls.verify if endpoint.tls else None) is verify
    if endpoint.tls:
        assert (endpoint.tls.ca, endpoint.tls.cert) == (config / "ca.pem", None)


def test_certificates_may_be_elsewhere(tmp_path: Path, environment: Environment) -> None:
    for part in ("ca", "cert", "key"):
        (tmp_path / f"{part}.pem").touch()
    variables = {
        "DOCKER_HOST": "tcp://h:2376",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": str(tmp_path),
    }
    endpoint = find_endpoint(None, environment | variables)
    assert endpoint.tls is not None
    assert (endpoint.tls.cert, endpoint.tls.key) == (tmp_path / "cert.pem", tmp_path / "key.pem")


def test_tls_by_a_context(config: Path, environment: Environment) -> None:
    add_context(config, "sure", tls=True)
    add_context(config, "blind", tls=True, SkipTLSVerify=True)
    add_context(config, "plain")
    sure, blind = find_endpoint("sure", environment).tls, find_endpoint("blind", environment).tls
    assert sure is not None
    assert sure.verify
    assert sure.ca is not None
    assert blind is not None
    assert not blind.verify
    assert find_endpoint("plain", environment).tls is None


@pytest.mark.parametrize("host", ["unix:///x.sock", "ssh://there"])
def test_a_socket_and_ssh_have_no_tls(config: Path, environment: Environment, host: str) -> None:
    add_context(config, "one", host, tls=True)
    assert find_endpoint("one", environment).tls is None
    hosted = environment | {"DOCKER_HOST": host, "DOCKER_TLS_VERIFY": "1"}
    assert find_endpoint(None, hosted).tls is None


# What the deploy command gets.


def test_the_deploy_talks_to_the_swarm_that_is_watched() -> None:
    given = {"DOCKER_HOST": "tcp://h:1", "PATH": "/bin"}
    assert for_children(None, given) == given
    assert for_children("x", given) == {"PATH": "/bin", "DOCKER_CONTEXT": "x"}
    assert for_children("default", given) == {**given, "DOCKER_CONTEXT": "default"}
