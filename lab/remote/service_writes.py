"""What was written to services since they were looked at last, as far as events tell. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from stamplab.lab.model.history import EngineEvent
from stamplab.lab.model.swarm import Service

Services = Mapping[str, Service]


class Written:
    """Says what has to be looked at for what was written, and what need not be yet."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._completed: set[str] = set()
        self._has_deployed = False

    def see(self, event: EngineEvent) -> None:
        """Take in an event of a service."""
        name = event.attributes.get("name", "")
        self._names.add(name)
        if event.attributes.get("updatestate.new") == "completed":
            self._completed.add(name)
        else:
            self._completed.discard(name)

    def see_deployed(self) -> None:
        """The deploy has ended: every service may be one that it was about."""
        self._has_deployed = True

    def tasks_count(self, services: Services) -> bool:
        """Whether the tasks of what was written tell more than the services.

        They do not where updates are in course, which say their own end.
        """
        written = services.keys() if self._has_deployed else self._names
        return any(not services[name].is_in_update for name in written & services.keys())

    def awaits_others(self, event: EngineEvent, services: Services) -> bool:
        """Whether a service's update is completed while those of others are in course.

        Nothing is concluded from the one before the last, so it need not be looked at by itself.
        """
        name = event.attributes.get("name", "")
        return name in self._completed and any(
            service.is_in_update and other not in self._completed
            for other, service in services.items()
        )

    def is_incomplete(self, before: Services, after: Services) -> bool:
        """Whether a service was written that no event told of: so the stream is not whole."""
        return any(
            name in before and before[name].version != service.version
            for name, service in after.items()
            if name not in self._names
        )

    def forget(self) -> None:
        """All services have been looked at."""
        self._names.clear()
        self._completed.clear()
        self._has_deployed = False
