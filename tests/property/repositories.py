"""Random repository states, each of them as commands that a person could paste.

A state is a list of steps, and a step a few shell commands, so that a failure can be printed and
repeated as it is. A command that is not possible any more (a file is gone) changes nothing.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec
from hypothesis import strategies as st

from tests.property.steps import STEPS, Step

OUTSET = r"""
umask 022
export HOME=$PWD/home XDG_CONFIG_HOME=$PWD/home/xdg GIT_CONFIG_NOSYSTEM=1 LC_ALL=C.UTF-8
export GIT_TEMPLATE_DIR= GIT_CEILING_DIRECTORIES=$PWD
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@a
export GIT_AUTHOR_DATE='@1700000000 +0000' GIT_COMMITTER_DATE='@1700000000 +0000'
"""
HOME = r"""
mkdir home; git config --global init.defaultBranch main
git config --global protocol.file.allow always
"""
"""A HOME of its own, and no configuration but that."""

LIBRARY = r"""
git init -q lib; cd lib; printf 'l\n' >l; git add l; git commit -qm lib; cd ..
"""

TEMPLATE = r"""
git init -q repo; cd repo; mkdir -p d/e
printf 'one\n' >a; printf 'two\n' >b.txt; printf 'c: 1\n' >d/c.yml; printf 'f\n' >d/e/f
printf '#!/bin/sh\n' >run.sh; chmod +x run.sh
printf 'x\r\ny\r\n' >crlf.txt; printf '$Id$\n' >id.txt
ln -s a link; ln -s d folder-link; ln -s nowhere dangling; printf 'log\n' >t.log; printf 'p\n' >p
printf '*.log\nbuild/\n' >.gitignore
find . -path ./.git -prune -o -print0 | xargs -0 touch -hd @1600000000
git add -A; git add -f t.log; git commit -qm first; git branch side
printf 'one more\n' >a; touch -d @1600000001 a; git commit -qam second
git repack -adq
"""
"""A recipe of a dozen files: two commits and another branch; old files under a newer index."""

SUBMODULE = r"""
git submodule --quiet add ../lib sub; git commit -qm submodule
"""


class State(msgspec.Struct, frozen=True):
    """What was done to the template, or to the template with a submodule."""

    steps: tuple[Step, ...]
    has_submodule: bool

    @property
    def features(self) -> frozenset[str]:
        """Every feature that this state is an example of."""
        return frozenset(step.feature for step in self.steps)

    def __repr__(self) -> str:
        outset = OUTSET + HOME + LIBRARY + TEMPLATE + (SUBMODULE if self.has_submodule else "")
        steps = "".join(f"{step.script}  # {step.feature}\n" for step in self.steps)
        return f"State made in an empty folder by:\n{outset}{steps}"


class Built(msgspec.Struct, frozen=True):
    """A state on disk: the work tree, and the HOME beside it."""

    repository: Path
    home: Path


class Builder:
    """Builds states from copies of two templates."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        for name, extra in (("plain", ""), ("submodule", SUBMODULE)):
            (folder / name).mkdir(parents=True)
            _run(OUTSET + HOME + LIBRARY + TEMPLATE + extra, folder / name)

    def build(self, state: State) -> Built:
        """Make a state; it is there until the next one is made."""
        before = f"state-{self._number}"
        self._number += 1
        place = self._folder / f"state-{self._number}"
        place.mkdir()
        template = "submodule" if state.has_submodule else "plain"
        copied = f"rm -rf ../{before}; cp -a ../{template}/. ."  # ten times as quick as by Python
        steps = "\n".join(step.script for step in state.steps)
        output = _run(f"{copied}\n{OUTSET}cd repo\n{steps}\npwd -P >&9\n", place)
        return Built(repository=Path(output), home=place / "home")

    def play(self, script: str, has_submodule: bool = False) -> Built:
        """Make the state that one script leads to."""
        return self.build(State((Step("played", script),), has_submodule))


def environment_of(home: Path) -> dict[str, str]:
    """Git's environment for a user of that HOME; what another git exported is dropped."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    own = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "xdg"), "GIT_CONFIG_NOSYSTEM": "1"}
    return kept | own | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C.UTF-8"}


def _run(script: str, folder: Path) -> str:
    """Run a script; what it writes to 9 is its answer."""
    done = subprocess.run(
        ["sh", "-c", "exec 9>&1 >/dev/null 2>&1\n" + script],
        cwd=folder,
        env=environment_of(folder / "home"),
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=60,
    )
    return os.fsdecode(done.stdout).removesuffix("\n")


FEATURES = tuple(STEPS)
"""Every feature that a step is an example of, each of which is counted."""


@st.composite
def states(draw: st.DrawFn, feature: str, others: Sequence[str] = FEATURES) -> State:
    """A step of that feature, and up to four of others.

    There is a submodule in every fourth repository, and wherever one is spoken of.
    """
    steps = draw(st.lists(st.sampled_from(others).flatmap(STEPS.__getitem__), max_size=4))
    steps.insert(draw(st.integers(0, len(steps))), draw(STEPS[feature]))
    speaks_of_one = any(step.feature == "submodules" for step in steps)
    return State(tuple(steps), speaks_of_one or draw(st.integers(0, 3)) == 3)
