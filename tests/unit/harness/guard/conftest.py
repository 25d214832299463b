from __future__ import annotations

import pytest

from tests.unit.lab.remote.conftest import engine
from tests.unit.lab.remote.engine import Engine, container, task

__all__ = ["engine"]
APP = "shop_app"


@pytest.fixture
def up(engine: Engine) -> Engine:
    """An engine with one service, up."""
    engine.tasks = [task("old", engine.put(APP))]
    engine.containers = {"container-old": container("old")}
    return engine
