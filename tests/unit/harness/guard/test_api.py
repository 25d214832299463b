"""The guard in a Python program, and as a pytest fixture."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from stamplab import NotConverged, guarding
from stamplab.harness.guard import Outcome
from stamplab.lab.errors import LabError, UsageError
from tests.programs import python
from tests.unit.harness.guard.conftest import APP
from tests.unit.lab.remote.engine import Engine, task

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parents[4]


@pytest.fixture
def up(up: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The same, and the environment names it."""
    monkeypatch.setenv("DOCKER_HOST", up.address)
    return up


def upgrade(engine: Engine, state: str = "completed") -> None:
    before = engine.services[APP]
    after = engine.put(APP, task="head", labels={"v": "2"}, previous=before, state=state)
    engine.tasks = [task("old", before, "shutdown"), task("new", after)]
    engine.happen("start", "new")


def test_what_the_block_deploys_is_followed(up: Engine) -> None:
    with guarding(APP, labels={"v": "2"}, image="image:head") as guard:
        upgrade(up)
    verdict = guard.verdict()
    assert verdict.is_success
    assert guard.check() is guard.verdict()
    assert verdict.services[0].how == "updated"
    assert {method for method, _ in up.requests} == {"GET"}


def test_what_happens_inside_the_block_is_seen(up: Engine) -> None:
    """It is followed in a thread: a rollback that is over before the block ends was a rollback."""
    with guarding(APP) as guard:
        upgrade(up, "updating")
        up.put(APP, state="rollback_started", message="early termination of task new")
        up.put(APP, state="rollback_completed")
    assert guard.verdict().outcome is Outcome.ROLLED_BACK
    with pytest.raises(NotConverged, match="rolled back: shop_app: rolled back: head spec"):
        guard.check()


def test_the_end_of_the_deploy_may_be_said_earlier(up: Engine) -> None:
    with guarding(APP) as guard:
        upgrade(up)
        guard.deployed()
        assert guard.verdict().is_success


def test_an_exception_passes_through_and_ends_the_guard(up: Engine) -> None:
    with pytest.raises(ZeroDivisionError), guarding(APP) as guard:
        raise ZeroDivisionError
    assert guard.verdict().outcome is Outcome.DEPLOY_FAILED
    assert not [thread for thread in threading.enumerate() if thread.name == "docker events"]


def test_an_engine_and_an_environment_may_be_named(engine: Engine) -> None:
    engine.tasks = [task("old", engine.put(APP))]
    with guarding(APP, environment={"DOCKER_HOST": engine.address}) as guard:
        pass
    assert guard.verdict().services[0].how == "unchanged"


def test_what_makes_no_sense_is_refused(up: Engine) -> None:
    with pytest.raises(UsageError, match="name the services"), guarding():
        pass
    with pytest.raises(UsageError, match="8 to 40 hex digits"), guarding(APP, commit="x"):
        pass
    with (
        pytest.raises(LabError, match="cannot be reached"),
        guarding(APP, environment={"DOCKER_HOST": "unix:///no/such.sock"}),
    ):
        pass


def test_the_time_out_counts(up: Engine) -> None:
    up.tasks = []
    with guarding(APP, timeout_s=0.3) as guard:
        pass
    assert guard.verdict().outcome is Outcome.STALLED


@pytest.mark.parametrize(("expected", "ends"), [("base", "passed"), ("head", "failed")])
def test_the_fixture_fails_a_test_with_the_reason(
    up: Engine, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, expected: str, ends: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile(
        f"""
        def test_the_upgrade(swarm_guard):
            with swarm_guard({APP!r}, image="image:{expected}") as guard:
                pass
            guard.check()
        """
    )
    done = pytester.runpytest_subprocess("-p", "stamplab.pytest_plugin")
    done.assert_outcomes(**{ends: 1})
    if ends == "failed":
        done.stdout.fnmatch_lines(["*NotConverged: stamp mismatch: the image image:head was exp*"])


def test_the_plugin_is_registered_and_imports_nothing_of_ours() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module = project["entry-points"]["pytest11"]["stamplab"]
    script = (
        f"import {module}, sys\n"
        "print(sorted({'click', 'docker', 'msgspec', 'requests', 'stamplab.harness.guard'} & "
        "set(sys.modules)))"
    )
    done = python("-c", script)
    assert done.stdout == "[]\n", done.stderr
