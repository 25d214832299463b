"""go-git, asked which commit a checkout's HEAD names, and what changed since.

abra reads recipes by go-git, which differs from git and from one version to the next (docs/abra.md,
"How go-git reads a repository"). So go-git itself is asked: the program `gogit` beside this module
holds one version, does what abra does, and writes nothing (ADR 0057).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from stamplab.lab.abra.refusal import refusal
from stamplab.lab.errors import LabError, UsageError
from stamplab.lab.support.cache import cache_folder
from stamplab.lab.support.go_build import GoProgram, get_program
from stamplab.lab.support.jsonl_process import JsonlProcess

_SOURCES = Path(__file__).parent / "gogit"
_PURPOSE = "reading a recipe as abra does"


def _program(version: str, *tags: str) -> GoProgram:
    name, module_file = f"gogit-{version}", f"go-{version}.mod"
    return GoProgram(
        name=name, sources=_SOURCES, purpose=_PURPOSE, module_file=module_file, tags=tags
    )


GOGIT = GoProgram(name="gogit", sources=_SOURCES, purpose=_PURPOSE)
"""The default version's program, which packages bring along."""
DEFAULT_VERSION = "5.19.3"
PROGRAMS = {
    "5.16.5": _program("5.16.5"),
    DEFAULT_VERSION: GOGIT,
    "6.0.0-beta.1": _program("6.0.0-beta.1", "v6"),
}
"""The programs, by the version of go-git that each holds."""
VERSION_VARIABLE = "STAMPLAB_GO_GIT_VERSION"
"""Variable: the version that stamps are read by; for the processes that we start, too."""
# Neither a user's settings nor a trace that GIT_TRACE would ask for.
_ENVIRONMENT = {"HOME": os.devnull}
_ANSWER_TIMEOUT_S = 60.0
_SHOWN_CHANGES = 5


class Answer(msgspec.Struct, frozen=True):
    """HEAD and the changed paths, or the step that failed and go-git's reason."""

    go_git: str
    """The version that answers."""
    head: str
    changes: dict[str, str] | None
    """Two letters for each changed path, as ``git status --short`` has them."""
    failed: str
    reason: str


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What go-git reads from a checkout."""

    go_git: str
    head: str
    changes: dict[str, str]

    @property
    def is_clean(self) -> bool:
        """Whether nothing changed since the commit that HEAD names."""
        return not self.changes

    @property
    def in_words(self) -> str:
        """What changed, the first few paths by name."""
        if self.is_clean:
            return "nothing changed since HEAD"
        named = ", ".join(map(repr, sorted(self.changes)[:_SHOWN_CHANGES]))
        more = len(self.changes) - _SHOWN_CHANGES
        return f"changed since HEAD: {named}" + (f" and {more} more" if more > 0 else "")


class GoGit:
    """A running gogit; one thread at a time may ask."""

    def __init__(self, program: Path, timeout_s: float = _ANSWER_TIMEOUT_S) -> None:
        """``program`` is started by the first question."""
        self.program = program
        self._answering = JsonlProcess(program, _ENVIRONMENT, timeout_s)

    def ask(self, checkout: Path, home: Path | None = None, *, direct: bool = False) -> Answer:
        """Return go-git's answer; ``home`` adds the user's global excludes.

        ``direct`` lets go-git write into the repository, as abra does: for tests. Raises LabError
        where the program fails.
        """
        question = {
            "path": str(checkout.absolute()),
            "home": str(home.absolute()) if home else "",
            "direct": direct,
        }
        try:
            answer = self._answering.ask(msgspec.json.encode(question))
            return msgspec.json.decode(answer, type=Answer)
        except msgspec.MsgspecError as error:
            raise LabError(f"gogit answered in a way not understood: {error}") from error

    def end(self) -> None:
        """End the program; a later question starts it again."""
        self._answering.end()


_running: dict[str, GoGit] = {}
_asking = threading.RLock()


def read(checkout: Path) -> Reading:
    """Read a checkout by the chosen go-git, as abra would in the lab: with an empty HOME.

    Raises LabError where go-git refuses the checkout, NotPossibleHere where there is no go-git,
    UsageError where it is of another version.
    """
    version = chosen_version()
    with _asking:
        prepare()
        answer = _running[version].ask(checkout)
    if answer.go_git != version:
        raise UsageError(
            f"{PROGRAMS[version].variable} names a program of go-git {answer.go_git}, where "
            f"{version} was asked for: name one of that version, or none"
        )
    if answer.failed or answer.changes is None:
        raise LabError(refusal(checkout, answer.failed, answer.reason, version))
    return Reading(go_git=version, head=answer.head, changes=answer.changes)


def prepare(on_progress: Callable[[str], None] = lambda _: None) -> Path:
    """Return the program of the chosen version; ``on_progress`` hears of a build.

    Raises NotPossibleHere, UsageError, LabError: see `stamplab.lab.support.go_build.get_program`.
    """
    version = chosen_version()
    with _asking:
        if version not in _running:
            program = get_program(PROGRAMS[version], cache_folder(), on_progress=on_progress)
            _running[version] = GoGit(program)
        return _running[version].program


def chosen_version() -> str:
    """Return the chosen version. Raises UsageError for an unknown version."""
    version = os.environ.get(VERSION_VARIABLE) or DEFAULT_VERSION
    if version not in PROGRAMS:
        raise UsageError(
            f"{VERSION_VARIABLE} is {version}; go-git is here in the versions {', '.join(PROGRAMS)}"
        )
    return version


@contextmanager
def choosing(version: str) -> Iterator[None]:
    """Choose a version for as long as this lasts, for the processes that we start, too."""
    before = os.environ.get(VERSION_VARIABLE)
    os.environ[VERSION_VARIABLE] = version
    try:
        yield
    finally:
        del os.environ[VERSION_VARIABLE]
        if before is not None:
            os.environ[VERSION_VARIABLE] = before


def handed_on() -> dict[str, str]:
    """Return the variables by which a child process of ours finds the same go-git.

    It may be built now: a program with a HOME of its own has no cache. Raises as `prepare`.
    """
    version = chosen_version()
    return {VERSION_VARIABLE: version, PROGRAMS[version].variable: str(prepare())}
