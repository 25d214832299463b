"""Durations as compose files write them, ``1m30s``. Source: Go's time.ParseDuration."""

from __future__ import annotations

import re

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)")


def parse_seconds(text: str | None, default_s: float) -> float:
    """Return a duration in seconds; ``default_s`` for None and for a text that is no duration."""
    parts = _PART.findall(text or "")
    if not parts or "".join(map("".join, parts)) != text:
        return default_s
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def format_milliseconds(seconds: float) -> str:
    """Write a duration in whole milliseconds, as compose files and docker's flags take it."""
    return f"{round(seconds * 1000)}ms"
