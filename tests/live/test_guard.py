"""The guard at a real swarm that is not its own: right, by looking alone, whatever breaks."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from stamplab.lab.live.lab import Apparatus
from tests.live.proxy import Proxy, proxied
from tests.live.remote_swarm import RemoteSwarm, remote_swarm, wait_until_running
from tests.live.running_guard import RunningGuard
from tests.live.tls import by_tls, certificates

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def swarm(apparatus: Apparatus) -> Iterator[RemoteSwarm]:
    with remote_swarm(apparatus) as swarm:
        yield swarm


@pytest.fixture
def proxy(swarm: RemoteSwarm) -> Iterator[Proxy]:
    """In front of the engine for the guard; the deploy goes past it."""
    with (
        tempfile.TemporaryDirectory(prefix="stamplab-") as folder,
        proxied(swarm.url, Path(folder)) as proxy,
    ):
        yield proxy


def past_the_proxy(words: tuple[str, ...]) -> tuple[str, ...]:
    """The deploy command, at the engine itself: what it changes is not the guard's doing."""
    return (
        "--",
        "env",
        "DOCKER_HOST=",
        "sh",
        "-c",
        'DOCKER_HOST=$ENGINE exec "$@"',
        "deploy",
        *words,
    )


def guard(
    swarm: RemoteSwarm, proxy: Proxy, name: str, deploy: tuple[str, ...], *words: str
) -> dict[str, Any]:
    argv = (name, *words, *past_the_proxy(deploy))
    with RunningGuard(swarm, *argv, host=proxy.address) as running:
        return running.end()


def only(document: Mapping[str, Any]) -> dict[str, Any]:
    (service,) = document["services"]
    return dict(service)


def test_a_daemon_killed_in_the_hold_gives_no_success(swarm: RemoteSwarm, proxy: Proxy) -> None:
    """Its containers go with it. What it lists as running when it is back does not run."""
    swarm.create("killed")
    words = swarm.update("killed", "--update-monitor", "4s")
    argv = ("killed", *past_the_proxy(words))
    with RunningGuard(swarm, *argv, host=proxy.address) as running:
        wait_until_running(swarm, "killed")
        swarm.restart()
        killed_s = time.monotonic()
        document = running.end()
        waited_s = time.monotonic() - killed_s
    assert document["outcome"] in ("converged", "rolled back", "unknown", "paused"), document
    if document["outcome"] == "converged":
        assert waited_s > 4, document  # the hold began anew, with the task that came after it
    assert proxy.methods == {"GET"}
    swarm.docker("service", "rm", "killed")


def test_an_upgrade_converges_and_only_looks_were_asked(swarm: RemoteSwarm, proxy: Proxy) -> None:
    swarm.create("good")
    document = guard(swarm, proxy, "good", swarm.update("good"), "--expect", "v=2")
    assert (document["outcome"], only(document)["how"]) == ("converged", "updated")
    assert proxy.methods == {"GET"}
    assert len(proxy.requests) == document["api_calls"]
    swarm.docker("service", "rm", "good")


def test_by_tls_it_sees_the_same_and_without_a_certificate_nothing_is_deployed(
    swarm: RemoteSwarm, proxy: Proxy, tmp_path: Path
) -> None:
    swarm.create("behind-tls")
    words = ("behind-tls", "--", *swarm.update("behind-tls", exit_at_s=1, ready_s=9))
    with by_tls(swarm.url) as host:
        env = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
        with RunningGuard(swarm, *words, host=host, env=env) as running:
            document = running.end()
        assert (document["outcome"], document["deploy"]) == ("unknown", None)
        certificates(tmp_path)
        with RunningGuard(swarm, *words, host=host, env=env) as running:
            document = running.end()
    assert document["outcome"] == "rolled back", document
    assert only(document)["failure"]["ran_s"] >= 1
    assert proxy.requests == []
    swarm.docker("service", "rm", "behind-tls")


def test_an_oom_kill_in_the_boot_rolls_back_and_is_named(swarm: RemoteSwarm, proxy: Proxy) -> None:
    swarm.create("thirsty")
    words = swarm.update(
        "thirsty", "--limit-memory", "32M", peak_bytes=100_000_000, boot_s=0.5, ready_s=5
    )
    document = guard(swarm, proxy, "thirsty", words)
    assert document["outcome"] == "rolled back"
    failure = only(document)["failure"]
    assert failure["exit_code"] == 137
    assert failure["oom_killed"] is True
    assert failure["window"] == "before running"
    assert 0 < failure["ran_s"] < 30
    assert "OOM-killed by the engine's OOMKilled" in document["reason"]
    assert proxy.methods == {"GET"}
    swarm.docker("service", "rm", "thirsty")


def test_a_stream_that_is_cut_often_hides_no_rollback(swarm: RemoteSwarm, proxy: Proxy) -> None:
    swarm.create("cut")
    words = swarm.update("cut", exit_at_s=15, exit_code=3, ready_s=30)
    argv = ("cut", *past_the_proxy(words))
    with RunningGuard(swarm, *argv, host=proxy.address) as running:
        deadline_s = time.monotonic() + 60
        while proxy.cuts < 20:
            assert time.monotonic() < deadline_s
            proxy.cut_streams()
            time.sleep(0.05)
        document = running.end()
    assert document["outcome"] == "rolled back"
    assert only(document)["failure"]["exit_code"] == 3
    assert proxy.methods == {"GET"}
    swarm.docker("service", "rm", "cut")


def test_a_removed_service_and_one_scaled_to_zero(swarm: RemoteSwarm, proxy: Proxy) -> None:
    swarm.create("gone")
    docker = swarm.update("gone")[0]
    document = guard(swarm, proxy, "gone", (docker, "service", "scale", "-d", "gone=0"))
    assert (document["outcome"], only(document)["how"]) == ("converged", "scaled to zero")
    document = guard(swarm, proxy, "gone", (docker, "service", "rm", "gone"))
    assert document["outcome"] == "removed"


@pytest.mark.parametrize(
    "mode",
    ["replicated-job", pytest.param("global-job", marks=pytest.mark.deep), "one-shot", "global"],
)
def test_one_shots_jobs_and_global_services(swarm: RemoteSwarm, proxy: Proxy, mode: str) -> None:
    docker = swarm.update(mode)[0]
    words = ("--restart-condition", "none") if mode == "one-shot" else ("--mode", mode)
    runs_s = "1000" if mode == "global" else "0.2"
    options: tuple[str, ...] = ("--network", "host", "--no-resolve-image")
    options += ("--entrypoint", "/bin/sleep")
    if not mode.endswith("job"):
        options += ("--update-monitor", "500ms")
    create = (docker, "service", "create", "-d", "--name", mode, *words, *options)
    document = guard(swarm, proxy, mode, (*create, swarm.image, runs_s))
    assert (document["outcome"], only(document)["how"]) == (
        "converged",
        "job" if mode.endswith("job") else "created",
    )
    swarm.docker("service", "rm", mode)


def test_a_stack_of_which_one_service_rolls_back_is_mixed(swarm: RemoteSwarm, proxy: Proxy) -> None:
    for name in ("pair_a", "pair_b"):
        swarm.create(name, "--label", "com.docker.stack.namespace=pair")
    good, bad = (
        swarm.update("pair_a"),
        swarm.update("pair_b", exit_at_s=0.1, exit_code=3, ready_s=9),
    )
    script = " && ".join(" ".join(f"'{word}'" for word in words) for words in (good, bad))
    document = guard(swarm, proxy, "pair", ("sh", "-c", script))
    assert (document["outcome"], document["exit_code"]) == ("mixed stack", 18)
    assert {service["name"]: service["outcome"] for service in document["services"]} == {
        "pair_a": "converged",
        "pair_b": "rolled back",
    }
    swarm.docker("service", "rm", "pair_a", "pair_b")
