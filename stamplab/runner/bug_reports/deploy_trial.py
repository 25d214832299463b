"""One deploy while it is watched: by the guard, and by whoever reads its client's words."""

from __future__ import annotations

from stamplab.harness.guard import Baseline, Expectation, Guard, Ruling
from stamplab.lab.model.history import CommandRan, Deployed, Record, ServiceSeen
from stamplab.lab.model.service_request import STAMP, ServiceRequest
from stamplab.lab.world import World
from stamplab.scenarios.bug_reports.step import Create, Deploy, describe


class DeployTrial:
    """A deploy that is on trial. Make it right before the deploy: it takes the guard's baseline."""

    def __init__(
        self,
        step: Create | Deploy,
        stack: str,
        world: World,
        timeout_s: float,
        number: int,
        command: str,
    ) -> None:
        """Take the guard's baseline; ``number`` counts what was done before in its play.

        ``command`` is the source of the records of the guard's own command; empty where there is
        none.
        """
        self.number = number
        self.what = describe(step)
        self.request: ServiceRequest = step.request
        self.name = step.request.named(stack)
        self.at_s = world.now_s()
        self.argv: tuple[str, ...] = ()
        """The client's command; empty where there is no client."""
        self.ran: CommandRan | None = None
        self.command: Record | None = None
        """The end of the guard's own command."""
        self._command = command
        self.deployed: Deployed | None = None
        self._stack = stack
        self._has_begun = False
        self._baseline = Baseline(name=self.name, service=world.inspect(self.name))
        expectation = Expectation(
            deadline_s=self.at_s + timeout_s,
            labels={STAMP: self.request.stamp},
            hold_s=step.hold_s if isinstance(step, Deploy) else 0.0,
        )
        self.guard = Guard(self._baseline, expectation)

    @property
    def ruling(self) -> Ruling | None:
        """The guard's ruling, once there is one."""
        return self.guard.ruling

    def knows(self, record: Record) -> bool:
        """Whether a record is the end of the deploy's client, or of the guard's own command."""
        is_client = isinstance(record.what, CommandRan) and record.what.argv == self.argv
        return is_client or record.source == self._command

    @property
    def is_over(self) -> bool:
        """Whether all who guard the deploy have ruled."""
        return self.ruling is not None and (not self._command or self.command is not None)

    @property
    def wake_s(self) -> float | None:
        """When the guard wants to know that time has passed."""
        return None if self.ruling else self.guard.wake_s

    def feed(self, record: Record) -> None:
        """Take in a record of its stack; what came before the baseline is not the guard's."""
        match record.what:
            case ServiceSeen(name=self.name, service=service) if not self._has_begun:
                # Others wait on the same world, so nothing can be taken off it beforehand.
                self._has_begun = service is self._baseline.service
                return
            case Deployed(stack=self._stack):
                if self.deployed is not None:
                    return
                self.deployed = record.what
            case CommandRan(argv=self.argv):
                self.ran = record.what
            case CommandRan() if record.source == self._command:
                self.command = record
            case _:
                pass
        if self._has_begun and self.ruling is None:
            self.guard.feed(record)

    def tick(self, now_s: float) -> None:
        """Let the guard know that time has passed."""
        if self.ruling is None:
            self.guard.tick(now_s)
