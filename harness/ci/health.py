"""Healthy, as the harness of the report sees it: N of N tasks, and an answer over HTTP.

It counts tasks of any spec. That is what start-first hides behind (claim C5), and it is kept so on
purpose.
"""

from __future__ import annotations

from stamplab.lab.model.history import ClientProbe, Observation, ServiceSeen, TasksSeen
from stamplab.lab.model.swarm import RUNNING, ServiceSpec


# Tasks of any spec count, on purpose (ADR 0051).
class Health:
    """Health of a stack, folded from observations: N of N tasks, and an answer to a client."""

    def __init__(self, stack: str) -> None:
        self._prefix = f"{stack}_"
        self._specs: dict[str, ServiceSpec] = {}
        self._running: dict[str, int] = {}
        self._error: dict[str, str] = {}
        self._probe: ClientProbe | None = None

    def feed(self, what: Observation) -> None:
        """Take in one observation."""
        match what:
            case ServiceSeen(name=name, service=service) if name.startswith(self._prefix):
                if service is None:
                    self._specs.pop(name, None)
                else:
                    self._specs[name] = service.spec
            case TasksSeen(service=name, tasks=tasks) if name.startswith(self._prefix):
                self._running[name] = sum(
                    task.state == RUNNING and task.desired_state == RUNNING for task in tasks
                )
                errors = [task.error for task in tasks if task.error]
                self._error[name] = f" ({errors[-1]})" if errors else ""
            case ClientProbe():
                self._probe = what

    def missing(self) -> str | None:
        """Say what is not healthy, or None."""
        if not self._specs:
            return "no service of the stack was seen"
        for name, spec in sorted(self._specs.items()):
            wanted = 1 if spec.replicas is None else spec.replicas
            if self._running.get(name, 0) < wanted:
                running = f"{self._running.get(name, 0)} of {wanted} tasks running"
                return f"{name} has {running}{self._error.get(name, '')}"
        if self._probe is None:
            return "no client has asked yet"
        return None if self._probe.ok else f"a client's request failed ({self._probe.error})"
