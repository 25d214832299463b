"""What the lab relies on of abra, by its command line alone (`--abra PATH` chooses which).

The swarm is empty, so every deploy ends for want of a secret; tests/live/test_abra.py goes on.
"""

from __future__ import annotations

import re

import pytest

from stamplab.lab.abra.driver import Abra
from stamplab.lab.abra.empty_swarm import EmptySwarm
from stamplab.lab.recipe import checkout, git
from stamplab.scenarios.discourse.recipe import BASE_TAG
from tests.contract.conftest import DOMAIN, head_of

BAIL = "secret not generated: db_password"


def base_of(abra: Abra) -> str:
    return checkout.resolve(abra.folder.recipe("discourse"), f"{BASE_TAG}^{{commit}}")


def test_it_names_its_version(process: Abra) -> None:
    done = process.run("--version")
    assert done.exit_code == 0
    assert re.search(r"abra,? version \S+", done.output)


def test_a_chaos_deploy_stamps_head_and_wants_a_secret(process: Abra, swarm: EmptySwarm) -> None:
    done = process.chaos_deploy(DOMAIN)
    assert done.stamp == head_of(process)[:8]
    assert BAIL in done.last_line
    assert done.exit_code == 1
    assert swarm.changes == []
    line = f"DEBU app/deploy.go:372 version: taking chaos version: {head_of(process)[:8]}"
    assert done.output.index(line) < done.output.index(BAIL)


def test_without_debug_the_stamp_is_not_named(abra: Abra) -> None:
    done = abra.run("app", "deploy", "--chaos", "--offline", "--no-input", DOMAIN)
    assert done.stamp is None
    assert BAIL in done.output


@pytest.mark.parametrize("file", ["compose.yml", "untracked.yml"])
def test_a_dirty_tree_is_marked(abra: Abra, file: str) -> None:
    with (abra.folder.recipe("discourse") / file).open("a") as text:
        text.write("\n# changed\n")
    assert abra.chaos_deploy(DOMAIN).stamp == f"{head_of(abra)[:8]}+U"


def test_a_chaos_deploy_checks_nothing_out_whatever_the_env_file_pins(abra: Abra) -> None:
    abra.folder.pin_version(DOMAIN, "discourse", BASE_TAG)
    before = head_of(abra)
    assert abra.chaos_deploy(DOMAIN).stamp == before[:8]
    assert head_of(abra) == before


def test_without_chaos_the_pinned_version_is_checked_out(abra: Abra) -> None:
    abra.folder.pin_version(DOMAIN, "discourse", BASE_TAG)
    done = abra.deploy(DOMAIN)
    assert head_of(abra) == base_of(abra)
    assert BAIL in done.output
    assert abra.chaos_deploy(DOMAIN).stamp == base_of(abra)[:8]


def test_a_version_on_the_command_line_is_checked_out(abra: Abra) -> None:
    abra.run("app", "deploy", "-o", "-n", "-c", DOMAIN, "0.6.3+3.2.0")
    older = checkout.resolve(abra.folder.recipe("discourse"), "0.6.3+3.2.0^{commit}")
    assert head_of(abra) == older


@pytest.mark.parametrize("flags", [(), ("-i",)])
def test_the_latest_release_is_deployed_without_a_pin(abra: Abra, flags: tuple[str, ...]) -> None:
    if flags:
        abra.folder.pin_version(DOMAIN, "discourse", "0.6.3+3.2.0")
    before = abra.folder.env_file(DOMAIN).read_bytes()
    assert abra.deploy(DOMAIN, *flags).exit_code == 1
    assert head_of(abra) == base_of(abra)
    assert abra.folder.env_file(DOMAIN).read_bytes() == before  # a failed deploy pins nothing


@pytest.mark.parametrize("file", ["compose.yml", "untracked.yml"])
def test_without_chaos_changes_are_refused_and_left_alone(abra: Abra, file: str) -> None:
    path = abra.folder.recipe("discourse") / file
    path.write_text("# mine\n")
    before = head_of(abra)
    done = abra.deploy(DOMAIN)
    assert done.exit_code == 1
    assert "locally unstaged changes" in done.output
    assert (path.read_text(), head_of(abra)) == ("# mine\n", before)


@pytest.mark.parametrize(
    "arguments",
    [
        ("app", "deploy", "-C", "-o", "-n", "none.example.org"),
        ("app", "deploy", "-o", "-n", DOMAIN, "9.9.9+9.9.9"),
        ("app", "deploy", "--no-such-flag", DOMAIN),
        ("app", "deploy"),
        ("app", "undeploy", "-n", DOMAIN),
    ],
)
def test_failures_exit_with_1(process: Abra, swarm: EmptySwarm, arguments: tuple[str, ...]) -> None:
    done = process.run(*arguments)
    assert done.exit_code == 1
    assert done.last_line
    assert swarm.changes == []


def test_a_recipe_that_is_there_is_not_fetched_again(abra: Abra) -> None:
    before = head_of(abra)
    done = abra.run("recipe", "fetch", "-o", "-n", "discourse")
    assert (done.exit_code, head_of(abra)) == (0, before)


def test_a_recipe_that_is_no_repository_is_refused(abra: Abra) -> None:
    tree = abra.folder.recipe("discourse")
    (tree / ".git").rename(tree / "git-no-more")
    done = abra.chaos_deploy(DOMAIN)
    assert (done.exit_code, done.stamp) == (1, None)


def test_an_unborn_head_is_refused(abra: Abra) -> None:
    tree = abra.folder.recipe("discourse")
    git.open_at(tree).git.checkout("--quiet", "--orphan", "nothing")
    done = abra.chaos_deploy(DOMAIN)
    assert (done.exit_code, done.stamp) == (1, None)
