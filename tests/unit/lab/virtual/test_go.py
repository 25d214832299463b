"""The tests that lie beside the programs in Go, run by Go; and its own checks of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stamplab.lab.errors import NotPossibleHere
from stamplab.lab.recipe.resolver import STACKSPEC
from stamplab.lab.support import programs
from stamplab.lab.support.go_build import Go, GoProgram, build_flags, environment, find_go
from stamplab.lab.virtual.swarmsim import SWARMSIM
from tests import cannot_run

pytestmark = pytest.mark.timeout(900)
TIMEOUT_S = 800.0


def go_for(program: GoProgram) -> Go:
    try:
        return find_go(program)
    except NotPossibleHere as error:
        reason = f"the tests of {program.name} cannot be run here: {error}"
    raise cannot_run(reason)


@pytest.mark.parametrize("program", [SWARMSIM, STACKSPEC], ids=lambda program: program.name)
def test_its_tests_pass(program: GoProgram, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Fewer random scenarios without ``--deep``. Go test vets what it tests."""
    go = go_for(program)
    flags = build_flags(program, go, tmp_path, TIMEOUT_S)
    flags += [] if pytestconfig.getoption("--deep") else ["-short"]
    ran = programs.run(
        [str(go.program), "test", *flags, "./..."], TIMEOUT_S, environment(), program.sources
    )
    assert ran.returncode == 0, ran.stdout[-5000:] + ran.stderr[-5000:]
    assert re.search(rf"^ok\s+\S+/{program.name}\t", ran.stdout, re.MULTILINE), ran.stdout
