"""What of a swarm is watched: names of services and stacks, and what they turn out to be. Pure."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import TypeVar

from stamplab.lab.errors import UsageError
from stamplab.lab.model.history import EngineEvent
from stamplab.lab.model.swarm import SERVICE_NAME_LABEL, STACK_LABEL, Service
from stamplab.lab.remote.client import Filters

Item = TypeVar("Item")


class Targets:
    """The names that were given. Each is resolved when a service or stack of it is seen first."""

    def __init__(self, targets: Sequence[str]) -> None:
        self._names: set[str] = set()
        self._stacks: set[str] = set()
        self._unresolved = set(targets)

    @property
    def of_services(self) -> set[str]:
        """The names that have to be found among services, or it is gone that bears one."""
        return self._names | self._unresolved

    @property
    def filters(self) -> list[Filters | None]:
        """What to list, call by call; None is everything."""
        if self._unresolved:
            return [None]
        by_name: list[Filters | None] = [{"name": sorted(self._names)}] if self._names else []
        return by_name + [{"label": [f"{STACK_LABEL}={stack}"]} for stack in sorted(self._stacks)]

    def among(self, listed: Mapping[str, tuple[Service, Item]]) -> dict[str, tuple[Service, Item]]:
        """What is watched of what is listed. Raises UsageError for an ambiguous name."""
        stack_of = {
            name: service.spec.labels.get(STACK_LABEL) for name, (service, _) in listed.items()
        }
        for target in sorted(self._unresolved):
            self._resolve(target, is_service=target in listed, is_stack=target in stack_of.values())
        return {
            name: item
            for name, item in listed.items()
            if name in self._names or stack_of[name] in self._stacks
        }

    def concern(self, event: EngineEvent, known: Container[str]) -> bool:
        """Whether an event is about a node or about what is watched; ``known`` are its services."""
        if event.kind == "node":
            return True
        attribute = "name" if event.kind == "service" else SERVICE_NAME_LABEL
        name = event.attributes.get(attribute, "")
        of_stacks = tuple(f"{stack}_" for stack in self._stacks | self._unresolved)
        return name in self.of_services or name in known or name.startswith(of_stacks)

    def _resolve(self, target: str, *, is_service: bool, is_stack: bool) -> None:
        """Remember what a target has turned out to be."""
        if not (is_service or is_stack):
            return
        if is_service and is_stack:
            raise UsageError(
                f"there is a service {target} and a stack {target}: name the services of the stack"
            )
        self._unresolved.discard(target)
        (self._names if is_service else self._stacks).add(target)
