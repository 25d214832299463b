"""All bug reports, and how one is found by what people call it."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module

from stamplab.lab.errors import UsageError
from stamplab.scenarios import bug_reports as package
from stamplab.scenarios.bug_reports.report import BugReport


def _reports() -> Iterator[BugReport]:
    """Return what any module beside this one calls ``REPORT``, or ``REPORTS``."""
    for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if info.name == __name__:
            continue
        module = import_module(info.name)
        yield from getattr(module, "REPORTS", ())
        if hasattr(module, "REPORT"):
            yield module.REPORT


REPORTS_BY_NAME: Mapping[str, BugReport] = {report.name: report for report in _reports()}


def find(name: str) -> BugReport:
    """Return the report of a name, source or number. Raises UsageError for none or several."""
    matches = [
        report
        for report in REPORTS_BY_NAME.values()
        if name.lower() in (known.lower() for known in report.names)
    ]
    if len(matches) == 1:
        return matches[0]
    if matches:
        several = ", ".join(f"{report.source} ({report.name})" for report in matches)
        raise UsageError(f"{name!r} may be any of: {several}")
    raise UsageError(f"no bug report is called {name!r}; `stamplab list` has all names")
