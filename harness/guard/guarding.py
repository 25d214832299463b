"""The guard as a tool of its own: for any swarm, in any script, CI or Python program.

    from stamplab.harness.guard.guarding import guarding

    with guarding("shop") as guard:
        deploy()
    guard.verdict().is_success

See docs/guard.md. What it needs is imported when it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stamplab.harness.guard.api import Guarding

__all__ = ["guarding"]


def guarding(
    *targets: str,
    labels: Mapping[str, str] | None = None,
    image: str | None = None,
    commit: str | None = None,
    timeout_s: float = 600.0,
    hold_s: float = 0.0,
    context: str | None = None,
    environment: Mapping[str, str] | None = None,
    prunes: bool = False,
) -> AbstractContextManager[Guarding]:
    """Guard what is deployed inside the ``with`` block: services and stacks, by their names.

    The baseline is taken on entry, and all that becomes of the targets is followed from then on, in
    a thread. The engine is the one that ``docker`` itself would talk to, in this environment or
    the one given, or that of a docker context. ``labels``, ``image`` and ``commit`` are what must
    be there in the end; ``hold_s`` is how long it must run unchanged, where that is longer than the
    swarm itself watches; ``prunes`` says that the deploy removes services on purpose. An exception
    inside the block passes through: a deploy that raised is not judged.

    Raises LabError where the swarm cannot be reached, UsageError for arguments that make no sense.
    """
    from stamplab.harness.guard.api import guarded

    return guarded(
        targets,
        labels=labels,
        image=image,
        commit=commit,
        timeout_s=timeout_s,
        hold_s=hold_s,
        context=context,
        environment=environment,
        prunes=prunes,
    )
