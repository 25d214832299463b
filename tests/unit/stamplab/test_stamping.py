"""The stamping experiments of C2: what they stamp, how they are told apart, how they are judged."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from stamplab.claims.stamping import C2, claim, play_all
from stamplab.cli.run import by_hand
from stamplab.harness.verdict import Verdict
from stamplab.lab.abra.driver import AbraProgram, stand_in_program
from stamplab.lab.errors import LabError, UsageError
from stamplab.lab.model.history import CommandRan
from stamplab.lab.recipe import git
from stamplab.lab.recipe.repository import build_repository
from stamplab.runner.stamping.play import StampRun
from stamplab.runner.stamping.repositories import make_repositories
from stamplab.runner.stamping.verdict import Stamped, describe_stamp, judge_stamping
from stamplab.scenarios.discourse.recipe import BASE_TAG, RECIPE, asking_for_a_secret
from stamplab.scenarios.stamping.experiment import CommitRole, StampingRepositories, Step
from stamplab.scenarios.stamping.variants import (
    COPY,
    COUNTER_EXAMPLES,
    EXPERIMENTS,
    MIRROR,
    VARIANTS,
)
from tests import PYTHON_PATH

Stampings = Mapping[str, Stamped]


@pytest.fixture(scope="module")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> StampingRepositories:
    folder = tmp_path_factory.mktemp("ground")
    build_repository(asking_for_a_secret(RECIPE), folder / "recipe")
    return make_repositories("discourse", folder / "recipe", BASE_TAG, "main", folder)


@pytest.fixture(scope="module")
def stamped(
    repositories: StampingRepositories, tmp_path_factory: pytest.TempPathFactory
) -> Stampings:
    folder = tmp_path_factory.mktemp("st")
    return {
        experiment.name: experiment
        for experiment in play_all(C2, repositories, stand_in_program(), folder)
    }


@pytest.mark.parametrize("name", [experiment.name for experiment in VARIANTS])
def test_a_variant_stamps_head_and_marks_it_exactly_when_the_tree_is_dirty(
    stamped: Stampings, repositories: StampingRepositories, name: str
) -> None:
    assert stamped[name].stamp == repositories.head[:8]
    assert stamped[f"{name}_dirty"].stamp == f"{repositories.head[:8]}+U"


def test_every_experiment_ends_for_want_of_a_secret(stamped: Stampings) -> None:
    assert {experiment.bailed for experiment in stamped.values()} == {
        "secret not generated: db_password, exit code 1"
    }
    assert {experiment.verdict for experiment in stamped.values()} == {Verdict.PASS}


def test_the_counter_examples_are_told_from_a_sound_run_and_from_each_other(
    stamped: Stampings, repositories: StampingRepositories
) -> None:
    counters = [stamped[experiment.name] for experiment in COUNTER_EXAMPLES]
    sound = f"{repositories.head[:8]}+U"
    assert sound not in [experiment.stamp for experiment in counters]
    assert {experiment.name: experiment.whose for experiment in counters} == {
        "forgotten_checkout": CommitRole.BASE,
        "tag_repointed": CommitRole.MIRRORS_TAG,
        "env_pin": CommitRole.BASE,
        "clean_tree": CommitRole.HEAD,
        "mirror_behind": CommitRole.MIRRORS_TIP,
    }


def test_the_claim_holds_and_says_whose_abra_it_was(stamped: Stampings) -> None:
    c2 = claim(tuple(stamped.values()), "the stand-in", "stamping/")
    assert (c2.id, c2.verdict) == ("C2", Verdict.PASS)
    assert "by the stand-in" in c2.evidence


@pytest.mark.parametrize("name", [MIRROR.name, f"{COPY.name}_dirty"])
def test_what_is_printed_can_be_pasted(
    stamped: Stampings, repositories: StampingRepositories, tmp_path: Path, name: str
) -> None:
    script = by_hand(EXPERIMENTS[name], repositories, stand_in_program())
    ours = f'abra() {{ "{sys.executable}" -P -m stamplab abra "$@"; }}'
    lines = [ours if line.startswith("abra()") else line for line in script.splitlines()]
    done = subprocess.run(
        ["sh"],
        input="\n".join(lines),
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": PYTHON_PATH},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"taking chaos version: {stamped[name].stamp}\n" in done.stderr
    assert done.stderr.rstrip().endswith("FATA secret not generated: db_password")


def run_of(repositories: StampingRepositories, **changes: object) -> StampRun:
    """A sound run of `COPY`, changed."""
    output = (
        f"DEBU app/deploy.go:372 version: taking chaos version: {repositories.head[:8]}\n"
        "FATA secret not generated: db_password\n"
    )
    deploy = CommandRan(
        argv=("abra", "app", "deploy", "-C"), exit_code=1, took_s=0.1, output=output
    )
    deploy = msgspec.structs.replace(
        deploy, **{k: v for k, v in changes.items() if k in deploy.__struct_fields__}
    )
    run = StampRun(commands=(deploy,), asked=(), refused=(), took_s=0.1)
    return msgspec.structs.replace(
        run, **{k: v for k, v in changes.items() if k in run.__struct_fields__ and k != "took_s"}
    )


def test_a_sound_run_passes(repositories: StampingRepositories) -> None:
    assert judge_stamping(COPY, repositories, run_of(repositories)).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"exit_code": 0}, "exited with 0"),
        ({"refused": ("POST /services/create",)}, "asked the swarm for POST /services/create"),
        ({"output": "version: taking chaos version: {head}\nFATA no"}, "for want of a secret"),
        ({"output": "version: taking chaos version: {head}+U\nFATA"}, "took {head}+U"),
        ({"output": "version: taking chaos version: {base}\nFATA"}, "took {base}, the base's"),
        ({"output": "version: taking chaos version: 00000000\n"}, "of no commit"),
        ({"output": "version: taking chaos version: {short}\n"}, "of no commit"),
    ],
)
def test_whatever_is_not_as_claimed_fails_and_is_named(
    repositories: StampingRepositories, changes: dict[str, object], wrong: str
) -> None:
    names = {
        "head": repositories.head[:8],
        "short": repositories.head[:7],
        "base": repositories.commits[CommitRole.BASE][:8],
    }
    filled = {k: v.format_map(names) if isinstance(v, str) else v for k, v in changes.items()}
    match = judge_stamping(COPY, repositories, run_of(repositories, **filled))
    assert match.verdict is Verdict.FAIL
    assert wrong.format_map(names) in match.wrong


@pytest.mark.parametrize("changes", [{"output": "FATA no engine"}, {"commands": ()}])
def test_a_run_without_a_stamp_is_unknown(
    repositories: StampingRepositories, changes: dict[str, object]
) -> None:
    match = judge_stamping(COPY, repositories, run_of(repositories, **changes))
    assert match.verdict is Verdict.UNKNOWN


def test_an_experiment_that_cannot_be_played_is_unknown_and_says_why(
    repositories: StampingRepositories, tmp_path: Path
) -> None:
    broken = AbraProgram(argv=("/nonexistent/abra",), whose="no abra", is_real=False)
    (match,) = play_all((COPY,), repositories, broken, tmp_path)
    assert match.verdict is Verdict.UNKNOWN
    assert match.wrong == "no abra cannot be run: No such file or directory"


def test_an_output_that_cannot_be_kept_is_unknown_and_says_why(
    repositories: StampingRepositories, tmp_path: Path
) -> None:
    nowhere = Step(("printf", "lost"), into=str(tmp_path / "missing" / "file"))
    (match,) = play_all(
        (msgspec.structs.replace(COPY, steps=(nowhere,)),),
        repositories,
        stand_in_program(),
        tmp_path,
    )
    assert match.verdict is Verdict.UNKNOWN
    assert match.wrong.endswith("/missing/file cannot be done: No such file or directory")


def test_a_stamp_of_another_length_is_nobodys(repositories: StampingRepositories) -> None:
    assert describe_stamp(repositories.head, repositories) == CommitRole.NOBODYS
    assert describe_stamp(repositories.head[:8], repositories) == CommitRole.HEAD


def test_base_and_head_must_differ(repositories: StampingRepositories, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="are the same commit"):
        make_repositories("discourse", repositories.upstream, BASE_TAG, BASE_TAG, tmp_path)


def test_a_missing_tag_is_said(repositories: StampingRepositories, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"9.9.9\+9 is no tag of the recipe") as text:
        make_repositories("discourse", repositories.upstream, "9.9.9+9", "main", tmp_path)
    assert "\n" not in str(text.value)


def test_no_repository_is_said(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="is no git work tree"):
        make_repositories("discourse", tmp_path, BASE_TAG, "main", tmp_path / "x")


def test_a_dirty_source_gives_a_clean_ground(
    repositories: StampingRepositories, tmp_path: Path
) -> None:
    source = tmp_path / "dirty"
    git.clone(repositories.upstream, source)
    (source / "compose.yml").write_text("# somebody is at work here\n")
    made = make_repositories("discourse", source, BASE_TAG, "main", tmp_path)
    assert "somebody" not in (made.mirror / "compose.yml").read_text()
    assert made.head == repositories.head
