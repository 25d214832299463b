"""An upgrade's facts, told in a sentence."""

from __future__ import annotations

from stamplab.harness.checks.attribution.facts import SIGKILLED, Attribution, Death
from stamplab.lab.model.history import OomKill

_MIB = 1024 * 1024


def explain(found: Attribution) -> str:
    """One sentence on a rolled-back upgrade.

    Which task, how it died, when, and who kept serving.
    """
    death = found.death
    if death is None:
        return "no task of the head spec is known to have failed"
    parts = [f"new task {death.task.id} {_cause(found, death)}"]
    if death.after_start_s is not None:
        parts.append(f"{death.after_start_s:.1f} s after its start, {death.window}")
    monitor_s = found.head.update.monitor_s if found.head else None
    if monitor_s is not None:
        parts.append(f"monitor {monitor_s:g} s")
    if found.kept_tasks:
        parts.append(f"old task {found.kept_tasks[0]} kept serving: {found.clients}")
    else:
        parts.append(f"no old task was kept: {found.clients}")
    return "; ".join(parts)


def memory_at_oom(found: Attribution) -> str | None:
    """The figures behind an OOM kill: limit, and what old and new used."""
    death = found.death
    if death is None or death.oom is None or not isinstance(death.oom.what, OomKill):
        return None
    kill = death.oom.what
    parts = [f"NEW's process {kill.anon_rss_bytes / _MIB:.1f} MiB"]
    sampled = found.at_oom.containers if found.at_oom else {}
    old_bytes = sum(sampled.get(container, 0) for container in found.old_containers)
    if old_bytes:
        parts.append(f"OLD {old_bytes / _MIB:.1f} MiB")
    if kill.limit_bytes is not None:
        parts.append(f"limit {kill.limit_bytes / _MIB:.1f} MiB")
    return ", ".join(parts)


def _cause(found: Attribution, death: Death) -> str:
    if death.is_oom and death.oom is not None and isinstance(death.oom.what, OomKill):
        figures = memory_at_oom(found)
        return (
            f"was OOM-killed (kernel: task_memcg={_short(death.oom.what.cgroup)}, exit code "
            f"{SIGKILLED}{f'; {figures}' if figures else ''})"
        )
    code = death.ended.exit_code if death.ended else death.task.exit_code
    how = "failed" if code is None else f"failed with exit code {code}"
    return f"{how} ({death.task.error or death.task.message})"


def _short(cgroup: str) -> str:
    """A control group's path with its container's id cut to the usual 12 digits."""
    group, _, container = cgroup.rpartition("/")
    return f"{group}/{container[:12]}"
