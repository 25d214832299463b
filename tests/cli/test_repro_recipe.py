"""``stamplab repro recipe`` and bad input: one clear sentence, and nothing is left behind."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stamplab.lab.live.lab import Apparatus
from tests import recipes
from tests.programs import Command, python
from tests.recipes import Cloned, bare_clone


@pytest.fixture
def clone(tmp_path: Path) -> Cloned:
    return bare_clone(recipes.KEYCLOAK, tmp_path)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "tmp").mkdir(exist_ok=True)
    words = ("-m", "stamplab", "repro", "recipe", *arguments)
    return python(*words, folder=folder, TMPDIR=str(folder / "tmp"))


def options(**changed: str) -> list[str]:
    given = {"base": "1.0.0+25.0.1", "head": "main", **changed}
    return [word for name, value in given.items() for word in (f"--{name}", value)]


@pytest.mark.live
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"recipe": "/no/such"}, "there is no folder '/no/such'"),
        ({"recipe": "ext::sh -c x"}, "would have git run a program"),
        ({"head": "9.9.9"}, "has no tag, branch or commit '9.9.9'"),
        ({"base": "a..b"}, "'a..b' is no tag, branch or commit"),
        ({"service": "web"}, "keycloak has no service 'web' at base; it has: app, db"),
        ({"service": "a\nb"}, "keycloak has no service 'a\\nb' at base"),
    ],
)
def test_bad_input_exits_64_with_one_sentence_and_writes_nothing(
    apparatus: Apparatus, clone: Cloned, tmp_path: Path, changed: dict[str, str], message: str
) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    done = run(tmp_path, *options(**{"recipe": str(clone.path), **changed}))
    assert done.returncode == 64, done.stdout + done.stderr
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert sorted({path.name for path in tmp_path.iterdir()} - {"tmp"}) == before
    assert list((tmp_path / "tmp").iterdir()) == []


def test_real_images_are_not_possible_and_it_says_why(clone: Cloned, tmp_path: Path) -> None:
    done = run(tmp_path, *options(recipe=str(clone.path)), "--images=real")
    assert done.returncode == 77
    assert "a lab's engine has no network to pull by" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("missing", ["--recipe", "--base", "--head"])
def test_the_source_has_to_be_named(stamplab: Command, missing: str) -> None:
    words = options(recipe="x")
    at = words.index(missing)
    ended = stamplab("repro", "recipe", *words[:at], *words[at + 2 :])
    assert ended.code == 64
    assert missing in ended.err
