"""Which records of a lab are one stack's own, where several stacks share the lab."""

from __future__ import annotations

from stamplab.lab.model.history import (
    CommandRan,
    ContainerEnded,
    Deployed,
    EngineEvent,
    Note,
    Record,
    ServiceSeen,
    TasksSeen,
)
from stamplab.lab.model.swarm import (
    SERVICE_NAME_LABEL,
)


def is_of(stack: str, record: Record) -> bool:
    """Whether a record is of one stack of several in a lab."""
    match record.what:
        case ServiceSeen(name=name) | TasksSeen(service=name):
            return name.startswith(f"{stack}_")
        case Deployed(stack=name):
            return name == stack
        case CommandRan(argv=argv):
            return any(word.startswith(f"{stack}_") for word in argv)
        case EngineEvent(attributes=attributes):
            name = attributes.get(SERVICE_NAME_LABEL) or attributes.get("name") or ""
            return name.startswith(f"{stack}_")
        case ContainerEnded():
            return True
        case Note(stack=name):
            return name == stack
        case _:
            return False
