"""Whatever state a repository is in: go-git answers as if it were let write, and writes nothing.

And in states that are made of everyday steps alone, git says the same as go-git. Where they differ
is pinned by `tests/unit/lab/test_stamp_differences.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from stamplab.lab.abra.go_git import Answer, GoGit
from tests import readers
from tests.property.repositories import FEATURES, Builder, Built, State, states
from tests.property.tally import Tally

DEEP_PER_FEATURE, QUICK_PER_FEATURE = 75, 7
EVERYDAY = (
    "branches",
    "edits",
    "staged files",
    "deleted files",
    "renamed files",
    "untracked files",
    "packed refs",
    "detached HEAD",
    "empty folders",
)
"""Features that no difference between git and go-git comes from."""


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    return Builder(tmp_path_factory.mktemp("states"))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("feature", FEATURES)
def test_the_stamp_is_that_of_a_go_git_that_may_write_and_nothing_is_written(
    feature: str, gogit: GoGit, builder: Builder, tally: Tally, pytestconfig: pytest.Config
) -> None:
    def law(state: State) -> None:
        built = builder.build(state)
        differs = compare(built, gogit)
        tally.add(state.features, str(state), differs=differs)
        if "global ignore files" in state.features:
            built = builder.build(state)
            compare(built, gogit, built.home)

    play(law, states(feature), feature, pytestconfig)
    tally.done(feature)


def compare(built: Built, gogit: GoGit, home: Path | None = None) -> bool:
    """Hold go-git to what it says where it may write, which comes last; whether git differs."""
    answer, git = look(built, gogit, home), readers.of_git(built)
    direct = gogit.ask(built.repository, home, direct=True)
    note(f"go-git: {answer}\nthat may write: {direct}\ngit: {git}")
    assert (answer.head, answer.changes) == (direct.head, direct.changes)
    assert bool(answer.failed) == bool(direct.failed)
    return git.status != readers.of_gogit(answer).status


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("feature", EVERYDAY)
def test_in_everyday_states_git_agrees(
    feature: str, gogit: GoGit, builder: Builder, pytestconfig: pytest.Config
) -> None:
    def law(state: State) -> None:
        built = builder.build(state)
        theirs, git = readers.of_gogit(look(built, gogit)), readers.of_git(built)
        note(f"go-git: {theirs}\ngit: {git}")
        assert theirs.stamp == git.stamp

    play(law, states(feature, EVERYDAY), f"everyday {feature}", pytestconfig)


def play(
    law: Callable[[State], None], drawn: st.SearchStrategy[State], name: str, config: pytest.Config
) -> None:
    """Hold the law for as many states as this session wants."""
    law.__name__ = f"law_of_{name.replace(' ', '_')}"  # The database of examples goes by names.
    settings(
        max_examples=DEEP_PER_FEATURE if config.getoption("--deep") else QUICK_PER_FEATURE,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )(given(drawn)(law))()


def look(built: Built, gogit: GoGit, home: Path | None = None) -> Answer:
    """Ask go-git, and see that nothing is written, beside the repository neither."""
    before = snapshot(built)
    answer = gogit.ask(built.repository, home)
    assert snapshot(built) == before, "looking has changed the repository"
    return answer


def snapshot(built: Built) -> dict[Path, tuple[int, int, int]]:
    everything = built.home.parent.rglob("*")
    return {
        path: (status.st_mode, status.st_size, status.st_mtime_ns)
        for path in everything
        for status in (path.lstat(),)
    }


@pytest.mark.deep
def test_as_many_states_were_tried_as_are_promised(tally: Tally) -> None:
    if not tally.is_complete(FEATURES):
        pytest.skip("only some features were tried in this session")
    assert tally.states >= 2000
    assert min(tally.of(feature) for feature in FEATURES) >= 20
