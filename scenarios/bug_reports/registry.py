"""All entries of the record, and how one is found by what people call it."""

from __future__ import annotations

from collections.abc import Mapping

from stamplab.lab.errors import UsageError
from stamplab.scenarios.bug_reports import never_finishes, no_update_status, rollbacks
from stamplab.scenarios.bug_reports.report import Entry

ENTRIES: Mapping[str, Entry] = {
    entry.name: entry
    for entry in (*rollbacks.ENTRIES, *no_update_status.ENTRIES, *never_finishes.ENTRIES)
}


def find(name: str) -> Entry:
    """The entry of this name, report or number. Raises UsageError for none, or for several."""
    found = [
        entry
        for entry in ENTRIES.values()
        if name.lower() in (known.lower() for known in entry.names)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(f"{entry.source} ({entry.name})" for entry in found)
        raise UsageError(f"{name!r} may be any of: {several}")
    raise UsageError(f"nothing in the record is called {name!r}; `stamplab list` has all names")
