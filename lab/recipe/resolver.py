"""Resolves compose files to service specs by docker/cli's own code, without a client or daemon.

That code is a Go program (`stackspec/`, whose README describes the protocol), built at the first
use and kept running. It opens the files that compose files name: judge somebody else's recipe
before (`stamplab.lab.recipe.trust`).
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import msgspec

from stamplab.lab.errors import LabError, RecipeRefused
from stamplab.lab.support import go_build
from stamplab.lab.support.cache import cache_folder
from stamplab.lab.support.jsonl_process import JsonlProcess
from stamplab.lab.world import Stack

STACKSPEC = go_build.GoProgram(
    name="stackspec",
    sources=Path(__file__).parent / "stackspec",
    purpose="resolving compose files without docker",
)
_CACHE_MAX = 512


class ComposeRefused(RecipeRefused):
    """The docker client refuses these compose files; ``client_output`` is its whole message."""

    def __init__(self, stack: str, client_output: str) -> None:
        super().__init__(f"docker stack deploy refuses the stack {stack}: {client_output}")
        self.client_output = client_output


class SwarmObject(msgspec.Struct, frozen=True, kw_only=True):
    """A network, a secret or a config of a stack."""

    id: str
    """Derived from kind and name: the same in each process."""
    name: str
    external: bool
    """Whether it must exist before the stack is deployed."""


class ResolvedStack(msgspec.Struct, frozen=True, kw_only=True):
    """The request of ``docker stack deploy --resolve-image never`` for a stack."""

    services: tuple[msgspec.Raw, ...]
    """Service specs in the Docker API's JSON, in the order of their names."""
    networks: tuple[SwarmObject, ...]
    secrets: tuple[SwarmObject, ...]
    configs: tuple[SwarmObject, ...]
    warnings: tuple[str, ...]
    """Lines that the client prints."""
    reads: tuple[str, ...]
    """Absolute paths of the files that were read besides the compose files."""


class _Failure(msgspec.Struct, frozen=True):
    """Stackspec's answer where there are no specs."""

    refused: str | None = None
    error: str | None = None


# docker/cli's own code, where there is no client (ADR 0028).
class Resolver:
    """Resolves stacks, and remembers the result for the same files and environment.

    Threads may share a resolver. `close` it or use it in a ``with`` to end its program.
    """

    def __init__(self, program: Path | None = None) -> None:
        """Use the stackspec at ``program``; without a path it is found or built."""
        self._program = program
        self._process: JsonlProcess | None = None
        self._cache: dict[bytes, tuple[bytes, ResolvedStack]] = {}
        """By the question's digest: the digest of the files that were read, and the result."""
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def resolve(self, stack: Stack) -> ResolvedStack:
        """Resolve a stack with its own environment and no other.

        Raises ComposeRefused where the docker client would not deploy it, NotPossibleHere where
        stackspec can be neither found nor built, LabError where stackspec fails.
        """
        with self._lock:
            key = _key(stack)
            if key in self._cache:
                digest_then, resolved = self._cache[key]
                if _digest(resolved.reads) == digest_then:
                    return resolved
            resolved = self._ask(stack)
            reads_digest = _digest(resolved.reads)
            if key and reads_digest:
                self._cache.pop(key, None)
                self._cache[key] = (reads_digest, resolved)
            if len(self._cache) > _CACHE_MAX:
                del self._cache[next(iter(self._cache))]
            return resolved

    def close(self) -> None:
        """End the program; a stack that is resolved later starts it again."""
        with self._lock:
            if self._process:
                self._process.end()

    def _ask(self, stack: Stack) -> ResolvedStack:
        if self._process is None:
            program = self._program or go_build.get_program(STACKSPEC, cache_folder())
            self._process = JsonlProcess(program)
        question = {
            "stack": stack.name,
            "directory": str(stack.directory.absolute()),
            "files": [str(file) for file in stack.compose_files],
            "environment": stack.environment,
        }
        answer = self._process.ask(msgspec.json.encode(question))
        try:
            failure = msgspec.json.decode(answer, type=_Failure)
            if failure.error is not None:
                raise LabError(f"the stack {stack.name} was not resolved: {failure.error}")
            if failure.refused is not None:
                raise ComposeRefused(stack.name, failure.refused)
            return msgspec.json.decode(answer, type=ResolvedStack)
        except msgspec.MsgspecError as error:
            raise LabError(f"stackspec's answer cannot be decoded: {error}") from error


def _key(stack: Stack) -> bytes | None:
    """Hash all that the result depends on; None where a compose file cannot be read.

    The client itself then has to say what is wrong.
    """
    files = _digest(stack.directory / file for file in stack.compose_files)
    if files is None:
        return None
    paths = [stack.name, str(stack.directory), *map(str, stack.compose_files)]
    question = msgspec.json.encode((paths, sorted(stack.environment.items())))
    return hashlib.sha256(question + files).digest()


def _digest(files: Iterable[Path | str]) -> bytes | None:
    """Hash files' bytes; None where a file cannot be read."""
    digest = hashlib.sha256()
    for file in files:
        try:
            digest.update(hashlib.sha256(Path(file).read_bytes()).digest())
        except OSError:
            return None
    return digest.digest()
