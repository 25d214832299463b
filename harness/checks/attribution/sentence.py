"""Sentences for a person about the facts of an upgrade."""

from __future__ import annotations

from stamplab.harness.checks.attribution.facts import SIGKILLED, Attribution, TaskFailure

_MIB = 1024 * 1024


def explain(attribution: Attribution) -> str:
    """Explain a rolled-back upgrade: which task failed, how, when, and which task kept serving."""
    failure = attribution.failure
    if failure is None:
        return "no task of the head spec is known to have failed"
    parts = [f"new task {failure.task.id} {_cause(attribution, failure)}"]
    if failure.after_start_s is not None:
        parts.append(f"{failure.after_start_s:.1f} s after its start, {failure.window}")
    monitor_s = attribution.head.update.monitor_s if attribution.head else None
    if monitor_s is not None:
        parts.append(f"monitor {monitor_s:g} s")
    if attribution.kept_tasks:
        parts.append(f"old task {attribution.kept_tasks[0]} kept serving: {attribution.probes}")
    else:
        parts.append(f"no old task was kept: {attribution.probes}")
    return "; ".join(parts)


def memory_at_oom(attribution: Attribution) -> str | None:
    """State the figures behind an OOM kill in MiB: what NEW and OLD used, and the limit."""
    failure = attribution.failure
    kill = failure.oom_kill if failure else None
    if kill is None:
        return None
    parts = [f"NEW's process {kill.anon_rss_bytes / _MIB:.1f} MiB"]
    sampled = attribution.at_oom.containers if attribution.at_oom else {}
    old_bytes = sum(sampled.get(container, 0) for container in attribution.old_containers)
    if old_bytes:
        parts.append(f"OLD {old_bytes / _MIB:.1f} MiB")
    if kill.limit_bytes is not None:
        parts.append(f"limit {kill.limit_bytes / _MIB:.1f} MiB")
    return ", ".join(parts)


def _cause(attribution: Attribution, failure: TaskFailure) -> str:
    if failure.is_oom and failure.oom_kill is not None:
        figures = memory_at_oom(attribution)
        return (
            f"was OOM-killed (kernel: task_memcg={_short(failure.oom_kill.cgroup)}, exit code "
            f"{SIGKILLED}{f'; {figures}' if figures else ''})"
        )
    code = failure.ended.exit_code if failure.ended else failure.task.exit_code
    how = "failed" if code is None else f"failed with exit code {code}"
    return f"{how} ({failure.task.error or failure.task.message})"


def _short(cgroup: str) -> str:
    """Cut the container's id in a control group's path to the usual 12 digits."""
    group, _, container = cgroup.rpartition("/")
    return f"{group}/{container[:12]}"
