"""What a stack's compose files come to, by docker/cli's own code, without a client or daemon.

The code is a program in Go (`stackspec/`, whose README describes the protocol), built when it is
first needed and kept running. It reads what the files name: judge somebody else's recipe before
(`stamplab.lab.recipe.trust`).
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from stamplab.lab.errors import LabError, RecipeRefused
from stamplab.lab.support import go_build
from stamplab.lab.support.cache import cache_folder
from stamplab.lab.support.jsonl_process import AnsweringProgram
from stamplab.lab.world import Stack

STACKSPEC = go_build.GoProgram(
    name="stackspec",
    sources=Path(__file__).parent / "stackspec",
    purpose="resolving compose files without docker",
)
_KEPT_MAX = 512


class ComposeRefused(RecipeRefused):
    """The docker client does not deploy these compose files; ``words`` is all that it says."""

    def __init__(self, stack: str, words: str) -> None:
        super().__init__(f"docker stack deploy refuses the stack {stack}: {words}")
        self.words = words


class SwarmObject(msgspec.Struct, frozen=True, kw_only=True):
    """A network, a secret or a config of a stack."""

    id: str
    """Made of its kind and name: the same in each process."""
    name: str
    external: bool
    """Whether the stack takes it for granted."""


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """What ``docker stack deploy --resolve-image never`` would send for a stack."""

    services: tuple[msgspec.Raw, ...]
    """Service specs in the Docker API's JSON, in the order of their names."""
    networks: tuple[SwarmObject, ...]
    secrets: tuple[SwarmObject, ...]
    configs: tuple[SwarmObject, ...]
    warnings: tuple[str, ...]
    """What the client prints besides."""
    reads: tuple[str, ...]
    """Absolute paths of the files that it was made of, besides the compose files."""


class _Otherwise(msgspec.Struct, frozen=True):
    """The other two kinds of answers."""

    refused: str | None = None
    error: str | None = None


class _Kept(msgspec.Struct, frozen=True):
    reads_digest: bytes
    resolved: Resolved


# docker/cli's own code, where there is no client (ADR 0028).
class Resolver:
    """Resolves stacks, each only once: what the same files came to is remembered.

    Threads may share one. `close` it, or use it in a ``with``: its program ends with it.
    """

    def __init__(self, program: Path | None = None) -> None:
        """``program`` is a ready-made stackspec; without one it is found or built."""
        self._program = program
        self._running: AnsweringProgram | None = None
        self._kept: dict[bytes, _Kept] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def resolve(self, stack: Stack) -> Resolved:
        """Say what a stack comes to, read with its environment and no other.

        Raises ComposeRefused where the docker client would not deploy it, NotPossibleHere where
        the program can be neither found nor built, LabError where it fails.
        """
        with self._lock:
            key = _key(stack)
            kept = self._kept.get(key) if key else None
            if kept and _digest(kept.resolved.reads) == kept.reads_digest:
                return kept.resolved
            resolved = self._ask(stack)
            reads_digest = _digest(resolved.reads)
            if key and reads_digest:
                self._kept.pop(key, None)
                self._kept[key] = _Kept(reads_digest, resolved)
            if len(self._kept) > _KEPT_MAX:
                del self._kept[next(iter(self._kept))]
            return resolved

    def close(self) -> None:
        """End the program; a stack that is resolved later starts it again."""
        with self._lock:
            if self._running:
                self._running.end()

    def _ask(self, stack: Stack) -> Resolved:
        if self._running is None:
            program = self._program or go_build.get_program(STACKSPEC, cache_folder())
            self._running = AnsweringProgram(program)
        question = {
            "stack": stack.name,
            "directory": str(stack.directory.absolute()),
            "files": [str(file) for file in stack.compose_files],
            "environment": stack.environment,
        }
        answer = self._running.ask(msgspec.json.encode(question))
        try:
            otherwise = msgspec.json.decode(answer, type=_Otherwise)
            if otherwise.error is not None:
                raise LabError(f"the stack {stack.name} was not resolved: {otherwise.error}")
            if otherwise.refused is not None:
                raise ComposeRefused(stack.name, otherwise.refused)
            return msgspec.json.decode(answer, type=Resolved)
        except msgspec.MsgspecError as error:
            raise LabError(f"stackspec answered in a way not understood: {error}") from error


def _key(stack: Stack) -> bytes | None:
    """All that the question is made of; None where the client itself has to say what is wrong."""
    files = _digest(stack.directory / file for file in stack.compose_files)
    if files is None:
        return None
    places = [stack.name, str(stack.directory), *map(str, stack.compose_files)]
    asked = msgspec.json.encode((places, sorted(stack.environment.items())))
    return hashlib.sha256(asked + files).digest()


def _digest(files: Iterable[Path | str]) -> bytes | None:
    """Of the files' bytes; None where one of them cannot be read."""
    digest = hashlib.sha256()
    for file in files:
        try:
            digest.update(hashlib.sha256(Path(file).read_bytes()).digest())
        except OSError:
            return None
    return digest.digest()
