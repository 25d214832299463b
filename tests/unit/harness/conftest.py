from __future__ import annotations

import pytest

from tests.unit.harness.run_context import Repositories, build_repositories


@pytest.fixture(scope="session")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> Repositories:
    return build_repositories(tmp_path_factory.mktemp("recipe"))
