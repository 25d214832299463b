"""Whatever state a repository is in, the stamp is go-git's, and where git differs we know why."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, note, settings

from stamplab.lab.abra.gogit.differences import explain
from tests import readers
from tests.gogit.asking import GoGit
from tests.property.repositories import FEATURES, Builder, Built, State, states
from tests.property.tally import Tally

DEEP_PER_FEATURE, QUICK_PER_FEATURE = 75, 7


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    return Builder(tmp_path_factory.mktemp("states"))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("feature", FEATURES)
def test_the_stamp_is_go_gits_and_every_difference_from_git_is_explained(
    feature: str, gogit: GoGit, builder: Builder, tally: Tally, pytestconfig: pytest.Config
) -> None:
    def law(state: State) -> None:
        tally.add(state.features, str(state))
        built = builder.build(state)
        hold(built, gogit, tally)
        if "global ignore files" in state.features:
            hold_with_home(builder.build(state), gogit)

    law.__name__ = f"law_of_{feature.replace(' ', '_')}"  # The database of examples goes by names.
    deep = pytestconfig.getoption("--deep")
    settings(
        max_examples=DEEP_PER_FEATURE if deep else QUICK_PER_FEATURE,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )(given(states(feature))(law))()
    tally.done(feature)


def hold(built: Built, gogit: GoGit, tally: Tally) -> None:
    """Ours first, for it changes nothing; go-git and GitPython may write while they look."""
    ours, git = readers.of_ours(built), readers.of_git(built)
    reasons = explain(built.repository, built.home)
    theirs = readers.of_gogit(gogit.ask(built.repository))
    gitpython = readers.of_gitpython(built)
    note(f"go-git: {theirs}\nours: {ours}\ngit: {git}\nGitPython: {gitpython}")
    note(f"predicates that hold: {[reason.name for reason in reasons]}")
    assert ours.stamp == theirs.stamp, "the stamp is not go-git's"
    assert "\n" not in ours.reason, "a refusal is no single sentence"
    tally.held(reason.name for reason in reasons)
    for other in (git, gitpython):
        if other.said == theirs.said:
            assert other.head == theirs.head
            continue
        pair = (other.said, theirs.said)
        why = [reason.name for reason in reasons if pair in reason.pairs]
        assert why, f"no predicate explains that git says {pair[0]} and go-git {pair[1]}"
        tally.needed(why)


def hold_with_home(built: Built, gogit: GoGit) -> None:
    """The same with the global excludes that abra is believed to add."""
    ours = readers.of_ours(built, built.home)
    theirs = readers.of_gogit(gogit.ask(built.repository, built.home))
    note(f"with HOME's excludes: go-git: {theirs}\nours: {ours}")
    assert ours.stamp == theirs.stamp, "with HOME's excludes the stamp is not go-git's"


@pytest.mark.deep
def test_as_many_states_were_tried_as_are_promised(tally: Tally) -> None:
    if not tally.is_complete(FEATURES):
        pytest.skip("only some features were tried in this session")
    assert tally.states >= 2000
    assert min(tally.of(feature) for feature in FEATURES) >= 20
